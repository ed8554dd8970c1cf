import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Session } from '../driver.ts';
import { createFrameReader, encodeFrame, encodeJson, FRAME_TYPES, type Frame } from './frames.ts';
import { createSession } from './session.ts';
import { dialPath } from './wire.ts';

describe('the host, facing an agent that lies', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-liar-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  let count = 0;

  /** A session with an agent that answers every connection with these bytes. */
  async function lying(bytes: Buffer, thenClose = true): Promise<{ session: Session; path: string; stop: () => void }> {
    count += 1;
    const path = join(folder, `${count}.sock`);
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('data', () => (thenClose ? socket.end(bytes) : socket.write(bytes)));
    });
    server.listen(path);
    await once(server, 'listening');
    const stop = (): void => {
      server.close();
      for (const socket of sockets) socket.destroy();
    };
    return { session: createSession(dialPath(path)), path, stop };
  }

  const lies: [string, Buffer][] = [
    ['a frame of an unknown type', encodeFrame(0x58, Buffer.from('x'))],
    ['a length beyond all bounds', Buffer.from([FRAME_TYPES.json, 0xff, 0xff, 0xff, 0xff])],
    ['JSON that is none', encodeFrame(FRAME_TYPES.json, Buffer.from('{'))],
    ['an array for an object', encodeFrame(FRAME_TYPES.json, Buffer.from('[]'))],
    ['output before the start', encodeFrame(FRAME_TYPES.output, Buffer.from('x'))],
    ['an exit before the start', encodeJson({ exit: 0 })],
    ['an exit code that cannot be', Buffer.concat([encodeJson({ started: 1 }), encodeJson({ exit: 4096 })])],
    ['an exit code of another type', Buffer.concat([encodeJson({ started: 1 }), encodeJson({ exit: '0; rm' })])],
    [
      'output after its end',
      Buffer.concat([
        encodeJson({ started: 1 }),
        encodeFrame(FRAME_TYPES.output, Buffer.alloc(0)),
        encodeFrame(FRAME_TYPES.output, Buffer.from('x')),
      ]),
    ],
    ['half a frame', Buffer.concat([encodeJson({ started: 1 }), Buffer.from([FRAME_TYPES.output, 0, 0])])],
    ['two starts', Buffer.concat([encodeJson({ started: 1 }), encodeJson({ started: 2 })])],
    ['nothing at all', Buffer.alloc(0)],
  ];
  for (const [name, bytes] of lies) {
    it(`gives up the exec, and nothing else, for ${name}`, async () => {
      const { session, stop } = await lying(bytes);
      await assert.rejects(
        async () => {
          const exec = await session.exec({ argv: ['true'] });
          exec.stdout.resume();
          await exec.result;
        },
        { code: 'unavailable' },
      );
      await assert.rejects(session.files.list('/'));
      stop();
    });
  }

  it('waits for a silent agent no longer than is agreed, whatever it was asked for', async () => {
    const path = join(folder, 'silent.sock');
    const held = new Set<Socket>();
    const server = createServer((socket) => held.add(socket.on('error', () => undefined).resume()));
    server.listen(path);
    await once(server, 'listening');
    const { files, connectPort, activity } = createSession(dialPath(path), 150);
    const asked = [
      files.read('/x'),
      files.write('/x', Readable.from([Buffer.from('x')])),
      files.list('/x'),
      files.stat('/x'),
      files.watch('/x', { onChange: () => undefined, onEnd: () => undefined }),
      connectPort(80),
      activity(),
    ];
    for (const answer of asked) await assert.rejects(answer as Promise<unknown>, { code: 'timeout' });
    server.close();
    for (const socket of held) socket.destroy();
  });

  it('gives up an upload when the agent took it whole and never says so', async () => {
    const { path, stop } = await lying(encodeJson({ ready: true }), false);
    const { files } = createSession(dialPath(path), 150);
    await assert.rejects(files.write('/x', Readable.from([Buffer.alloc(1000)])), { code: 'timeout' });
    stop();
  });

  it('does not take a folder into memory whose names have no end', async () => {
    const part = Array.from({ length: 40 }, () => ({
      name: 'n'.repeat(4000),
      kind: 'file',
      sizeBytes: 0,
      mode: 0,
      modifiedMs: 0,
    }));
    const { session, stop } = await lying(
      Buffer.concat(Array.from({ length: 200 }, () => encodeJson({ part }))),
      false,
    );
    await assert.rejects(session.files.list('/'), /a list that is too long/);
    stop();
  });

  it('puts frames together that come byte by byte, without copying what it has again and again', () => {
    const payload = Buffer.alloc(256 * 1024, 'x');
    const frame = encodeFrame(FRAME_TYPES.output, payload);
    const read = createFrameReader();
    const frames: Frame[] = [];
    const started = process.cpuUsage();
    for (let at = 0; at < frame.length; at += 1) frames.push(...read(frame.subarray(at, at + 1)));
    const { user, system } = process.cpuUsage(started);
    assert.ok(frames.every((one) => one.type === FRAME_TYPES.output));
    assert.ok(Buffer.concat(frames.map((one) => one.payload)).equals(payload));
    assert.ok(user + system < 2_000_000, `${user + system} us`);
  });

  it('takes no terminal sequences out of an error message', async () => {
    const { session, stop } = await lying(encodeJson({ error: { code: 'ENOENT', message: '\u001b[2Jgone' } }));
    await assert.rejects(session.files.stat('/x'), (error: Error) => !error.message.includes('\u001b'));
    stop();
  });

  it('does not take a flood into memory while nobody reads', async () => {
    const flood = Buffer.concat([
      encodeJson({ started: 1 }),
      ...Array.from({ length: 200 }, () => encodeFrame(FRAME_TYPES.output, Buffer.alloc(128 * 1024))),
    ]);
    const { session, stop } = await lying(flood, false);
    const exec = await session.exec({ argv: ['true'] });
    await sleep(300);
    assert.ok(exec.stdout.readableLength < 2 * 1024 * 1024, String(exec.stdout.readableLength));
    exec.stdout.destroy();
    stop();
  });
});
