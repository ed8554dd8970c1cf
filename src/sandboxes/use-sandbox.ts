/** Crossings about a running sandbox that its owner steers: exec, run-python, files, stats, keepalive, stop. */
import { AppError } from '#kernel/errors.ts';
import type { Tx } from '#kernel/sql.ts';
import type { Session } from '#src/drivers/driver.ts';
import type { Crossing, Identity } from '#src/gateway/crossing.ts';
import { findSandbox, liveOrRefuse, questionAbout } from './find-sandbox.ts';
import type { LiveSandbox } from './live-sandboxes.ts';
import type { Sandbox } from './sandbox.ts';
import type { SandboxDeps } from './sandbox-deps.ts';

/** Who uses which sandbox (`ref`: id or name). `quiet`: a look that does not count as work. */
export type Use = { identity: Identity; requestId: string; ref: string; quiet?: boolean };

/** One crossing about one sandbox; `act` runs in its transaction. The answer comes with the stored sandbox. */
export async function crossAbout<T>(
  deps: SandboxDeps,
  use: Use,
  action: string,
  act: (tx: Tx, crossing: Crossing, sandbox: Sandbox) => Promise<T>,
): Promise<{ sandbox: Sandbox; answer: T }> {
  let found: Sandbox | undefined;
  const answer = await deps.gateway.cross({
    identity: use.identity,
    door: 'api',
    requestId: use.requestId,
    action,
    object: { kind: 'sandbox', id: use.ref },
    ask: async (reader) => {
      found = await findSandbox(reader, use.identity, use.ref);
      return [await questionAbout(deps, reader, action, found)];
    },
    act: async (tx, crossing) => {
      if (found === undefined) throw new AppError('internal', 'The sandbox was not resolved.');
      crossing.detail('sandbox', found.id);
      return act(tx, crossing, found);
    },
  });
  if (found === undefined) throw new AppError('internal', 'The sandbox was not resolved.');
  return { sandbox: found, answer };
}

/**
 * The same for what needs the sandbox to run: gives its live part and a session with its agent. `atOnce`: something is asked of the agent next,
 * so the way to it is opened while the crossing is written; nothing goes that way before it is.
 */
export async function openSession(
  deps: SandboxDeps,
  use: Use,
  action: string,
  act: (tx: Tx, crossing: Crossing, sandbox: Sandbox) => Promise<void> = async () => undefined,
  options: { atOnce?: boolean } = {},
): Promise<{ sandbox: Sandbox; live: LiveSandbox; session: Session }> {
  let early: Session | undefined;
  try {
    const { sandbox } = await crossAbout(deps, use, action, async (tx, crossing, found) => {
      const { handle } = liveOrRefuse(deps, found);
      await act(tx, crossing, found);
      if (options.atOnce === true) early = await deps.driver.session(handle);
      early?.approach();
    });
    const live = liveOrRefuse(deps, sandbox);
    if (use.quiet !== true) live.lastActiveMs = deps.clock.nowMs();
    return { sandbox, live, session: early ?? (await deps.driver.session(live.handle)) };
  } catch (error) {
    early?.leave();
    throw error;
  }
}
