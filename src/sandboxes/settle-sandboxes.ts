/** Sandboxes that are neither running nor at their end and that nobody works on: what a store, a helper or a runtime that failed leaves. */
import { finishDelete } from './delete-sandbox.ts';
import { finishStop } from './keep-sandboxes.ts';
import type { SandboxState } from './sandbox.ts';
import type { SandboxDeps } from './sandbox-deps.ts';
import { selectSandbox, selectUnsettled } from './sandbox-store.ts';

/** A request may be between its mark in the store and its work; what stands for so long is nobody's. */
const GRACE_MS = 5000;
const LONGEST_WAIT_MS = 300_000;

type Seen = { state: SandboxState; nextMs: number; waitMs: number };

/** Gives the look to be taken now and then: each unsettled sandbox is brought to its end, again and ever more rarely while that fails. */
export function createSettling(deps: SandboxDeps, steadyMs: () => number): () => Promise<void> {
  const seen = new Map<string, Seen>();
  return async () => {
    const unsettled = (await deps.database.read(selectUnsettled)).filter(
      ({ id, state }) => (state !== 'running' || deps.live.get(id) === undefined) && !deps.mutex.isBusy(id),
    );
    const ids = new Set(unsettled.map(({ id }) => id));
    for (const id of seen.keys()) if (!ids.has(id)) seen.delete(id);
    const nowMs = steadyMs();
    for (const { id, state } of unsettled) {
      const known = seen.get(id);
      if (known?.state !== state) seen.set(id, { state, nextMs: nowMs + GRACE_MS, waitMs: GRACE_MS });
      else if (nowMs >= known.nextMs) {
        const waitMs = Math.min(known.waitMs * 2, LONGEST_WAIT_MS);
        seen.set(id, { state, nextMs: nowMs + waitMs, waitMs });
        await settle(deps, id, state).catch((error) =>
          deps.log('warn', 'a sandbox could not be brought to its end yet', { sandboxId: id, state, error }),
        );
      }
    }
  };
}

const settle = (deps: SandboxDeps, id: string, state: SandboxState): Promise<void> =>
  deps.mutex(id, async () => {
    const sandbox = await deps.database.read((reader) => selectSandbox(reader, id));
    if (sandbox?.state !== state || (state === 'running' && deps.live.get(id) !== undefined)) return;
    const requestId = deps.ids.next('req');
    if (state === 'stopping') await finishStop(deps, sandbox, { requestId, reason: sandbox.reason });
    else await finishDelete(deps, id, { requestId, reason: reasonOf(state, sandbox.reason) });
  });

function reasonOf(state: SandboxState, reason: string): string {
  if (state === 'starting') return 'it did not start, and that could not be written at the time';
  if (state === 'running') return 'it was lost';
  return reason;
}
