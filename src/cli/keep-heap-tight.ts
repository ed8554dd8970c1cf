import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Garbage that may gather, in percent of what is alive, before the whole heap is looked through. */
const GROWTH_PERCENT = 50;

/**
 * Keeps the resident memory of a process that runs for long near what it needs. By itself V8 first looks through the whole heap when that has
 * grown to a share of the machine's memory, hundreds of megabytes: for hours that looks like a leak. To be called once what stays is loaded.
 */
export function keepHeapTight(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
  setFlagsFromString('--expose-gc');
  // The first look sets the bound that the growth is measured from.
  (runInNewContext('gc') as () => void)();
}
