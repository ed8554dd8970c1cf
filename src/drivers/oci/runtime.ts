/** Calls of the OCI runtime's command line. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import type { Helper } from './helper-client.ts';

export type Runtime = {
  run(options: {
    runtime: string;
    slot: string;
    bundle: string;
    socket: string;
    pidFile: string;
    log: string;
  }): Promise<void>;
  pause(runtime: string, slot: string): Promise<void>;
  resume(runtime: string, slot: string): Promise<void>;
  /** Kills what runs and removes the container; nothing there is fine too. */
  remove(runtime: string, slot: string): Promise<void>;
  /** The host pid of the sandbox's first process. */
  pidOf(pidFile: string): number;
};

export function createRuntime(deps: { helper: Helper; root: string; timeoutMs: number }): Runtime {
  const { timeoutMs } = deps;
  const call = async (
    argv: string[],
    options: { socket?: string; log?: string } = {},
  ): Promise<{ exitCode: number; log: string }> => {
    const { ok } = await deps.helper.ask('run', { argv, timeoutMs, ...options });
    const done = ok as { exitCode: number; log: string; timedOut: boolean };
    if (done.timedOut) throw tooSlow(argv[0] ?? '', timeoutMs);
    return done;
  };
  const simple = async (runtime: string, verb: string, slot: string): Promise<void> => {
    const { exitCode } = await call([runtime, '--root', deps.root, verb, slot]);
    if (exitCode !== 0) throw new AppError('unavailable', `${runtime} ${verb} failed for ${slot}.`);
  };
  return {
    run: async ({ runtime, slot, bundle, socket, pidFile, log }) => {
      const common = [runtime, '--root', deps.root, '--log', log];
      const argv = [
        ...common,
        'run',
        '--detach',
        '--preserve-fds',
        '1',
        '--pid-file',
        pidFile,
        '--bundle',
        bundle,
        slot,
      ];
      const done = await call(argv, { socket, log });
      if (done.exitCode === 0) return;
      throw new AppError('unavailable', `${runtime} could not start the sandbox: ${lastReason(done.log)}`, {
        details: { hint: 'Run "fumehood doctor" to see what this host can enforce.' },
      });
    },
    pause: (runtime, slot) => simple(runtime, 'pause', slot),
    resume: (runtime, slot) => simple(runtime, 'resume', slot),
    remove: async (runtime, slot) => {
      if (!existsSync(join(deps.root, slot))) return;
      await call([runtime, '--root', deps.root, 'delete', '--force', slot]);
    },
    pidOf: (pidFile) => Number(readFileSync(pidFile, 'utf8').trim()),
  };
}

const tooSlow = (runtime: string, timeoutMs: number): AppError =>
  new AppError('unavailable', `${runtime} did not end within ${timeoutMs / 1000} s, and was ended.`, {
    details: {
      hint: `Try again; when it stays so, look at the load of this host and at ${runtime} itself. The setting sandbox.startTimeout gives it more time.`,
    },
  });

/** The last message of a runtime's log, in text or JSON form. */
function lastReason(log: string): string {
  const line = log.trim().split('\n').at(-1) ?? '';
  const message = /"msg":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1] ?? /msg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1] ?? line;
  return message.replaceAll('\\"', '"').slice(0, 500) || 'it gave no reason';
}
