import { crossActiveRun, crossRun, noteWrite } from './cross-run.ts';
import { checkLength, LIMITS, type Lifecycle, RUN_NAME_TAG, type Run, type RunStatus } from './run.ts';
import { updateRun, updateRunLifecycle, upsertTags } from './run-store.ts';
import type { Caller, TrackingDeps } from './tracking-deps.ts';

export type ChangeRun = { runId: string; status?: RunStatus; endMs?: number; name?: string };

/** Sets status, end and name. The end of a run is a crossing of its own in the graph. */
export async function changeRun(deps: TrackingDeps, caller: Caller, change: ChangeRun): Promise<Run> {
  if (change.name !== undefined) checkLength('Run name', change.name, LIMITS.runTagLength);
  return crossActiveRun(
    deps,
    caller,
    { action: 'run.update', runId: change.runId },
    async (tx, crossing, { run, labels }) => {
      const changed: Run = {
        ...run,
        status: change.status ?? run.status,
        endMs: change.endMs ?? run.endMs,
        name: change.name === undefined || change.name === '' ? run.name : change.name,
      };
      await updateRun(tx, changed);
      if (changed.name !== run.name) await upsertTags(tx, run.id, [{ key: RUN_NAME_TAG, value: changed.name }]);
      if (changed.status !== 'RUNNING') await noteWrite(crossing, { run: changed, labels });
      crossing.detail('status', changed.status);
      return changed;
    },
  );
}

/** Deletes a run, which can be restored, or restores it. */
export async function setRunLifecycle(
  deps: TrackingDeps,
  caller: Caller,
  change: { runId: string; lifecycle: Lifecycle },
): Promise<void> {
  const { runId, lifecycle } = change;
  const action = lifecycle === 'deleted' ? 'run.delete' : 'run.restore';
  await crossRun(deps, caller, { action, runId }, async (tx, crossing) =>
    updateRunLifecycle(tx, runId, lifecycle, crossing.nowMs),
  );
}
