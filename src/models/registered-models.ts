import { AppError } from '#kernel/errors.ts';
import type { Reader } from '#kernel/sql.ts';
import { crossModel, crossVersion, nodeOfModel, nodeOfVersion, noteModelRead, noteModelWrite } from './cross-model.ts';
import {
  checkAlias,
  checkModelName,
  checkModelTag,
  type ModelVersion,
  modelObject,
  type Pair,
  type RegisteredModel,
} from './model.ts';
import { modelConditions, modelOrder } from './model-search-sql.ts';
import {
  deleteAlias,
  deleteModel,
  deleteModelTag,
  insertModel,
  type ModelExtras,
  renameModel,
  searchModels,
  selectAlias,
  selectExtras,
  selectModel,
  selectVersionNumbers,
  selectVersionsOf,
  updateModel,
  upsertAlias,
  upsertModelTag,
} from './model-store.ts';
import type { Caller, ModelsDeps } from './models-deps.ts';

/** A registered model with its versions that are not deleted (newest first), tags and aliases. */
export type WholeModel = { model: RegisteredModel; versions: ModelVersion[]; extras: ModelExtras };

/** Registers a name. Throws `conflict` when it is taken. */
export async function createModel(
  deps: ModelsDeps,
  caller: Caller,
  input: { name: string; description: string; tags: Pair[] },
): Promise<WholeModel> {
  const { name, description } = input;
  checkModelName(name);
  input.tags.forEach(checkModelTag);
  const { user: owner } = caller.identity;
  return deps.gateway.cross({
    ...caller,
    action: 'model.create',
    object: { kind: 'model', id: name },
    ask: async () => [{ action: 'model.create', resource: 'model', object: modelObject({ name, owner }, []) }],
    act: async (tx, crossing) => {
      if ((await selectModel(tx, name)) !== undefined) throw nameTaken(name);
      const model = { name, description, owner, createdMs: crossing.nowMs, updatedMs: crossing.nowMs };
      await insertModel(tx, model);
      for (const tag of input.tags) await upsertModelTag(tx, name, tag);
      await crossing.writes(nodeOfModel(name), 'registered');
      return { model, versions: [], extras: await selectExtras(tx, [name]) };
    },
  });
}

const nameTaken = (name: string): AppError =>
  new AppError('conflict', `Registered Model (name=${name}) already exists.`);

const wholeOf = async (reader: Reader, model: RegisteredModel): Promise<WholeModel> => ({
  model,
  versions: await selectVersionsOf(reader, [model.name]),
  extras: await selectExtras(reader, [model.name]),
});

/** Reads a registered model. Throws `not_found`. */
export const readModel = (deps: ModelsDeps, caller: Caller, name: string): Promise<WholeModel> =>
  crossModel(deps, caller, { action: 'model.read', name }, async (tx, crossing, model) => {
    const whole = await wholeOf(tx, model);
    await noteModelRead(deps, tx, crossing, name);
    for (const { version } of whole.versions) {
      const node = nodeOfVersion(name, version);
      if ((await deps.labelsOf(tx, [node])).length > 0) await crossing.reads(node);
    }
    return whole;
  });

/** Changes the description of a model, or its name with everything that names it. Throws `conflict`. */
export async function changeModel(
  deps: ModelsDeps,
  caller: Caller,
  change: { name: string; description?: string; newName?: string },
): Promise<WholeModel> {
  const { name, description, newName } = change;
  if (newName !== undefined) checkModelName(newName);
  return crossModel(deps, caller, { action: 'model.update', name }, async (tx, crossing, model) => {
    if (description !== undefined) await updateModel(tx, name, { description, updatedMs: crossing.nowMs });
    if (newName !== undefined) {
      if ((await selectModel(tx, newName)) !== undefined) throw nameTaken(newName);
      const versions = await selectVersionsOf(tx, [name]);
      // The graph knows things by their names: the new ones take over what was known of the old ones.
      await crossing.reads(nodeOfModel(name), 'renamed');
      for (const { version } of versions) await crossing.reads(nodeOfVersion(name, version), 'renamed');
      for (const number of await selectVersionNumbers(tx, name)) {
        crossing.attest('model-version', name, number);
        crossing.attest('model-version', newName, number);
      }
      await renameModel(tx, name, newName, crossing.nowMs);
      await crossing.writes(nodeOfModel(newName), 'renamed');
      for (const { version, runId } of versions)
        await crossing.writes(nodeOfVersion(newName, version), 'renamed', runId === '' ? undefined : runId);
    } else await noteModelWrite(crossing, name);
    const kept = await selectModel(tx, newName ?? name);
    return wholeOf(tx, kept ?? model);
  });
}

/** Removes a model with all its versions. */
export async function removeModel(deps: ModelsDeps, caller: Caller, name: string): Promise<void> {
  await crossModel(deps, caller, { action: 'model.delete', name }, async (tx, crossing) => {
    for (const number of await selectVersionNumbers(tx, name)) crossing.attest('model-version', name, number);
    await deleteModel(tx, name);
  });
}

/** Sets a tag of a model, or removes it. */
export async function changeModelTag(
  deps: ModelsDeps,
  caller: Caller,
  change: { name: string; set?: Pair; remove?: string },
): Promise<void> {
  const { name, set, remove } = change;
  if (set !== undefined) checkModelTag(set);
  await crossModel(deps, caller, { action: 'model.write', name }, async (tx, crossing) => {
    if (set !== undefined) await upsertModelTag(tx, name, set);
    if (remove !== undefined) await deleteModelTag(tx, name, remove);
    await noteModelWrite(crossing, name);
  });
}

/** Lets an alias stand for a version. Throws `not_found` when there is no such version. */
export async function setAlias(
  deps: ModelsDeps,
  caller: Caller,
  input: { name: string; alias: string; version: number },
): Promise<void> {
  const { name, alias, version } = input;
  checkAlias(alias);
  await crossVersion(deps, caller, { action: 'model.write', name, version }, async (tx, crossing) => {
    await upsertAlias(tx, name, alias, version);
    await noteModelWrite(crossing, name);
    crossing.detail('alias', alias);
  });
}

/** Removes an alias; one that is not there is removed already. */
export async function removeAlias(
  deps: ModelsDeps,
  caller: Caller,
  input: { name: string; alias: string },
): Promise<void> {
  checkAlias(input.alias);
  await crossModel(deps, caller, { action: 'model.write', name: input.name }, async (tx) =>
    deleteAlias(tx, input.name, input.alias),
  );
}

/** The number of the version that an alias stands for. Throws `invalid` when there is no such alias. */
export async function versionOfAlias(reader: Reader, name: string, alias: string): Promise<number> {
  const version = await selectAlias(reader, name, alias);
  if (version === undefined) throw new AppError('invalid', `Registered model alias ${alias} not found.`);
  return version;
}

export type SearchModels = { filter: string; orderBy: string[]; offset: number; limit: number };

/** A page of the caller's own models; a sandbox sees those that carry no label but its own. `next` is an offset. */
export function findModels(
  deps: ModelsDeps,
  caller: Caller,
  search: SearchModels,
): Promise<{ models: WholeModel[]; next: number | undefined }> {
  const { identity } = caller;
  const { filter, orderBy, offset, limit } = search;
  let found: RegisteredModel[] = [];
  let versions: ModelVersion[] = [];
  return deps.gateway.cross({
    ...caller,
    action: 'model.search',
    object: { kind: 'model', id: '*' },
    ask: async (reader, subject) => {
      const labelsWithin = subject.type === 'sandbox' ? subject.labels : undefined;
      const conditions = modelConditions({ filter, owner: identity.user, labelsWithin });
      found = await searchModels(reader, { conditions, order: modelOrder(orderBy), offset, limit: limit + 1 });
      versions = await selectVersionsOf(
        reader,
        found.map((model) => model.name),
      );
      const nodes = [
        ...found.map(({ name }) => nodeOfModel(name)),
        ...versions.map((one) => nodeOfVersion(one.name, one.version)),
      ];
      const labels = labelsWithin === undefined ? await deps.labelsOf(reader, nodes) : [];
      return [
        { action: 'model.search', resource: 'model', object: { type: 'model', id: '*', owner: identity.user, labels } },
      ];
    },
    act: async (tx) => {
      const page = found.slice(0, limit);
      const extras = await selectExtras(
        tx,
        page.map((model) => model.name),
      );
      const models = page.map((model) => ({
        model,
        versions: versions.filter((one) => one.name === model.name),
        extras,
      }));
      return { models, next: found.length > limit ? offset + limit : undefined };
    },
  });
}
