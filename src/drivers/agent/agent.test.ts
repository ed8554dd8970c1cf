import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Exec, Session } from '../driver.ts';
import { createFrameReader, encodeFrame, encodeJson, FRAME_TYPES, type Frame } from './frames.ts';
import { createSession, greetAgent } from './session.ts';
import { dialPath } from './wire.ts';

const AGENT = join(import.meta.dirname, '../../../python/fumehood_agent');

async function output(exec: Exec): Promise<{ out: string; err: string; code: number }> {
  const [out, err, result] = await Promise.all([text(exec.stdout), text(exec.stderr), exec.result]);
  return { out, err, code: result.exitCode };
}

describe('the agent, as a plain process', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-agent-'));
  const path = join(folder, 'agent.sock');
  let agent: ChildProcess;
  let session: Session;

  before(async () => {
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: folder,
      FUMEHOOD_AGENT: JSON.stringify({ python: '/usr/bin/python3', warmImports: ['json'] }),
    };
    agent = spawn('/usr/bin/python3', ['-I', '-S', '-B', AGENT, '--listen', path], {
      env,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    for (let tries = 0; ; tries += 1) {
      try {
        await greetAgent(dialPath(path));
        break;
      } catch (error) {
        if (tries > 100) throw error;
        await sleep(50);
      }
    }
    session = createSession(dialPath(path));
  });
  after(() => {
    agent.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  it('passes words, variables, folder, streams and the exit code', async () => {
    const exec = await session.exec({
      argv: ['sh', '-c', 'echo "$GREETING $(pwd)"; cat; echo bad >&2; exit 7'],
      env: { GREETING: 'hello' },
      cwd: '/usr',
    });
    exec.stdin.end('from stdin\n');
    assert.deepEqual(await output(exec), { out: 'hello /usr\nfrom stdin\n', err: 'bad\n', code: 7 });
  });

  it('ends what is not there with 127 and what cannot be run with 126, and says so', async () => {
    const missing = await output(await session.exec({ argv: ['no-such-program'] }));
    assert.equal(missing.code, 127);
    assert.match(missing.err, /no-such-program/);
    assert.equal((await output(await session.exec({ argv: ['/etc/passwd'] }))).code, 126);
  });

  it('carries 50 MB both ways unharmed, and stops reading when nobody takes its output', async () => {
    const sent = Buffer.alloc(50 * 1024 * 1024, 'abcdefghij');
    const exec = await session.exec({ argv: ['cat'] });
    const feeding = Readable.from(
      (function* () {
        for (let at = 0; at < sent.length; at += 1 << 20) yield sent.subarray(at, at + (1 << 20));
      })(),
    ).pipe(exec.stdin);
    await sleep(300);
    assert.ok(exec.stdin.writableLength < 8 * 1024 * 1024 && feeding.writableLength < 8 * 1024 * 1024);
    const received = await buffer(exec.stdout);
    assert.ok(received.equals(sent));
    assert.equal((await exec.result).exitCode, 0);
  });

  it('keeps input for a command that reads late, the whole of it', async () => {
    // Where input ends between the buffers on its way decides what is waiting when the command begins to read.
    const sizes = Array.from({ length: 24 }, (_, at) => (at + 1) * 96 * 1024 + at);
    await Promise.all(
      sizes.map(async (size) => {
        const sent = Buffer.alloc(size, 'abcdefghij');
        const exec = await session.exec({ argv: ['sh', '-c', 'sleep 0.7; exec cat'] });
        exec.stdin.end(sent);
        const received = await buffer(exec.stdout);
        assert.ok(received.equals(sent), `${received.length} of ${size} bytes arrived`);
      }),
    );
  });

  it('forwards signals to the whole group and reports the one that ended it', async () => {
    const exec = await session.exec({ argv: ['sh', '-c', 'sleep 60 & wait'] });
    exec.signal('TERM');
    const result = await exec.result;
    assert.equal(result.exitCode, 143);
    assert.equal(result.signal, 'TERM');
  });

  it('ends a command after its time, with the daemon that it forked twice', async () => {
    const daemon = `import os, sys, time\nif os.fork(): time.sleep(60)\nos.setsid()\nif os.fork(): os._exit(0)\nopen(${JSON.stringify(join(folder, 'daemon'))}, "w").write(str(os.getpid()))\ntime.sleep(60)`;
    const exec = await session.exec({ argv: ['/usr/bin/python3', '-c', daemon], timeoutMs: 700 });
    const result = await exec.result;
    assert.equal(result.timedOut, true);
    await sleep(2500);
    const pid = await text(await session.files.read(join(folder, 'daemon')));
    assert.equal(
      (
        await output(
          await session.exec({ argv: ['sh', '-c', `kill -0 ${pid} 2>/dev/null && echo alive || echo gone`] }),
        )
      ).out.trim(),
      'gone',
    );
  });

  it('cuts the output at the limit that was set and kills the writer', async () => {
    const exec = await session.exec({ argv: ['sh', '-c', 'yes'], maxOutputBytes: 100_000 });
    const [out, result] = await Promise.all([buffer(exec.stdout), exec.result]);
    assert.equal(out.length, 100_000);
    assert.equal(result.truncated, true);
  });

  it('runs 64 commands at once', async () => {
    const codes = await Promise.all(
      Array.from(
        { length: 64 },
        async (_, n) => (await output(await session.exec({ argv: ['sh', '-c', `sleep 0.2; exit ${n}`] }))).code,
      ),
    );
    assert.deepEqual(
      codes,
      Array.from({ length: 64 }, (_, n) => n),
    );
  });

  it('gives a terminal with its size, that can be resized', async () => {
    const exec = await session.exec({
      argv: ['sh', '-c', 'test -t 0 && stty size; read x; stty size'],
      terminal: { rows: 30, cols: 90 },
    });
    const out = text(exec.stdout);
    await sleep(200);
    exec.resize({ rows: 40, cols: 100 });
    exec.stdin.write('\n');
    assert.match(await out, /30 90[\s\S]*40 100/);
  });

  it('collects zombies', async () => {
    await output(await session.exec({ argv: ['sh', '-c', '(sleep 0.1 &) ; true'] }));
    await sleep(400);
    const { out } = await output(
      await session.exec({ argv: ['sh', '-c', `ps --ppid ${agent.pid} -o stat= | grep -c Z || true`] }),
    );
    assert.equal(out.trim(), '0');
  });

  it('writes whole files or none, reads, lists and removes them, and refuses a FIFO', async () => {
    const file = join(folder, 'data.bin');
    const content = Buffer.alloc(3_000_000, 7);
    assert.deepEqual(await session.files.write(file, Readable.from([content]), { mode: 0o640 }), {
      sizeBytes: 3_000_000,
    });
    assert.ok((await buffer(await session.files.read(file))).equals(content));
    assert.equal((await session.files.stat(file)).mode, 0o640);
    assert.ok((await session.files.list(folder)).some((info) => info.name === 'data.bin' && info.kind === 'file'));
    await output(await session.exec({ argv: ['mkfifo', join(folder, 'fifo')] }));
    await assert.rejects(session.files.read(join(folder, 'fifo')), /not a regular file/);
    await assert.rejects(session.files.read(join(folder, 'nothing')), { code: 'not_found' });
    await session.files.makeDirectory(join(folder, 'deep/er'));
    await assert.rejects(session.files.remove(join(folder, 'deep')));
    await session.files.remove(join(folder, 'deep'), { recursive: true });
    await assert.rejects(session.files.stat(join(folder, 'deep')), { code: 'not_found' });
    const broken = new Readable({ read() {} });
    broken.push('half');
    setTimeout(() => broken.destroy(new Error('gone')), 50);
    await assert.rejects(session.files.write(join(folder, 'half'), broken));
    await sleep(100);
    assert.ok(!(await session.files.list(folder)).some((info) => info.name.includes('half')));
  });

  it('tells of changes below a folder', async () => {
    const seen: string[] = [];
    const stop = await session.files.watch(folder, (change) =>
      seen.push(`${change.kind} ${change.path.split('/').at(-1)}`),
    );
    await output(await session.exec({ argv: ['sh', '-c', `echo x > ${folder}/watched && rm ${folder}/watched`] }));
    await sleep(200);
    stop();
    assert.ok(seen.includes('created watched') && seen.includes('deleted watched'), seen.join());
  });

  it('carries a stream to a port', async () => {
    const server = createServer((socket) => socket.pipe(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const stream = await session.connectPort(typeof address === 'object' && address !== null ? address.port : 0);
    stream.end('ping');
    assert.equal(await text(stream), 'ping');
    server.close();
    await assert.rejects(session.connectPort(1));
  });

  it('runs source in the warm interpreter: own globals, exit codes, tracebacks with lines, standard input', async () => {
    const good = await session.runPython({ source: 'import sys, json\nprint(json.dumps(sys.stdin.read()), __name__)' });
    good.stdin.end('abc');
    assert.deepEqual(await output(good), { out: '"abc" __main__\n', err: '', code: 0 });
    const bad = await output(await session.runPython({ source: 'def f():\n    return 1 / 0\nf()', name: 'cell 3' }));
    assert.equal(bad.code, 1);
    assert.match(bad.err, /cell 3.*line 2[\s\S]*return 1 \/ 0[\s\S]*ZeroDivisionError/);
    assert.equal((await output(await session.runPython({ source: 'raise SystemExit(9)' }))).code, 9);
    const draws = await Promise.all(
      [1, 2, 3].map(
        async () => (await output(await session.runPython({ source: 'import random; print(random.random())' }))).out,
      ),
    );
    assert.equal(new Set(draws).size, 3, 'forks do not draw the same numbers');
  });

  it('starts the warm interpreter anew when the code of a call has killed it, however soon the next call comes', async () => {
    for (let round = 0; round < 20; round += 1) {
      const fatal = 'import os, signal, time; os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)';
      assert.equal((await output(await session.runPython({ source: fatal }))).code, 137);
      assert.equal((await output(await session.runPython({ source: 'print(5)' }))).out, '5\n');
    }
  });
});

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
      files.watch('/x', () => undefined),
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
