/** The few programs of a fake sandbox. */
import { PassThrough, type Readable, Writable } from 'node:stream';
import { AppError } from '#kernel/errors.ts';
import type { Exec, ExecOptions, ExecResult } from '../driver.ts';
import type { FakeSandbox } from './fake-world.ts';

type Running = {
  stdin: Readable;
  out: (text: string | Buffer) => boolean;
  ended: Promise<string>;
  env: Record<string, string>;
  cwd: string;
};
type Program = (args: string[], running: Running) => Promise<number>;

const SIGNALS: Record<string, number> = { HUP: 1, INT: 2, QUIT: 3, KILL: 9, USR1: 10, TERM: 15 };

const PROGRAMS: Record<string, Program> = {
  true: async () => 0,
  false: async () => 1,
  echo: async (args, { out }) => {
    out(`${args.join(' ')}\n`);
    return 0;
  },
  cat: async (_args, { stdin, out }) => {
    for await (const chunk of stdin) out(chunk as Buffer);
    return 0;
  },
  env: async (_args, { env, out }) => {
    out(
      `${Object.entries(env)
        .map(([name, value]) => `${name}=${value}`)
        .join('\n')}\n`,
    );
    return 0;
  },
  pwd: async (_args, { cwd, out }) => {
    out(`${cwd}\n`);
    return 0;
  },
  sleep: async ([seconds = '0'], { ended }) => {
    await Promise.race([new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1000).unref()), ended]);
    return 0;
  },
  yes: async (_args, { out, ended }) => {
    let over = false;
    void ended.then(() => {
      over = true;
    });
    while (!over) {
      out('y\n'.repeat(4096));
      await new Promise((resolve) => setImmediate(resolve));
    }
    return 0;
  },
};

/** `sh -c "exit N"` is all of a shell that there is. */
function programOf(argv: string[]): Program | undefined {
  const name = argv[0]?.split('/').at(-1) ?? '';
  const exit = /^exit (\d+)$/.exec(argv[2] ?? '');
  if (name === 'sh' && argv[1] === '-c' && exit !== null) return async () => Number(exit[1]);
  return PROGRAMS[name];
}

/** Runs a program as the contract's `Exec`. Throws `invalid` (`fault: not-found`) when there is none of this name. */
export async function runFake(sandbox: FakeSandbox, options: ExecOptions, nowMs: () => number): Promise<Exec> {
  const program = programOf(options.argv);
  if (program === undefined)
    throw new AppError('invalid', `In the sandbox: ${options.argv[0]} is not there.`, {
      details: { fault: 'not-found' },
    });
  const stdin = new PassThrough();
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const ending = Promise.withResolvers<string>();
  let signal: string | undefined;
  let timedOut = false;
  let truncated = false;
  let written = 0;
  const end = (name: string): void => {
    signal ??= name;
    ending.resolve(name);
    stdin.destroy();
  };
  const kill = (): void => end('KILL');
  sandbox.running.add(kill);
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          kill();
        }, options.timeoutMs);
  const out = (text: string | Buffer): boolean => {
    written += text.length;
    if (written > (options.maxOutputBytes ?? Number.POSITIVE_INFINITY)) {
      truncated = true;
      kill();
      return false;
    }
    return stdout.write(text);
  };
  const env = { ...sandbox.options.env, ...options.env };
  const cwd = options.cwd ?? '/workspace';
  const work = program(options.argv.slice(1), { stdin, out, ended: ending.promise, env, cwd }).catch(() => 1);
  const result = work.then((code): ExecResult => {
    clearTimeout(timer);
    sandbox.running.delete(kill);
    sandbox.lastExecEndMs = nowMs();
    stdout.end();
    stderr.end();
    if (signal === undefined) return { exitCode: code, timedOut, truncated };
    return { exitCode: 128 + (SIGNALS[signal] ?? 9), signal, timedOut, truncated };
  });
  const input = new Writable({
    write: (chunk: Buffer, _encoding, done) => void (stdin.destroyed ? done() : stdin.write(chunk, () => done())),
    final: (done) => {
      stdin.end();
      done();
    },
  });
  return {
    stdin: input,
    stdout,
    stderr,
    result,
    signal: (name) => end(name.replace(/^SIG/, '')),
    resize: () => undefined,
  };
}
