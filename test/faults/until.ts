import { setTimeout as sleep } from 'node:timers/promises';

const LONGEST_MS = 90_000;

/** Waits until it is so; throws naming it when that takes too long. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + LONGEST_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`it did not come to this: ${what}`);
    await sleep(100);
  }
}
