import type { Tx } from '#kernel/sql.ts';
import type { Crossing } from '#src/gateway/crossing.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import { assertActive, noSuchRun, type Run, runObject } from './run.ts';
import { selectRun } from './run-store.ts';
import type { Caller, TrackingDeps } from './tracking-deps.ts';

/** A run and the labels it carries. */
export type FoundRun = { run: Run; labels: string[] };

export const nodeOfRun = (run: Pick<Run, 'id' | 'name'>): NodeRef => ({ kind: 'run', id: run.id, name: run.name });

/** One crossing about one run; asks policy with the run's owner and labels. Throws `not_found`. */
export function crossRun<T>(
  deps: TrackingDeps,
  caller: Caller,
  about: { action: string; runId: string },
  act: (tx: Tx, crossing: Crossing, found: FoundRun) => Promise<T>,
): Promise<T> {
  const { action, runId } = about;
  let found: FoundRun | undefined;
  return deps.gateway.cross({
    ...caller,
    action,
    object: { kind: 'run', id: runId },
    ask: async (reader) => {
      const run = await selectRun(reader, runId);
      if (run === undefined) throw noSuchRun(runId);
      found = { run, labels: await deps.lineage.labelsOf(reader, [{ kind: 'run', id: runId }]) };
      return [{ action, resource: 'run', object: runObject(run, found.labels) }];
    },
    act: async (tx, crossing) => {
      if (found === undefined) throw noSuchRun(runId);
      return act(tx, crossing, found);
    },
  });
}

/** The subject learns what is in a run. Its own run tells it nothing new, unless somebody else brought labels into it. */
export async function noteRead(crossing: Crossing, { run, labels }: FoundRun): Promise<void> {
  if (isOwn(crossing, run) && isWithin(labels, crossing.labels())) return;
  await crossing.reads(nodeOfRun(run));
}

/**
 * The subject changes a run, which takes over its labels. While the run is open and holds them all the graph stays as it is: the end
 * of the run is noted again, so that all that was read until then lies before it.
 */
export async function noteWrite(crossing: Crossing, { run, labels }: FoundRun): Promise<void> {
  if (isOwn(crossing, run) && run.status === 'RUNNING' && isWithin(crossing.labels(), labels)) return;
  await crossing.writes(nodeOfRun(run));
}

const isOwn = ({ subject }: Crossing, run: Run): boolean => subject.type === 'sandbox' && subject.id === run.sandboxId;
const isWithin = (labels: readonly string[], others: readonly string[]): boolean =>
  labels.every((label) => others.includes(label));

/** One crossing that logs to an active run. Throws `not_found`, and `invalid` when the run is deleted. */
export function crossActiveRun<T>(
  deps: TrackingDeps,
  caller: Caller,
  about: { action: string; runId: string },
  act: (tx: Tx, crossing: Crossing, found: FoundRun) => Promise<T>,
): Promise<T> {
  return crossRun(deps, caller, about, async (tx, crossing, found) => {
    assertActive(found.run);
    await noteWrite(crossing, found);
    return act(tx, crossing, found);
  });
}
