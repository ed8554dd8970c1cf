import { AppError } from '#kernel/errors.ts';
import type { Reader } from '#kernel/sql.ts';
import { crossVersion, nodeOfModel, nodeOfVersion, noteModelRead } from './cross-model.ts';
import {
  checkModelTag,
  type ModelVersion,
  modelObject,
  noSuchModel,
  noSuchVersion,
  type Pair,
  type RegisteredModel,
  stageOf,
} from './model.ts';
import { versionConditions, versionOrder } from './model-search-sql.ts';
import {
  archiveOthers,
  deleteVersion,
  deleteVersionTag,
  insertVersion,
  type ModelExtras,
  nextVersion,
  searchVersions,
  selectExtras,
  selectModel,
  selectVersion,
  updateModel,
  updateVersion,
  upsertVersionTag,
} from './model-store.ts';
import type { Caller, ModelsDeps, VersionSource } from './models-deps.ts';
import { versionOfAlias } from './registered-models.ts';

export type WholeVersion = { version: ModelVersion; extras: ModelExtras };
export type CreateVersion = {
  name: string;
  source: string;
  runId: string;
  modelId: string;
  runLink: string;
  description: string;
  tags: Pair[];
};

/** Makes the next version of a model out of the files of a run or a logged model; it carries the labels of both. */
export async function createVersion(deps: ModelsDeps, caller: Caller, input: CreateVersion): Promise<WholeVersion> {
  const { name } = input;
  input.tags.forEach(checkModelTag);
  let model: RegisteredModel | undefined;
  let from: VersionSource | undefined;
  return deps.gateway.cross({
    ...caller,
    action: 'model.create',
    object: { kind: 'model', id: name },
    ask: async (reader) => {
      model = await selectModel(reader, name);
      if (model === undefined) throw noSuchModel(name);
      from = await sourceOf(deps, reader, input);
      return [{ action: 'model.create', resource: 'model', object: modelObject(model, []) }, ...from.questions];
    },
    act: async (tx, crossing) => {
      if (model === undefined || from === undefined) throw noSuchModel(name);
      for (const node of from.nodes) await crossing.reads(node, 'registered from');
      const version: ModelVersion = {
        name,
        version: await nextVersion(tx, name),
        description: input.description,
        stage: 'None',
        source: input.source,
        storageLocation: from.storageLocation,
        runId: from.runId,
        runLink: input.runLink,
        modelId: from.modelId,
        status: 'READY',
        deleted: false,
        owner: model.owner,
        createdMs: crossing.nowMs,
        updatedMs: crossing.nowMs,
      };
      await insertVersion(tx, version);
      crossing.attest('model-version', name, version.version);
      for (const tag of input.tags) await upsertVersionTag(tx, name, version.version, tag);
      await updateModel(tx, name, { updatedMs: crossing.nowMs });
      await crossing.writes(
        nodeOfVersion(name, version.version),
        'registered',
        from.runId === '' ? undefined : from.runId,
      );
      crossing.detail('version', version.version);
      return { version, extras: await selectExtras(tx, [name]) };
    },
  });
}

/** A version can also be a copy of another one: `models:/NAME/VERSION`. */
async function sourceOf(deps: ModelsDeps, reader: Reader, input: CreateVersion): Promise<VersionSource> {
  const [, name = '', number = ''] = /^models:\/([^/]+)\/([1-9]\d*)$/.exec(input.source) ?? [];
  if (name === '') return deps.resolveSource(reader, input);
  const version = await selectVersion(reader, name, Number(number));
  if (version === undefined) throw noSuchVersion(name, Number(number));
  const { storageLocation, runId, modelId } = version;
  const node = nodeOfVersion(name, version.version);
  const object = modelObject(version, await deps.labelsOf(reader, [node]));
  return {
    storageLocation,
    runId,
    modelId,
    questions: [{ action: 'model.read', resource: 'model', object }],
    nodes: [node],
  };
}

/** Reads a version by its number, or by an alias. Throws `not_found`, and `invalid` for an unknown alias. */
export const readVersion = (
  deps: ModelsDeps,
  caller: Caller,
  which: { name: string; version: number } | { name: string; alias: string },
): Promise<WholeVersion> => {
  const { name } = which;
  const version = 'version' in which ? which.version : (reader: Reader) => versionOfAlias(reader, name, which.alias);
  return crossVersion(deps, caller, { action: 'model.read', name, version }, async (tx, crossing, found) => {
    await noteModelRead(deps, tx, crossing, name);
    await crossing.reads(nodeOfVersion(name, found.version));
    crossing.detail('version', found.version);
    return { version: found, extras: await selectExtras(tx, [name]) };
  });
};

export type ChangeVersion = {
  name: string;
  version: number;
  description?: string;
  stage?: string;
  archiveExisting?: boolean;
};

/** Changes the description or the stage of a version; the others of an active stage can be archived with it. */
export async function changeVersion(deps: ModelsDeps, caller: Caller, change: ChangeVersion): Promise<WholeVersion> {
  const { name, version, archiveExisting = false } = change;
  const stage = change.stage === undefined ? undefined : stageOf(change.stage);
  if (archiveExisting && stage !== 'Staging' && stage !== 'Production')
    throw new AppError(
      'invalid',
      `Model version transition cannot archive existing model versions because '${stage ?? ''}' is not an Active stage. Valid stages are: Staging, Production.`,
    );
  return crossVersion(deps, caller, { action: 'model.update', name, version }, async (tx, crossing, found) => {
    const changed: ModelVersion = {
      ...found,
      description: change.description ?? found.description,
      stage: stage ?? found.stage,
      updatedMs: crossing.nowMs,
    };
    await updateVersion(tx, changed);
    if (archiveExisting) await archiveOthers(tx, name, version, changed.stage, crossing.nowMs);
    await updateModel(tx, name, { updatedMs: crossing.nowMs });
    await crossing.writes(nodeOfVersion(name, version), 'changed');
    if (stage !== undefined) crossing.detail('stage', stage);
    return { version: changed, extras: await selectExtras(tx, [name]) };
  });
}

/** Deletes a version with its aliases; its number is never given again. */
export async function removeVersion(
  deps: ModelsDeps,
  caller: Caller,
  which: { name: string; version: number },
): Promise<void> {
  const { name, version } = which;
  await crossVersion(deps, caller, { action: 'model.delete', name, version }, async (tx, { nowMs, attest }) => {
    await updateModel(tx, name, { updatedMs: nowMs });
    await deleteVersion(tx, name, version, nowMs);
    attest('model-version', name, version);
  });
}

/** Sets a tag of a version, or removes it. */
export async function changeVersionTag(
  deps: ModelsDeps,
  caller: Caller,
  change: { name: string; version: number; set?: Pair; remove?: string },
): Promise<void> {
  const { name, version, set, remove } = change;
  if (set !== undefined) checkModelTag(set);
  await crossVersion(deps, caller, { action: 'model.write', name, version }, async (tx, crossing) => {
    if (set !== undefined) await upsertVersionTag(tx, name, version, set);
    if (remove !== undefined) await deleteVersionTag(tx, name, version, remove);
    if (crossing.labels().length > 0) await crossing.writes(nodeOfVersion(name, version), 'changed');
  });
}

export type SearchVersions = { filter: string; orderBy: string[]; offset: number; limit: number };

/** A page of versions of the caller's own models; a sandbox sees those that carry no label but its own. `next` is an offset. */
export function findVersions(
  deps: ModelsDeps,
  caller: Caller,
  search: SearchVersions,
): Promise<{ versions: WholeVersion[]; next: number | undefined }> {
  const { identity } = caller;
  const { filter, orderBy, offset, limit } = search;
  let found: ModelVersion[] = [];
  return deps.gateway.cross({
    ...caller,
    action: 'model.search',
    object: { kind: 'model', id: '*' },
    ask: async (reader, subject) => {
      const labelsWithin = subject.type === 'sandbox' ? subject.labels : undefined;
      const conditions = versionConditions({ filter, owner: identity.user, labelsWithin });
      found = await searchVersions(reader, { conditions, order: versionOrder(orderBy), offset, limit: limit + 1 });
      const nodes = found.flatMap((one) => [nodeOfModel(one.name), nodeOfVersion(one.name, one.version)]);
      const labels = labelsWithin === undefined ? await deps.labelsOf(reader, nodes) : [];
      return [
        { action: 'model.search', resource: 'model', object: { type: 'model', id: '*', owner: identity.user, labels } },
      ];
    },
    act: async (tx) => {
      const page = found.slice(0, limit);
      const extras = await selectExtras(tx, [...new Set(page.map((version) => version.name))]);
      return {
        versions: page.map((version) => ({ version, extras })),
        next: found.length > limit ? offset + limit : undefined,
      };
    },
  });
}
