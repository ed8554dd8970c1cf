import { readFileSync, writeFileSync } from 'node:fs';
import { AppError } from '#kernel/errors.ts';

const FILTER = '/proc/self/coredump_filter';

/**
 * Has the kernel leave all memory out of a core dump of this process and of those it starts (core(5), "Controlling which mappings are written
 * to the core dump"), wherever dumps go on this host: keys and secrets are in it. Throws `unavailable` where that cannot be done.
 */
export function leaveNoCore(): void {
  try {
    writeFileSync(FILTER, '0');
    if (Number.parseInt(readFileSync(FILTER, 'utf8'), 16) === 0) return;
  } catch (error) {
    // A kernel without this file makes no core dumps.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw refusal(error);
  }
  throw refusal(undefined);
}

const refusal = (cause: unknown): AppError =>
  new AppError(
    'unavailable',
    'A core dump of the control plane would hold keys and secrets, and cannot be kept from it.',
    {
      cause,
      details: { hint: `Let it write "0" to ${FILTER}: /proc is mounted read-only, or not at all.` },
    },
  );
