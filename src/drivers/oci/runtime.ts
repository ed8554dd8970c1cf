/** Calls of the OCI runtime's command line. */
import { existsSync } from 'node:fs';
import { AppError } from '#kernel/errors.ts';
import { RUNSC, RUNSC_FLAGS } from './gvisor.ts';
import type { Helper } from './helper-client.ts';
import { type Paths, slotPaths } from './paths.ts';
import { programPath } from './program-path.ts';

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
  /** Runs a Python program as the root of a sandbox's own kernel (`runsc` alone has one). */
  runAsRoot(options: { slot: string; python: string; program: string; log: string }): Promise<void>;
};

export function createRuntime(deps: { helper: Helper; paths: Paths; timeoutMs: number }): Runtime {
  const { paths, timeoutMs } = deps;
  const call = async (
    argv: string[],
    options: { socket?: string; log?: string; moves?: boolean } = {},
  ): Promise<{ exitCode: number; log: string }> => {
    const { ok } = await deps.helper.ask('run', { argv, timeoutMs, ...options });
    const done = ok as { exitCode: number; log: string; timedOut: boolean };
    if (done.timedOut) throw tooSlow(argv[0] ?? '', timeoutMs);
    return done;
  };
  const command = (runtime: string, slot: string): string[] =>
    runtime === RUNSC
      ? [programPath(RUNSC) ?? RUNSC, '--root', slotPaths(paths, slot).gvisor, ...RUNSC_FLAGS]
      : [runtime, '--root', paths.runtimeRoot];
  const simple = async (runtime: string, verb: string, slot: string): Promise<void> => {
    const { exitCode } = await call([...command(runtime, slot), verb, slot]);
    if (exitCode !== 0) throw new AppError('unavailable', `${runtime} ${verb} failed for ${slot}.`);
  };
  return {
    run: async ({ runtime, slot, bundle, socket, pidFile, log }) => {
      // gVisor cannot pass a listening socket on.
      const inherits = runtime !== RUNSC;
      const words = ['--log', log, 'run', '--detach', ...(inherits ? ['--preserve-fds', '1'] : [])];
      const argv = [...command(runtime, slot), ...words, '--pid-file', pidFile, '--bundle', bundle, slot];
      const done = await call(argv, { log, moves: true, ...(inherits ? { socket } : {}) });
      if (done.exitCode === 0) return;
      throw new AppError('unavailable', `${runtime} could not start the sandbox: ${lastReason(done.log)}`, {
        details: { hint: 'Run "fumehood doctor" to see what this host can enforce.' },
      });
    },
    pause: (runtime, slot) => simple(runtime, 'pause', slot),
    resume: (runtime, slot) => simple(runtime, 'resume', slot),
    remove: async (runtime, slot) => {
      const { container, gvisor } = slotPaths(paths, slot);
      if (existsSync(runtime === RUNSC ? gvisor : container))
        await call([...command(runtime, slot), 'delete', '--force', slot]);
    },
    runAsRoot: async ({ slot, python, program, log }) => {
      const words = ['--log', log, 'exec', '--user', '0:0', '--cwd', '/', slot, python, '-I', '-S', '-B', '-c'];
      const done = await call([...command(RUNSC, slot), ...words, program], { log });
      if (done.exitCode === 0) return;
      throw new AppError('unavailable', `The sandbox's own limits could not be set: ${lastReason(done.log)}`);
    },
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
