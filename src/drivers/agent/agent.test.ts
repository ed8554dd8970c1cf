import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Session } from '../driver.ts';
import { output, type PlainAgent, startAgent } from './plain-agent-fixture.ts';

describe('the agent, as a plain process', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-agent-'));
  let agent: PlainAgent;
  let session: Session;
  before(async () => {
    agent = await startAgent(folder);
    session = agent.session;
  });
  after(() => {
    agent.stop();
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

  // Sizes around the buffers on the way: what has arrived on this side when the agent closes differs with each.
  const LATE_SIZES = Array.from({ length: 24 }, (_, at) => (at + 1) * 64 * 1024 + at);

  it('keeps output for who reads late, the whole of it: of a command, of a file, of a port', async () => {
    const late = async (stream: Readable): Promise<number> => {
      await sleep(700);
      return (await buffer(stream)).length;
    };
    let portBytes = 0;
    const server = createServer((socket) => socket.end(Buffer.alloc(portBytes)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    try {
      const arrived = await Promise.all(
        LATE_SIZES.map(async (size) => {
          const exec = await session.exec({ argv: ['head', '-c', String(size), '/dev/zero'] });
          exec.stdin.end();
          const path = join(folder, `late-${size}`);
          await session.files.write(path, Readable.from([Buffer.alloc(size)]));
          return [
            size,
            await late(exec.stdout),
            (await exec.result).exitCode,
            await late(await session.files.read(path)),
          ];
        }),
      );
      assert.deepEqual(
        arrived,
        LATE_SIZES.map((size) => [size, size, 0, size]),
      );
      for (portBytes of LATE_SIZES.filter((_, at) => at % 6 === 5)) {
        const stream = await session.connectPort(port);
        stream.end();
        assert.equal(await late(stream), portBytes);
      }
    } finally {
      server.close();
    }
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

  it('carries a stream to a port', async () => {
    const server = createServer((socket) => socket.pipe(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const stream = await session.connectPort(typeof address === 'object' && address !== null ? address.port : 0);
    // As HTTP clients do: something with nothing in it, which ends nothing.
    stream.write('');
    stream.write('pi');
    stream.write('');
    stream.end('ng');
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

  it('gives source in the warm interpreter nothing open but what a command has', async () => {
    const source = 'import os; print(sorted(os.listdir("/proc/self/fd")))';
    const command = await session.exec({ argv: ['python3', '-c', source] });
    command.stdin.end();
    assert.deepEqual(await output(await session.runPython({ source })), await output(command));
  });

  it('starts the warm interpreter anew when the code of a call has killed it, however soon the next call comes', async () => {
    for (let round = 0; round < 20; round += 1) {
      const fatal = 'import os, signal, time; os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)';
      assert.equal((await output(await session.runPython({ source: fatal }))).code, 137);
      assert.equal((await output(await session.runPython({ source: 'print(5)' }))).out, '5\n');
    }
  });
});
