/** Wall-clock time in milliseconds since the Unix epoch; injected everywhere so that tests can move it. */
export type Clock = { nowMs(): number };

export const systemClock: Clock = { nowMs: () => Date.now() };

/** That the wall clock was set: to `toMs`, when `fromMs` was the time by what had passed. */
export type Jump = { fromMs: number; toMs: number };

/** A clock that goes on at its own pace when the wall clock is set, until it is told to follow. */
export type WatchedClock = Clock & {
  /** Defined while the wall clock tells another time than this one. */
  jump(): Jump | undefined;
  /** From now on as the wall clock: what a jump means was seen to. */
  follow(): void;
  /** It was `ms` once already: an earlier wall clock was set back. */
  notBefore(ms: number): void;
};

/** Less than this is drift or a correction of it, and is followed at once. */
const DRIFT_MS = 2000;

/** Watches the wall clock against one that is never set. */
export function watchClock(
  wallMs: () => number = Date.now,
  steadyMs: () => number = () => performance.now(),
): WatchedClock {
  let offsetMs = wallMs() - steadyMs();
  const look = (): { nowMs: number; toMs: number } => {
    const steady = steadyMs();
    const toMs = wallMs();
    if (Math.abs(toMs - steady - offsetMs) < DRIFT_MS) offsetMs = toMs - steady;
    return { nowMs: Math.round(steady + offsetMs), toMs };
  };
  return {
    nowMs: () => look().nowMs,
    jump: () => {
      const { nowMs, toMs } = look();
      return nowMs === toMs ? undefined : { fromMs: nowMs, toMs };
    },
    follow: () => {
      offsetMs = wallMs() - steadyMs();
    },
    notBefore: (ms) => {
      const { nowMs } = look();
      if (nowMs + DRIFT_MS < ms) offsetMs += ms - nowMs;
    },
  };
}
