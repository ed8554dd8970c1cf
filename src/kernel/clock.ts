/** Wall-clock time in milliseconds since the Unix epoch; injected everywhere so that tests can move it. */
export type Clock = { nowMs(): number };

export const systemClock: Clock = { nowMs: () => Date.now() };
