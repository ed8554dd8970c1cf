/** Long work on the event loop, cut into slices between which everything else has its turn. */

const SLICE_MS = 6;

let begunMs: number | undefined;
const waiting: (() => void)[] = [];

/**
 * Goes on at once, or in a later turn of the event loop when this one has been long. To be awaited before each step of what may have many: a
 * statement, a look at a file. Who asks goes after all that wait already, and those share the slice of a turn.
 */
export async function yieldLongTurn(): Promise<void> {
  if (waiting.length === 0 && !isSliceOver()) return;
  await new Promise<void>((resolve) => {
    waiting.push(resolve);
    setImmediate(resumeNext);
  });
}

function isSliceOver(): boolean {
  begunMs ??= beginSlice();
  return performance.now() - begunMs > SLICE_MS;
}

function beginSlice(): number {
  setImmediate(() => {
    begunMs = undefined;
  });
  return performance.now();
}

/** One for each that waits: what goes on has done its step before the next one looks at the time. */
function resumeNext(): void {
  if (isSliceOver()) setImmediate(resumeNext);
  else waiting.shift()?.();
}
