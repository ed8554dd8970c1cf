import { AppError } from '#kernel/errors.ts';
import type { Tx } from '#kernel/sql.ts';
import type { Handle, LeftOver } from '#src/drivers/driver.ts';
import type { Identity } from '#src/gateway/crossing.ts';
import { findSandbox, questionAbout } from './find-sandbox.ts';
import type { Sandbox } from './sandbox.ts';
import type { SandboxDeps } from './sandbox-deps.ts';
import { insertSandboxEvent, selectSandbox, updateSandboxState } from './sandbox-store.ts';
import { crossAbout, type Use } from './use-sandbox.ts';

export type Deleted = { id: string; name: string; state: 'deleted'; remains: LeftOver[] };

/** Removes a sandbox and proves by re-inventory that nothing of it remains; idempotent. Throws `conflict` naming what could not be removed. */
export async function deleteSandbox(
  deps: SandboxDeps,
  input: { identity: Identity; requestId: string; ref: string },
): Promise<Deleted> {
  let found: Sandbox | undefined;
  const sandbox = await deps.gateway.cross({
    identity: input.identity,
    door: 'api',
    requestId: input.requestId,
    action: 'sandbox.delete',
    object: { kind: 'sandbox', id: input.ref },
    ask: async (reader) => {
      found = await findSandbox(reader, input.identity, input.ref);
      return [await questionAbout(deps, reader, 'sandbox.delete', found)];
    },
    act: async (tx, crossing) => {
      if (found === undefined) throw new AppError('internal', 'The sandbox was not resolved.');
      if (found.state !== 'deleted') await mark(tx, found, crossing.nowMs, `deleted by ${input.identity.user}`);
      return found;
    },
  });
  if (sandbox.state === 'deleted') return { id: sandbox.id, name: sandbox.name, state: 'deleted', remains: [] };
  const remains = await deps.mutex(sandbox.id, () =>
    finishDelete(deps, sandbox.id, { requestId: input.requestId, reason: `deleted by ${input.identity.user}` }),
  );
  if (remains.length > 0) throw remainsError(sandbox.id, remains);
  return { id: sandbox.id, name: sandbox.name, state: 'deleted', remains };
}

const remainsError = (id: string, remains: LeftOver[]): AppError =>
  new AppError(
    'conflict',
    `Sandbox ${id} is gone, but this remains: ${remains.map((one) => `${one.kind} ${one.what}`).join(', ')}.`,
    {
      details: { hint: 'Delete it again; "fumehood doctor" tells what may be in the way.' },
    },
  );

/** What `deleteSandbox` would do: one crossing, nothing changed. */
export async function previewDelete(
  deps: SandboxDeps,
  use: Use,
): Promise<{ id: string; name: string; state: string; remains: LeftOver[] }> {
  const { sandbox } = await crossAbout(deps, use, 'sandbox.delete', async () => undefined);
  return { id: sandbox.id, name: sandbox.name, state: sandbox.state, remains: [] };
}

async function mark(tx: Tx, sandbox: Sandbox, nowMs: number, reason: string): Promise<void> {
  await updateSandboxState(tx, sandbox.id, { state: 'deleting', reason });
  await insertSandboxEvent(tx, sandbox.id, { atMs: nowMs, kind: 'deleting', message: reason });
}

/** What the system does on its own account when a sandbox's time is over: the same end, marked first. */
export async function endSandbox(
  deps: SandboxDeps,
  id: string,
  options: { requestId: string; reason: string; action: string },
): Promise<LeftOver[]> {
  return deps.mutex(id, async () => {
    await deps.gateway.system({
      action: options.action,
      object: { kind: 'sandbox', id },
      requestId: options.requestId,
      details: { reason: options.reason },
      act: async (tx) => {
        const sandbox = await selectSandbox(tx, id);
        if (sandbox !== undefined && sandbox.state !== 'deleted')
          await mark(tx, sandbox, deps.clock.nowMs(), options.reason);
      },
    });
    return finishDelete(deps, id, options);
  });
}

/** The part after the mark: runs again after a crash. The caller holds the sandbox's mutex. */
export async function finishDelete(
  deps: SandboxDeps,
  id: string,
  options: { requestId: string; reason: string },
): Promise<LeftOver[]> {
  const sandbox = await deps.database.read((reader) => selectSandbox(reader, id));
  if (sandbox === undefined || sandbox.state === 'deleted') return [];
  return destroyRemains(deps, sandbox, sandbox.handle, { ...options, action: 'sandbox.deleted' });
}

/** Destroys what the host has of a sandbox and, when nothing remains, gives its quota back. */
export async function destroyRemains(
  deps: SandboxDeps,
  sandbox: Sandbox,
  handle: Handle | null,
  options: { requestId: string; reason: string; action: string },
): Promise<LeftOver[]> {
  deps.live.remove(sandbox.id);
  await deps.onEnd(sandbox.id);
  const target: Handle = handle ?? { driver: deps.driver.id, version: 1, sandboxId: sandbox.id, data: {} };
  const remains = await deps.driver.destroy(target);
  await deps.datasets.release(sandbox.id);
  const failed = remains.length > 0;
  await deps.gateway.system({
    action: options.action,
    object: { kind: 'sandbox', id: sandbox.id, name: sandbox.name },
    requestId: options.requestId,
    outcome: failed || options.action === 'sandbox.start' ? 'failed' : 'ok',
    details: { reason: options.reason, remains: remains.map((one) => `${one.kind} ${one.what}`).join(', ') },
    act: async (tx, { attest }) => {
      const nowMs = deps.clock.nowMs();
      attest('sandbox', sandbox.id);
      await updateSandboxState(tx, sandbox.id, {
        state: failed ? 'failed' : 'deleted',
        reason: options.reason,
        endedMs: nowMs,
      });
      await insertSandboxEvent(tx, sandbox.id, {
        atMs: nowMs,
        kind: failed ? 'remains' : 'deleted',
        message: options.reason,
      });
      if (!failed) await deps.quotas.release(tx, sandbox.id);
    },
  });
  return remains;
}
