import type { Clock } from '#kernel/clock.ts';
import type { Log } from '#kernel/log.ts';

/** Throws when what it looks at cannot be used. */
export type ReadinessCheck = () => Promise<void> | void;
export type Readiness = { ready: boolean; checks: Record<string, 'ok' | 'failed'> };

const FRESH_MS = 1000;
const TIMEOUT_MS = 5000;

/**
 * Says whether work can be done here, and which check failed; why is in the log alone. Asking costs nobody a token, so an answer
 * is good for a second and one run of the checks serves all who ask meanwhile.
 */
export function createReadiness(deps: {
  checks: Readonly<Record<string, ReadinessCheck>>;
  clock: Clock;
  log: Log;
  timeoutMs?: number;
}): () => Promise<Readiness> {
  let known: { atMs: number; answer: Promise<Readiness> } | undefined;
  let failing = '';

  const look = async (): Promise<Readiness> => {
    const checks: Readiness['checks'] = {};
    await Promise.all(
      Object.entries(deps.checks).map(async ([name, check]) => {
        try {
          await within(deps.timeoutMs ?? TIMEOUT_MS, check);
          checks[name] = 'ok';
        } catch (error) {
          checks[name] = 'failed';
          if (!failing.split(' ').includes(name)) deps.log('error', 'not ready', { check: name, error });
        }
      }),
    );
    failing = Object.keys(checks)
      .filter((name) => checks[name] === 'failed')
      .join(' ');
    const ordered = Object.fromEntries(Object.keys(deps.checks).map((name) => [name, checks[name] ?? 'failed']));
    return { ready: failing === '', checks: ordered };
  };

  return () => {
    const nowMs = deps.clock.nowMs();
    if (known === undefined || nowMs - known.atMs >= FRESH_MS) known = { atMs: nowMs, answer: look() };
    return known.answer;
  };
}

async function within(timeoutMs: number, check: ReadinessCheck): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  try {
    await Promise.race([check(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
