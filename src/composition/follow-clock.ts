import type { LiveSandboxes } from '#src/sandboxes/live-sandboxes.ts';
import { endForGood, moveSandboxTimes } from './clock-store.ts';
import type { Core } from './core.ts';

/**
 * Sees to it that a clock that was set changes nothing but dates: lives of sandboxes are of time that passes, and a right that had ended does not
 * come back. Until that is committed, time goes on as if the clock had not been set.
 */
export async function followClock(
  core: Pick<Core, 'clock' | 'gateway' | 'ids' | 'log'>,
  live: LiveSandboxes,
  forget: () => void,
): Promise<void> {
  const jump = core.clock.jump();
  if (jump === undefined) return;
  const byMs = jump.toMs - jump.fromMs;
  await core.gateway.system({
    action: 'clock.set',
    object: { kind: 'clock', id: 'host' },
    requestId: core.ids.next('req'),
    details: { from: new Date(jump.fromMs).toISOString(), to: new Date(jump.toMs).toISOString() },
    act: async (tx, crossing) => {
      crossing.detail('sandboxes', await moveSandboxTimes(tx, byMs));
      if (byMs < 0) crossing.detail('ended', await endForGood(tx, jump, crossing.attest));
    },
  });
  for (const one of live.all()) {
    const { begunMs, expiresMs } = one.sandbox;
    one.sandbox = { ...one.sandbox, begunMs: begunMs + byMs, expiresMs: expiresMs + byMs };
    one.lastActiveMs += byMs;
    one.cpu = undefined;
  }
  core.clock.follow();
  forget();
  core.log('warn', 'the clock of this host was set', { byMs });
}
