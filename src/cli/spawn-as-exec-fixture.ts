import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Exec } from '#src/drivers/driver.ts';

/** For tests: a process of this host in the shape of a command in a sandbox. */
export function spawnAsExec(argv: readonly string[], env: Record<string, string>): Exec {
  const [command = '', ...args] = argv;
  const child = spawn(command, args, { env: { ...process.env, ...env } });
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    result: new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        const exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
        resolve({ exitCode, timedOut: false, truncated: false });
      });
    }),
    signal: (name) => void child.kill(`SIG${name}` as NodeJS.Signals),
    resize: () => undefined,
  };
}
