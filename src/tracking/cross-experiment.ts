import type { Reader, Tx } from '#kernel/sql.ts';
import type { Crossing } from '#src/gateway/crossing.ts';
import { experimentObject, nodeOfExperiment, noSuchExperiment } from './experiment.ts';
import { selectExperiment } from './experiment-store.ts';
import type { Experiment } from './run.ts';
import type { Caller, TrackingDeps } from './tracking-deps.ts';

export type FoundExperiment = { experiment: Experiment; labels: string[] };

/** One crossing about one experiment, found by id or by `find`. Throws `not_found`. */
export function crossExperiment<T>(
  deps: TrackingDeps,
  caller: Caller,
  about: { action: string; id: string; find?: (reader: Reader) => Promise<Experiment> },
  act: (tx: Tx, crossing: Crossing, found: FoundExperiment) => Promise<T>,
): Promise<T> {
  const { action, id } = about;
  let found: FoundExperiment | undefined;
  return deps.gateway.cross({
    ...caller,
    action,
    object: { kind: 'experiment', id },
    ask: async (reader) => {
      const experiment = about.find === undefined ? await selectExperiment(reader, id) : await about.find(reader);
      if (experiment === undefined) throw noSuchExperiment(id);
      found = { experiment, labels: await deps.lineage.labelsOf(reader, [nodeOfExperiment(experiment)]) };
      return [{ action, resource: 'run', object: experimentObject(experiment, found.labels) }];
    },
    act: async (tx, crossing) => {
      if (found === undefined) throw noSuchExperiment(id);
      return act(tx, crossing, found);
    },
  });
}

/** The subject learns an experiment's name and tags, which carry data only when somebody labelled wrote them. */
export async function noteExperimentRead(crossing: Crossing, { experiment, labels }: FoundExperiment): Promise<void> {
  if (labels.length > 0) await crossing.reads(nodeOfExperiment(experiment));
}

/** The subject writes names or tags of an experiment: its labels go along. */
export async function noteExperimentWrite(crossing: Crossing, experiment: Experiment): Promise<void> {
  if (crossing.labels().length > 0) await crossing.writes(nodeOfExperiment(experiment));
}
