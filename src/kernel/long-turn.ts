/** Long work on the event loop, cut into slices between which everything else has its turn. */

const SLICE_MS = 6;

let begunMs: number | undefined;
const waiting: (() => void)[] = [];

/**
 * Goes on at once, or in a later turn of the event loop when this one has been long. To be awaited before each step of what may have many: a
 * statement, a look at a file. Those who wait go on in order, one a turn.
 */
export async function yieldLongTurn(): Promise<void> {
  begunMs ??= beginSlice();
  if (performance.now() - begunMs <= SLICE_MS) return;
  await new Promise<void>((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(resumeNext);
  });
}

function beginSlice(): number {
  setImmediate(() => {
    begunMs = undefined;
  });
  return performance.now();
}

function resumeNext(): void {
  begunMs = beginSlice();
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(resumeNext);
}
