/** A run as one page shows it: all that was logged with its curves, its files, and what went into it. */
import type { Reader } from '#kernel/sql.ts';
import type { Visits } from '#src/identity/visits.ts';
import type { LineageGraph } from '#src/lineage/show-lineage.ts';
import { crossRun, noteRead } from './cross-run.ts';
import { selectExperimentNames } from './experiment-store.ts';
import { NO_DATA } from './read-run.ts';
import type { Metric, Run, RunData } from './run.ts';
import { selectCurve, selectRunData } from './run-store.ts';
import type { Caller, TrackingDeps } from './tracking-deps.ts';

export type ShownRun = {
  run: Run;
  experiment: string;
  labels: string[];
  data: RunData;
  /** By metric, in the order of the steps; of a metric that was logged very often, the first part. */
  curves: Map<string, Metric[]>;
  /** What the run was made from. */
  sources: LineageGraph['nodes'];
};

const MOST_CURVES = 24;
const MOST_POINTS = 5000;

type ShowDeps = Pick<TrackingDeps, 'gateway' | 'lineage' | 'clock' | 'ids'> & {
  sourcesOf: (reader: Reader, runId: string) => Promise<LineageGraph['nodes']>;
};

/** Reads all of a run in one crossing. Throws `not_found`. */
export function showRun(deps: ShowDeps, caller: Caller, runId: string): Promise<ShownRun> {
  return crossRun(deps, caller, { action: 'run.read', runId }, async (tx, crossing, found) => {
    await noteRead(crossing, found);
    const { run, labels } = found;
    const data = (await selectRunData(tx, [runId])).get(runId) ?? NO_DATA;
    const curves = new Map<string, Metric[]>();
    for (const { key } of data.metrics.slice(0, MOST_CURVES))
      curves.set(key, await selectCurve(tx, runId, key, MOST_POINTS));
    const names = await selectExperimentNames(tx, [run.experimentId]);
    const sources = await deps.sourcesOf(tx, runId);
    return { run, labels, data, curves, sources, experiment: names.get(run.experimentId) ?? run.experimentId };
  });
}

/** A one-time ticket for the page of a run, for whoever may read the run. */
export function openRun(
  deps: Pick<TrackingDeps, 'gateway' | 'lineage' | 'clock' | 'ids'> & { visits: Visits },
  caller: Caller,
  wanted: { runId: string; site: string; tokenHash: string },
): Promise<{ ticket: string; expiresMs: number }> {
  const { runId, site, tokenHash } = wanted;
  return crossRun(deps, caller, { action: 'run.read', runId }, (tx, crossing, found) => {
    crossing.detail('step', 'ticket');
    return deps.visits.issue(tx, { site, path: `/${found.run.id}`, tokenHash });
  });
}
