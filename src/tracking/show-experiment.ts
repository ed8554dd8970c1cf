/** An experiment as one page shows it: its newest runs with what they logged. */
import type { Visits } from '#src/identity/visits.ts';
import { crossExperiment, noteExperimentRead } from './cross-experiment.ts';
import type { WholeRun } from './read-run.ts';
import type { Experiment } from './run.ts';
import { findRuns } from './search-runs.ts';
import type { Caller, TrackingDeps } from './tracking-deps.ts';

export type ShownExperiment = {
  experiment: Experiment;
  labels: string[];
  /** Those of the reader, newest first; of everybody for an officer. */
  runs: WholeRun[];
  /** There are older ones. */
  more: boolean;
};

const MOST_RUNS = 200;

/** Reads an experiment, and then its runs as any search does: two crossings, each with its decision. Throws `not_found`. */
export async function showExperiment(
  deps: TrackingDeps,
  caller: Caller,
  experimentId: string,
): Promise<ShownExperiment> {
  const about = { action: 'experiment.read', id: experimentId };
  const found = await crossExperiment(deps, caller, about, async (_tx, crossing, read) => {
    await noteExperimentRead(crossing, read);
    return read;
  });
  const { runs, nextToken } = await findRuns(deps, caller, {
    experimentIds: [experimentId],
    filter: '',
    orderBy: [],
    lifecycles: ['active'],
    limit: MOST_RUNS,
    pageToken: undefined,
  });
  return { ...found, runs, more: nextToken !== undefined };
}

/** A one-time ticket for the page of an experiment, for whoever may read it. */
export function openExperiment(
  deps: TrackingDeps & { visits: Visits },
  caller: Caller,
  wanted: { experimentId: string; site: string; tokenHash: string },
): Promise<{ ticket: string; expiresMs: number }> {
  const { experimentId, site, tokenHash } = wanted;
  return crossExperiment(deps, caller, { action: 'experiment.read', id: experimentId }, (tx, crossing, found) => {
    crossing.detail('step', 'ticket');
    return deps.visits.issue(tx, { site, path: `/experiments/${found.experiment.id}`, tokenHash });
  });
}
