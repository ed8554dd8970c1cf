/** Fills pools in the background: one thing at a time, and only while nobody waits for a sandbox. */

/** A pool: what it lacks is made one by one. */
export type Shelf = {
  /** How long no sandbox may have been started before something is made for this shelf. */
  calmMs: number;
  lacks(): boolean;
  addOne(): Promise<void>;
};

export type Restock = {
  /** Runs the start of a sandbox; the pools wait for it, and are looked at afterwards. */
  during<T>(start: () => Promise<T>): Promise<T>;
  /** Runs something while nothing is being made. */
  apart<T>(work: () => Promise<T>): Promise<T>;
  /** Resolves when the shelves are full, or cannot be filled for now. */
  fill(): Promise<void>;
  /** Stops; resolves when nothing is being made any more. */
  close(): Promise<void>;
};

/** What a start has just taken is made anew after its first command had time to run. */
export const CALM_MS = 30;
/** However busy it is, something is made after so long. */
const LONGEST_WAIT_MS = 3000;
const LOOK_AGAIN_MS = 20;
const MOST_FAILURES = 3;

export function createRestock(shelves: readonly Shelf[], log: (message: string, error: unknown) => void): Restock {
  let starting = 0;
  let apart = 0;
  let making: Promise<void> = Promise.resolve();
  // A control plane that has just come up has other things to do.
  let lastStart = performance.now();
  let closed = false;
  let working: Promise<void> | undefined;

  const calm = async (calmMs: number): Promise<void> => {
    const deadline = performance.now() + LONGEST_WAIT_MS;
    const isCalm = (): boolean => starting === 0 && performance.now() - lastStart >= calmMs;
    while (!closed && (apart > 0 || (!isCalm() && performance.now() < deadline)))
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  };
  const work = async (): Promise<void> => {
    for (let failures = 0; failures < MOST_FAILURES && !closed; ) {
      const shelf = shelves.find((one) => one.lacks());
      if (shelf === undefined) return;
      await calm(shelf.calmMs);
      if (closed || apart > 0 || !shelf.lacks()) continue;
      try {
        making = shelf.addOne();
        await making;
        failures = 0;
      } catch (error) {
        failures += 1;
        log('a pool could not be filled', error);
      }
    }
  };
  const fill = (): Promise<void> => {
    working ??= work().finally(() => {
      working = undefined;
    });
    return working;
  };
  return {
    during: async (start) => {
      starting += 1;
      try {
        return await start();
      } finally {
        starting -= 1;
        lastStart = performance.now();
        if (!closed) void fill();
      }
    },
    apart: async (task) => {
      apart += 1;
      try {
        await making.catch(() => undefined);
        return await task();
      } finally {
        apart -= 1;
      }
    },
    fill,
    close: async () => {
      closed = true;
      await working;
    },
  };
}
