import { AppError } from '#kernel/errors.ts';
import { crossExperiment, noteExperimentRead, noteExperimentWrite } from './cross-experiment.ts';
import {
  checkArtifactLocation,
  checkExperimentName,
  checkExperimentTag,
  experimentObject,
  nodeOfExperiment,
} from './experiment.ts';
import { experimentConditions, experimentOrder } from './experiment-search-sql.ts';
import {
  deleteExperimentTag,
  insertExperiment,
  searchExperiments,
  selectExperimentByName,
  selectExperimentTags,
  updateExperiment,
  updateRunsOfExperiment,
  upsertExperimentTag,
} from './experiment-store.ts';
import type { Experiment, Lifecycle, Pair } from './run.ts';
import type { Caller, TrackingDeps } from './tracking-deps.ts';

export type WholeExperiment = { experiment: Experiment; tags: Pair[] };

/** Makes an experiment. Throws `conflict` when the name is taken, also by a deleted one. */
export async function createExperiment(
  deps: TrackingDeps,
  caller: Caller,
  input: { name: string; artifactLocation: string; tags: Pair[] },
): Promise<Experiment> {
  const { name, artifactLocation } = input;
  checkExperimentName(name);
  if (artifactLocation !== '') checkArtifactLocation(artifactLocation);
  const tags = input.tags.map(checkExperimentTag);
  const { user: owner } = caller.identity;
  return deps.gateway.cross({
    ...caller,
    action: 'experiment.create',
    object: { kind: 'experiment', id: name },
    ask: async () => [
      { action: 'experiment.create', resource: 'run', object: experimentObject({ id: name, name, owner }, []) },
    ],
    act: async (tx, crossing) => {
      const { nowMs } = crossing;
      const taken = await selectExperimentByName(tx, name);
      if (taken !== undefined) throw nameTaken(taken);
      const place = artifactLocation === '' ? undefined : artifactLocation;
      const made = {
        name,
        artifactLocation: place,
        lifecycle: 'active',
        owner,
        createdMs: nowMs,
        updatedMs: nowMs,
      } as const;
      const experiment = await insertExperiment(tx, made);
      for (const tag of tags) await upsertExperimentTag(tx, experiment.id, tag);
      await crossing.writes(nodeOfExperiment(experiment), 'created');
      return experiment;
    },
  });
}

const nameTaken = ({ name, lifecycle }: Experiment): AppError =>
  lifecycle === 'active'
    ? new AppError('conflict', `Experiment '${name}' already exists.`)
    : new AppError(
        'conflict',
        `Experiment '${name}' already exists in deleted state. You can restore the experiment, or permanently delete it to create a new one.`,
      );

/** Reads an experiment by its id, or by its name. Throws `not_found`. */
export function readExperiment(
  deps: TrackingDeps,
  caller: Caller,
  which: { id: string } | { name: string },
): Promise<WholeExperiment> {
  const byName = 'name' in which ? which.name : undefined;
  const about = {
    action: 'experiment.read',
    id: 'id' in which ? which.id : which.name,
    ...(byName === undefined
      ? {}
      : {
          find: async (reader: Parameters<typeof selectExperimentByName>[0]) => {
            const found = await selectExperimentByName(reader, byName);
            if (found === undefined) throw new AppError('not_found', `Could not find experiment with name '${byName}'`);
            return found;
          },
        }),
  };
  return crossExperiment(deps, caller, about, async (tx, crossing, found) => {
    await noteExperimentRead(crossing, found);
    return { experiment: found.experiment, tags: await selectExperimentTags(tx, found.experiment.id) };
  });
}

export type SearchExperiments = {
  filter: string;
  orderBy: string[];
  lifecycles: Lifecycle[];
  offset: number;
  limit: number;
};

/** A page of experiments; a sandbox sees those whose names carry no label but its own. `next` is an offset. */
export function findExperiments(
  deps: TrackingDeps,
  caller: Caller,
  search: SearchExperiments,
): Promise<{ experiments: WholeExperiment[]; next: number | undefined }> {
  return deps.gateway.cross({
    ...caller,
    action: 'experiment.search',
    object: { kind: 'experiment', id: '*' },
    ask: async () => [
      { action: 'experiment.search', resource: 'run', object: { type: 'experiment', id: '*', labels: [] } },
    ],
    act: async (tx, crossing) => {
      const { subject } = crossing;
      const within = subject.type === 'sandbox' ? subject.labels : undefined;
      const conditions = experimentConditions(search.filter, search.lifecycles, within);
      const order = experimentOrder(search.orderBy);
      const { offset, limit } = search;
      const found = await searchExperiments(tx, { conditions, order, offset, limit: limit + 1 });
      const experiments: WholeExperiment[] = [];
      for (const experiment of found.slice(0, limit))
        experiments.push({ experiment, tags: await selectExperimentTags(tx, experiment.id) });
      return { experiments, next: found.length > limit ? offset + limit : undefined };
    },
  });
}

/** Gives an active experiment another name. */
export async function renameExperiment(
  deps: TrackingDeps,
  caller: Caller,
  change: { id: string; name: string },
): Promise<void> {
  checkExperimentName(change.name);
  await crossExperiment(
    deps,
    caller,
    { action: 'experiment.update', id: change.id },
    async (tx, crossing, { experiment }) => {
      if (experiment.lifecycle !== 'active') throw new AppError('invalid', 'Cannot rename a non-active experiment.');
      const taken = await selectExperimentByName(tx, change.name);
      if (taken !== undefined && taken.id !== experiment.id) throw nameTaken(taken);
      const renamed = { ...experiment, name: change.name, updatedMs: crossing.nowMs };
      await updateExperiment(tx, renamed);
      await noteExperimentWrite(crossing, renamed);
    },
  );
}

/** Deletes an experiment with its runs, or restores it with all of them. */
export async function setExperimentLifecycle(
  deps: TrackingDeps,
  caller: Caller,
  change: { id: string; lifecycle: Lifecycle },
): Promise<void> {
  const { id, lifecycle } = change;
  const action = lifecycle === 'deleted' ? 'experiment.delete' : 'experiment.restore';
  await crossExperiment(deps, caller, { action, id }, async (tx, { nowMs }, { experiment }) => {
    if (id === '0' && lifecycle === 'deleted')
      throw new AppError(
        'invalid',
        "Cannot delete the default experiment 'Default'. This is an internally reserved experiment.",
      );
    await updateExperiment(tx, { ...experiment, lifecycle, updatedMs: nowMs });
    await updateRunsOfExperiment(tx, id, lifecycle, nowMs);
  });
}

/** Sets a tag of an active experiment. */
export async function setExperimentTag(
  deps: TrackingDeps,
  caller: Caller,
  change: { id: string; tag: Pair },
): Promise<void> {
  const tag = checkExperimentTag(change.tag);
  await crossExperiment(
    deps,
    caller,
    { action: 'experiment.write', id: change.id },
    async (tx, crossing, { experiment }) => {
      assertActive(experiment);
      await upsertExperimentTag(tx, experiment.id, tag);
      await updateExperiment(tx, { ...experiment, updatedMs: crossing.nowMs });
      await noteExperimentWrite(crossing, experiment);
    },
  );
}

/** Removes a tag of an active experiment. Throws `not_found`. */
export async function removeExperimentTag(
  deps: TrackingDeps,
  caller: Caller,
  change: { id: string; key: string },
): Promise<void> {
  await crossExperiment(
    deps,
    caller,
    { action: 'experiment.write', id: change.id },
    async (tx, _crossing, { experiment }) => {
      assertActive(experiment);
      if ((await deleteExperimentTag(tx, experiment.id, change.key)) === 0)
        throw new AppError('not_found', `No tag with name: ${change.key} in experiment with id ${experiment.id}`);
    },
  );
}

function assertActive({ id, lifecycle }: Experiment): void {
  if (lifecycle !== 'active')
    throw new AppError('invalid', `The experiment ${id} must be in the 'active' state. Current state is ${lifecycle}.`);
}
