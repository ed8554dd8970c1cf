/** What every driver must keep: one suite of tests, run on each of them. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { AppError } from '#kernel/errors.ts';
import type { Driver, ExecOptions, Handle, StartOptions } from './driver.ts';

export type ContractSubject = {
  /** A new instance over the same host, as a restarted control plane makes one. */
  create(): Driver;
  /** What only a driver with a real host can show: caps, isolation, terminals. */
  real: boolean;
  /** The OCI runtime; `runc` when unset. */
  runtime?: string;
  /** Whether the sandbox ends, and not only the command, when its memory is used up. */
  endsWithoutMemory?: boolean;
};

const NO_IMAGE = { rootDir: '/nonexistent/image', python: '/usr/bin/python3', env: {}, workingDir: '' };

/** Makes processes as long as it gets any, and asks again and again; prints how many it got, and how often it was refused. */
const MANY_PROCESSES = `
import os, time
made = refused = 0
while made < 300 and refused < 500:
    try:
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
        made += 1
    except OSError:
        refused += 1
print(made, refused)
`;

let serial = 0;

/** Sizes of a small sandbox. */
export const smallSandbox = (change: Partial<StartOptions> = {}): StartOptions => {
  serial += 1;
  return {
    sandboxId: `sb-contract-${process.pid}-${serial}`,
    runtime: 'runc',
    hostname: 'contract',
    memoryBytes: 128 * 2 ** 20,
    cpus: 1,
    pids: 64,
    diskBytes: 32 * 2 ** 20,
    gpus: 0,
    env: { PATH: '/usr/bin:/bin', HOME: '/workspace', GREETING: 'hello' },
    mounts: [],
    doors: {},
    ...change,
  };
};

const hasCode = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;

/** Runs the suite. */
export function runDriverContract(name: string, subject: ContractSubject): void {
  describe(`the driver contract: ${name}`, () => {
    let driver: Driver;
    const own = subject.runtime === undefined ? {} : { runtime: subject.runtime };
    const started: Handle[] = [];
    const start = async (change: Partial<StartOptions> = {}): Promise<Handle> => {
      const handle = await driver.start(smallSandbox({ ...own, ...change }));
      started.push(handle);
      return handle;
    };
    const run = async (handle: Handle, options: ExecOptions | string[], input = '') => {
      const exec = await (await driver.session(handle)).exec(Array.isArray(options) ? { argv: options } : options);
      exec.stdin.end(input);
      const [stdout, stderr, result] = await Promise.all([text(exec.stdout), text(exec.stderr), exec.result]);
      return { stdout, stderr, ...result };
    };

    before(() => {
      driver = subject.create();
    });
    after(async () => {
      for (const handle of started) await driver.destroy(handle);
      assert.deepEqual(await driver.inventory({ keep: [], remove: false }), [], 'nothing is left after the suite');
      await driver.close();
    });

    it('probes the host: usable, with capabilities and runtimes', async () => {
      const probe = await driver.probe();
      assert.equal(probe.usable, true, JSON.stringify(probe.checks));
      assert.ok(probe.runtimes.includes(subject.runtime ?? 'runc') && probe.capabilities.includes('network-seal'));
    });

    it('refuses what it cannot enforce, naming it, and leaves nothing', async () => {
      for (const change of [{ gpus: 1024 }, { runtime: 'no-such-runtime' }, { image: NO_IMAGE }]) {
        const options = smallSandbox({ ...own, ...change });
        await assert.rejects(
          driver.start(options),
          (error) =>
            hasCode('capability_missing')(error) ||
            hasCode('not_found')(error) ||
            hasCode('unavailable')(error) ||
            hasCode('invalid')(error),
          JSON.stringify(change),
        );
        assert.equal(
          (
            await driver
              .inspect({ driver: driver.id, version: 1, sandboxId: options.sandboxId, data: {} })
              .catch(() => ({ state: 'gone' }))
          ).state,
          'gone',
        );
      }
      const keep = started.map((one) => one.sandboxId);
      assert.deepEqual(await driver.inventory({ keep, remove: false }), []);
    });

    it('starts once for one id: asked again, it gives the same sandbox', async () => {
      const options = smallSandbox(own);
      const first = await driver.start(options);
      started.push(first);
      await (await driver.session(first)).files.write('/workspace/mark', Readable.from([Buffer.from('1')]));
      const second = await driver.start(options);
      assert.deepEqual(second, first);
      assert.equal(await text(await (await driver.session(second)).files.read('/workspace/mark')), '1');
    });

    it('passes on output and exit codes', async () => {
      const handle = await start();
      assert.deepEqual(await run(handle, ['echo', 'a', 'b']), {
        stdout: 'a b\n',
        stderr: '',
        exitCode: 0,
        timedOut: false,
        truncated: false,
      });
      assert.equal((await run(handle, ['sh', '-c', 'exit 7'])).exitCode, 7);
      assert.equal((await run(handle, ['false'])).exitCode, 1);
    });

    it('passes on input, and its end', async () => {
      const handle = await start();
      const large = 'x'.repeat(3_000_000);
      assert.equal((await run(handle, ['cat'], large)).stdout, large);
    });

    it('sets variables and folder', async () => {
      const handle = await start();
      const seen = await run(handle, { argv: ['env'], env: { EXTRA: 'more' } });
      assert.match(seen.stdout, /^GREETING=hello$/m);
      assert.match(seen.stdout, /^EXTRA=more$/m);
      assert.equal((await run(handle, { argv: ['pwd'], cwd: '/tmp' })).stdout, '/tmp\n');
    });

    it('says when a program is not there', async () => {
      const handle = await start();
      const code = await run(handle, ['no-such-program']).then(
        (done) => done.exitCode,
        (error) => (error instanceof AppError ? 127 : 1),
      );
      assert.equal(code, 127);
    });

    it('ends a command at its time limit, at its output limit, and by signal', async () => {
      const handle = await start();
      const late = await run(handle, { argv: ['sleep', '30'], timeoutMs: 200 });
      assert.equal(late.timedOut, true);
      assert.notEqual(late.exitCode, 0);
      const long = await run(handle, { argv: ['yes'], maxOutputBytes: 100_000 });
      assert.equal(long.truncated, true);
      const exec = await (await driver.session(handle)).exec({ argv: ['sleep', '30'] });
      exec.stdin.end();
      exec.signal('TERM');
      const result = await exec.result;
      assert.equal(result.exitCode, 143);
      exec.stdout.resume();
    });

    it('reads, writes, lists and removes files, and refuses what is read-only', async () => {
      const { files } = await driver.session(await start());
      await files.makeDirectory('/workspace/folder');
      const content = Buffer.alloc(700_000, 'abc');
      assert.deepEqual(await files.write('/workspace/folder/a.bin', Readable.from([content])), {
        sizeBytes: content.length,
      });
      assert.ok((await buffer(await files.read('/workspace/folder/a.bin'))).equals(content));
      assert.equal((await files.stat('/workspace/folder/a.bin')).sizeBytes, content.length);
      assert.deepEqual(
        (await files.list('/workspace/folder')).map((one) => one.name),
        ['a.bin'],
      );
      await assert.rejects(files.read('/workspace/nothing'), hasCode('not_found'));
      await assert.rejects(files.write('/usr/bin/evil', Readable.from([content])), AppError);
      await files.remove('/workspace/folder', { recursive: true });
      await assert.rejects(files.stat('/workspace/folder'), hasCode('not_found'));
    });

    it('tells of what changes below a folder, until the sandbox ends', async () => {
      const handle = await start();
      const { files } = await driver.session(handle);
      await files.write('/workspace/plain', Readable.from([Buffer.from('x')]));
      await assert.rejects(
        files.watch('/workspace/plain', { onChange: () => undefined, onEnd: () => undefined }),
        AppError,
      );
      await assert.rejects(
        files.watch('/workspace/nothing', { onChange: () => undefined, onEnd: () => undefined }),
        hasCode('not_found'),
      );
      const seen: string[] = [];
      let told = (): void => undefined;
      const ended = Promise.withResolvers<void>();
      await files.watch('/workspace', {
        onChange: ({ path, kind }) => {
          seen.push(`${kind} ${path}`);
          told();
        },
        onEnd: ended.resolve,
      });
      await files.write('/workspace/new', Readable.from([Buffer.from('x')]));
      await files.remove('/workspace/new');
      while (!seen.includes('deleted /workspace/new')) await new Promise<void>((resolve) => (told = resolve));
      assert.ok(seen.includes('created /workspace/new'), seen.join());
      await driver.destroy(handle);
      await ended.promise;
    });

    it('tells what a sandbox uses, and how long it is idle', async () => {
      const handle = await start();
      const stats = await driver.stats(handle);
      assert.ok(stats.diskLimitBytes > 0 && stats.pids >= 1 && stats.memoryBytes > 0);
      const { runningExecs, idleMs } = await (await driver.session(handle)).activity();
      assert.equal(runningExecs, 0);
      assert.ok(idleMs >= 0);
    });

    it('gives a sandbox back to a new instance by its persisted handle', async () => {
      const handle = JSON.parse(JSON.stringify(await start())) as Handle;
      await (await driver.session(handle)).files.write('/workspace/kept', Readable.from([Buffer.from('yes')]));
      await driver.close();
      driver = subject.create();
      await driver.recover(handle);
      assert.equal((await driver.inspect(handle)).state, 'running');
      assert.equal(await text(await (await driver.session(handle)).files.read('/workspace/kept')), 'yes');
    });

    it('pauses and resumes', async () => {
      const handle = await start();
      await driver.pause(handle);
      assert.equal((await driver.inspect(handle)).state, 'paused');
      await driver.resume(handle);
      assert.equal((await run(handle, ['echo', 'on'])).stdout, 'on\n');
    });

    it('stops and destroys as often as one asks, and then nothing answers', async () => {
      const handle = await start();
      await driver.stop(handle, { graceMs: 200 });
      await driver.stop(handle, { graceMs: 200 });
      assert.notEqual((await driver.inspect(handle)).state, 'running');
      assert.deepEqual(await driver.destroy(handle), []);
      assert.deepEqual(await driver.destroy(handle), []);
      assert.equal((await driver.inspect(handle)).state, 'gone');
      await assert.rejects(driver.recover(handle), AppError);
      await assert.rejects(run(handle, ['true']), AppError);
    });

    it('finds in its inventory what nobody keeps, and removes it', async () => {
      const [kept, lost] = [await start(), await start()];
      const keep = started.map((one) => one.sandboxId).filter((id) => id !== lost.sandboxId);
      assert.notDeepEqual(await driver.inventory({ keep, remove: false }), []);
      await driver.inventory({ keep, remove: true });
      assert.deepEqual(await driver.inventory({ keep, remove: false }), []);
      assert.equal((await driver.inspect(kept)).state, 'running');
      assert.equal((await driver.inspect(lost)).state, 'gone');
    });

    if (subject.real) realHost(start, run, () => driver, subject);
  });
}

type Start = (change?: Partial<StartOptions>) => Promise<Handle>;
type Run = (
  handle: Handle,
  options: ExecOptions | string[],
  input?: string,
) => Promise<{ stdout: string; stderr: string; exitCode: number }>;

function realHost(start: Start, run: Run, driver: () => Driver, subject: ContractSubject): void {
  const { endsWithoutMemory = false } = subject;
  it('keeps the caps of memory, processes and disk', async () => {
    const handle = await start();
    const greedy = ['python3', '-c', 'b = bytearray(400 << 20); print(len(b))'];
    const memory = await run(handle, greedy).catch((error: unknown) => {
      if (endsWithoutMemory && hasCode('unavailable')(error)) return { exitCode: 137 };
      throw error;
    });
    assert.notEqual(memory.exitCode, 0);
    const processes = await run(endsWithoutMemory ? await start({ memoryBytes: 1024 * 2 ** 20 }) : handle, [
      'python3',
      '-c',
      MANY_PROCESSES,
    ]);
    const [made = Number.NaN, refused] = processes.stdout.split(' ').map(Number);
    assert.equal(refused, 500);
    assert.ok(made > 0 && made < 64, processes.stdout);
    const disk = await run(await start(), ['dd', 'if=/dev/zero', 'of=/workspace/big', 'bs=1M', 'count=64']);
    assert.match(disk.stderr, /No space left/);
  });

  it('gives a terminal, with its size', async () => {
    const handle = await start();
    const exec = await (await driver().session(handle)).exec({
      argv: ['sh', '-c', 'test -t 0 && stty size'],
      terminal: { rows: 31, cols: 77 },
    });
    exec.stdin.end();
    assert.match(await text(exec.stdout), /31 77/);
  });

  it('reaps what commands leave behind', async () => {
    const handle = await start();
    await run(handle, ['sh', '-c', '(sleep 0.1 &) ; (true &)']);
    await new Promise((resolve) => setTimeout(resolve, 400));
    const seen = await run(handle, ['sh', '-c', 'cat /proc/[0-9]*/stat']);
    assert.doesNotMatch(seen.stdout, /\) Z /);
  });

  it('keeps two sandboxes apart: processes, files, network', async () => {
    const [one, other] = [await start({ hostname: 'one' }), await start({ hostname: 'other' })];
    const server = await (await driver().session(one)).exec({
      argv: ['python3', '-m', 'http.server', '--bind', '127.0.0.1', '8099'],
    });
    server.stdin.end();
    await (await driver().session(one)).files.write('/workspace/secret', Readable.from([Buffer.from('x')]));
    const tried = await run(other, [
      'sh',
      '-c',
      'cat /workspace/secret; ps ax | grep -c http.server; python3 -c \'import socket; socket.create_connection(("127.0.0.1", 8099), 2)\'',
    ]);
    assert.match(tried.stderr, /No such file/);
    assert.match(tried.stderr, /refused/i);
    server.signal('KILL');
    await server.result;
    server.stdout.resume();
  });
}
