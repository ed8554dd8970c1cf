import assert from 'node:assert/strict';
import { PassThrough, Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { z } from 'zod';
import type { Exec, ExecResult } from '#src/drivers/driver.ts';
import { startApi } from './api-fixture.ts';
import { type Control, openChannel, parseControl } from './exec-stream.ts';
import { serveExec } from './serve-exec.ts';
import { webSocketRoute } from './websocket-route.ts';

/** A command that gives its input back, exits 3 when the input ends and 143 on TERM. */
function echo(): Exec & { signals: string[] } {
  const stdin = new PassThrough({ highWaterMark: 1024 });
  const stdout = stdin.pipe(new PassThrough({ highWaterMark: 1024 }));
  const stderr = Readable.from([Buffer.from('warned')]);
  const signals: string[] = [];
  const { promise, resolve } = Promise.withResolvers<ExecResult>();
  const end = (exitCode: number) => resolve({ exitCode, timedOut: false, truncated: false });
  stdin.on('finish', () => end(3));
  return {
    stdin,
    stdout,
    stderr,
    signals,
    result: promise,
    resize: () => undefined,
    signal: (name) => {
      signals.push(name);
      stdout.end();
      end(143);
    },
  };
}

async function serving(exec: Exec) {
  const path = '/api/v1/echo';
  const api = await startApi({
    routes: [],
    webSocketRoutes: [
      webSocketRoute({
        path,
        action: 'thing.exec',
        resource: 'sandbox',
        summary: 'Echo',
        start: z.object({ argv: z.array(z.string()) }),
        handle: async ({ cross, channel }) => {
          await cross({ object: { kind: 'thing', id: 'x' }, ask: async () => [], act: async () => undefined });
          await serveExec(channel, exec);
        },
      }),
    ],
  });
  const open = async (start: unknown, token = 'good') => {
    const socket = new WebSocket(api.url.replace('http', 'ws') + path, {
      headers: { authorization: `Bearer ${token}` },
    });
    const channel = openChannel(socket);
    const controls: Control[] = [];
    const last = new Promise<Control>((resolve) => {
      channel.onControl((message) => {
        controls.push(message);
        if (message.type === 'exit' || message.type === 'error') resolve(message);
      });
    });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    channel.control({ type: 'start', start });
    return { socket, channel, controls, last };
  };
  return { api, open };
}

const MIB = 1024 * 1024;

test('streams arrive whole and in order both ways, beyond every buffer, and the exit code comes last', async () => {
  const { api, open } = await serving(echo());
  const { channel, last } = await open({ argv: ['cat'] });
  const sent = Buffer.alloc(3 * 1024 * 1024, 'fume');
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  channel.receive('stdout', stdout);
  channel.receive('stderr', stderr);
  const [out, warned] = await Promise.all([
    buffer(stdout),
    buffer(stderr),
    channel.send('stdin', Readable.from([sent])),
  ]);
  assert.ok(out.equals(sent));
  assert.equal(warned.toString(), 'warned');
  assert.deepEqual(await last, { type: 'exit', result: { exitCode: 3, timedOut: false, truncated: false } });
  await api.close();
});

test('a reader that does not read stops the writer within the window, and signals still pass', async () => {
  const exec = echo();
  const { api, open } = await serving(exec);
  const { channel, last } = await open({ argv: ['cat'] });
  let taken = 0;
  let release: () => void = () => undefined;
  const stuck = new Writable({
    write: (chunk, _encoding, done) => {
      taken += chunk.length;
      release = done;
    },
  });
  channel.receive('stdout', stuck);
  let offered = 0;
  const endless = new Readable({
    read() {
      offered += 65_536;
      this.push(Buffer.alloc(65_536));
    },
  });
  void channel.send('stdin', endless).catch(() => undefined);
  // A sender that went on would soon be past every window.
  for (let before = -1; before !== offered && offered < 64 * MIB; ) {
    before = offered;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  assert.ok(offered > 0 && offered < 2 * MIB, `${offered} bytes were sent while nobody read`);
  assert.ok(taken <= 65_536);
  channel.control({ type: 'signal', name: 'SIGTERM' });
  while (exec.signals.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(exec.signals, ['TERM']);
  release();
  channel.close();
  await Promise.race([last, channel.closed]);
  endless.destroy();
  await api.close();
});

test('a client that goes away hangs the command up', async () => {
  const exec = echo();
  const { api, open } = await serving(exec);
  const { socket } = await open({ argv: ['cat'] });
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.terminate();
  await exec.result;
  assert.deepEqual(exec.signals, ['HUP']);
  await api.close();
});

test('a bad start frame gives an error frame that names the field; a bad token is refused before the upgrade', async () => {
  const { api, open } = await serving(echo());
  const { last } = await open({ argv: 'no list' });
  const message = await last;
  assert.ok(message.type === 'error');
  assert.equal(message.error.code, 'invalid');
  assert.match(message.error.message, /body\.argv/);
  await assert.rejects(open({ argv: [] }, 'wrong'), /401/);
  await api.close();
});

test('a frame that breaks the protocol ends the connection', async () => {
  const { api, open } = await serving(echo());
  for (const bytes of [Buffer.of(9), Buffer.from('\0not json'), Buffer.concat([Buffer.of(1), Buffer.alloc(300_000)])]) {
    const { socket, channel } = await open({ argv: ['cat'] });
    socket.send(bytes);
    await channel.closed;
  }
  await api.close();
});

test('control frames of a hostile peer are typed and bounded, or nothing', () => {
  const parse = (value: unknown) => parseControl(Buffer.from(JSON.stringify(value)));
  assert.equal(parse({ type: 'exit', result: { exitCode: 'x' } }), undefined);
  assert.equal(parse({ type: 'credit', stream: 'stdout', bytes: 1e12 }), undefined);
  assert.equal(parse({ type: 'signal', name: 'KILL; rm' }), undefined);
  assert.equal(parse({ type: 'error', error: { code: 'constructor' } }), undefined);
  assert.equal(parse(null), undefined);
  assert.deepEqual(parse({ type: 'resize', rows: 24, cols: 80 }), { type: 'resize', rows: 24, cols: 80 });
});
