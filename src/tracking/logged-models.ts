import { AppError } from '#kernel/errors.ts';
import type { Reader, Tx } from '#kernel/sql.ts';
import type { Crossing } from '#src/gateway/crossing.ts';
import { noSuchExperiment } from './experiment.ts';
import { selectExperiment } from './experiment-store.ts';
import { checkParams } from './log-to-run.ts';
import { checkLoggedModelName, loggedModelObject, nodeOfLoggedModel, noSuchLoggedModel } from './logged-model.ts';
import { type LoggedModelOrder, loggedModelConditions, loggedModelOrder } from './logged-model-search-sql.ts';
import {
  deleteModelTag,
  insertLoggedModel,
  LOGGED_MODEL_STATUSES,
  type LoggedModel,
  type LoggedModelData,
  searchLoggedModels,
  selectLoggedModel,
  selectLoggedModelData,
  updateLoggedModel,
  upsertModelPairs,
} from './logged-model-store.ts';
import { checkKey, type Pair } from './run.ts';
import { randomRunName } from './run-name.ts';
import { selectRun } from './run-store.ts';
import type { Caller, TrackingDeps } from './tracking-deps.ts';

export type WholeLoggedModel = { model: LoggedModel; data: LoggedModelData };
export type CreateLoggedModel = {
  experimentId: string;
  name: string;
  modelType: string;
  sourceRunId: string;
  params: Pair[];
  tags: Pair[];
};

const NO_DATA: LoggedModelData = { params: [], tags: [], metrics: [] };

/** Begins a logged model, which is pending until it is finalized. Throws `not_found`. */
export async function createLoggedModel(
  deps: TrackingDeps,
  caller: Caller,
  input: CreateLoggedModel,
): Promise<WholeLoggedModel> {
  checkLoggedModelName(input.name);
  const params = checkParams(input.params);
  const { user: owner } = caller.identity;
  const id = `m-${deps.ids.next('m').replace(/^m-/, '')}`;
  const name = input.name === '' ? randomRunName() : input.name;
  return deps.gateway.cross({
    ...caller,
    action: 'model.create',
    object: { kind: 'model', id, name },
    ask: async () => [
      { action: 'model.create', resource: 'model', object: loggedModelObject({ id, name, owner }, []) },
    ],
    act: async (tx, crossing) => {
      const experiment = await selectExperiment(tx, input.experimentId);
      if (experiment === undefined) throw noSuchExperiment(input.experimentId);
      const run = input.sourceRunId === '' ? undefined : await selectRun(tx, input.sourceRunId);
      const model: LoggedModel = {
        id,
        experimentId: experiment.id,
        name,
        modelType: input.modelType,
        status: 'LOGGED_MODEL_PENDING',
        lifecycle: 'active',
        sourceRunId: input.sourceRunId,
        artifactUri: `${experiment.artifactLocation.replace(/\/+$/, '')}/models/${id}/artifacts`,
        owner,
        createdMs: crossing.nowMs,
        updatedMs: crossing.nowMs,
      };
      await insertLoggedModel(tx, model);
      await upsertModelPairs(tx, 'params', id, params);
      await upsertModelPairs(tx, 'tags', id, input.tags);
      const own = run !== undefined && run.owner === owner;
      await crossing.writes(nodeOfLoggedModel(model), 'logged', own ? run.id : undefined);
      return wholeOf(tx, model);
    },
  });
}

const wholeOf = async (reader: Reader, model: LoggedModel): Promise<WholeLoggedModel> => ({
  model,
  data: (await selectLoggedModelData(reader, [model.id])).get(model.id) ?? NO_DATA,
});

type Found = { model: LoggedModel; labels: string[] };

function crossModel<T>(
  deps: TrackingDeps,
  caller: Caller,
  about: { action: string; id: string },
  act: (tx: Tx, crossing: Crossing, found: Found) => Promise<T>,
): Promise<T> {
  const { action, id } = about;
  let found: Found | undefined;
  return deps.gateway.cross({
    ...caller,
    action,
    object: { kind: 'model', id },
    ask: async (reader) => {
      const model = await selectLoggedModel(reader, id);
      if (model === undefined || model.lifecycle !== 'active') throw noSuchLoggedModel(id);
      found = { model, labels: await deps.lineage.labelsOf(reader, [nodeOfLoggedModel(model)]) };
      return [{ action, resource: 'model', object: loggedModelObject(model, found.labels) }];
    },
    act: async (tx, crossing) => {
      if (found === undefined) throw noSuchLoggedModel(id);
      return act(tx, crossing, found);
    },
  });
}

/** Reads a logged model. Throws `not_found`. */
export const readLoggedModel = (deps: TrackingDeps, caller: Caller, id: string): Promise<WholeLoggedModel> =>
  crossModel(deps, caller, { action: 'model.read', id }, async (tx, crossing, { model }) => {
    await crossing.reads(nodeOfLoggedModel(model));
    return wholeOf(tx, model);
  });

export type ChangeLoggedModel = { id: string; status?: string; params?: Pair[]; tags?: Pair[]; untag?: string };

/** Finalizes a logged model, or adds parameters and tags to it, or removes a tag. */
export async function changeLoggedModel(
  deps: TrackingDeps,
  caller: Caller,
  change: ChangeLoggedModel,
): Promise<WholeLoggedModel> {
  const { id, status, params = [], tags = [], untag } = change;
  const checked = checkParams(params);
  for (const tag of tags) checkKey('tag', tag.key);
  if (status !== undefined && !LOGGED_MODEL_STATUSES.some((one) => one === status))
    throw new AppError(
      'invalid',
      `Invalid model status: ${status}. Expected one of ${LOGGED_MODEL_STATUSES.join(', ')}.`,
    );
  return crossModel(deps, caller, { action: 'model.update', id }, async (tx, crossing, { model }) => {
    await updateLoggedModel(tx, id, { ...(status === undefined ? {} : { status }), updatedMs: crossing.nowMs });
    await upsertModelPairs(tx, 'params', id, checked);
    await upsertModelPairs(tx, 'tags', id, tags);
    if (untag !== undefined) await deleteModelTag(tx, id, untag);
    await crossing.writes(nodeOfLoggedModel(model), 'logged');
    return wholeOf(tx, { ...model, status: status ?? model.status, updatedMs: crossing.nowMs });
  });
}

/** Deletes a logged model. */
export async function deleteLoggedModel(deps: TrackingDeps, caller: Caller, id: string): Promise<void> {
  await crossModel(deps, caller, { action: 'model.delete', id }, async (tx, { nowMs }) =>
    updateLoggedModel(tx, id, { lifecycle: 'deleted', updatedMs: nowMs }),
  );
}

export type SearchLoggedModels = {
  experimentIds: string[];
  filter: string;
  orderBy: LoggedModelOrder[];
  offset: number;
  limit: number;
};

/** A page of the caller's own logged models; a sandbox sees those that carry no label but its own. `next` is an offset. */
export function findLoggedModels(
  deps: TrackingDeps,
  caller: Caller,
  search: SearchLoggedModels,
): Promise<{ models: WholeLoggedModel[]; next: number | undefined }> {
  const { identity } = caller;
  const { experimentIds, filter, orderBy, offset, limit } = search;
  let found: LoggedModel[] = [];
  return deps.gateway.cross({
    ...caller,
    action: 'model.search',
    object: { kind: 'model', id: '*' },
    ask: async (reader, subject) => {
      const labelsWithin = subject.type === 'sandbox' ? subject.labels : undefined;
      const conditions = loggedModelConditions({ experimentIds, filter, owner: identity.user, labelsWithin });
      const order = loggedModelOrder(orderBy);
      found = await searchLoggedModels(reader, { conditions, order, offset, limit: limit + 1 });
      const labels =
        labelsWithin === undefined ? await deps.lineage.labelsOf(reader, found.map(nodeOfLoggedModel)) : [];
      return [
        { action: 'model.search', resource: 'model', object: { type: 'model', id: '*', owner: identity.user, labels } },
      ];
    },
    act: async (tx) => {
      const page = found.slice(0, limit);
      const data = await selectLoggedModelData(
        tx,
        page.map((model) => model.id),
      );
      const models = page.map((model) => ({ model, data: data.get(model.id) ?? NO_DATA }));
      return { models, next: found.length > limit ? offset + limit : undefined };
    },
  });
}
