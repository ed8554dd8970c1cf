/** The local terminal while a command in a sandbox has it: bytes pass untouched both ways, sizes are passed on. */
import { execFileSync } from 'node:child_process';
import type { ReadStream } from 'node:tty';
import type { ExecChannel } from '#src/http/exec-stream.ts';

export const terminalSize = (): { rows: number; cols: number } => ({
  rows: process.stdout.rows ?? 24,
  cols: process.stdout.columns ?? 80,
});

/** Takes the terminal on `stdin`; the returned function gives it back as it was. The end of the process does so too, however it comes. */
export function rawTerminal(stdin: ReadStream, channel: ExecChannel): () => void {
  const resize = (): void => channel.control({ type: 'resize', ...terminalSize() });
  const restore = (): void => {
    process.off('exit', restore);
    process.stdout.off('resize', resize);
    stdin.setRawMode(false);
  };
  stdin.setRawMode(true);
  process.on('exit', restore);
  process.stdout.on('resize', resize);
  passOutput();
  return restore;
}

/**
 * Node's raw mode still turns each line feed that is written into carriage return and line feed. The terminal in the sandbox has
 * done that already where it is due, and a program that has turned it off means what it writes.
 */
function passOutput(): void {
  try {
    execFileSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
  } catch {
    // A system without stty: lines are right, only full-screen programs may look wrong.
  }
}
