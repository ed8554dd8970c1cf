import { AppError } from '#kernel/errors.ts';
import type { Reader, Tx } from '#kernel/sql.ts';
import type { Crossing } from '#src/gateway/crossing.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import { type ModelVersion, modelObject, noSuchModel, noSuchVersion, type RegisteredModel } from './model.ts';
import { selectModel, selectVersion } from './model-store.ts';
import type { Caller, ModelsDeps } from './models-deps.ts';

export const nodeOfModel = (name: string): NodeRef => ({ kind: 'model', id: name, name });
export const nodeOfVersion = (name: string, version: number): NodeRef => ({
  kind: 'model',
  id: `${name}/${version}`,
  name: `${name}/${version}`,
});

/** One crossing about a registered model. Throws `not_found`. */
export function crossModel<T>(
  deps: ModelsDeps,
  caller: Caller,
  about: { action: string; name: string },
  act: (tx: Tx, crossing: Crossing, model: RegisteredModel) => Promise<T>,
): Promise<T> {
  const { action, name } = about;
  let found: RegisteredModel | undefined;
  return deps.gateway.cross({
    ...caller,
    action,
    object: { kind: 'model', id: name },
    ask: async (reader) => {
      found = await selectModel(reader, name);
      if (found === undefined) throw noSuchModel(name);
      const labels = await deps.labelsOf(reader, [nodeOfModel(name)]);
      return [{ action, resource: 'model', object: modelObject(found, labels) }];
    },
    act: async (tx, crossing) => {
      if (found === undefined) throw noSuchModel(name);
      return act(tx, crossing, found);
    },
  });
}

/** One crossing about a version, found by number or inside the transaction (an alias). Throws `not_found`. */
export function crossVersion<T>(
  deps: ModelsDeps,
  caller: Caller,
  about: { action: string; name: string; version: number | ((reader: Reader) => Promise<number>) },
  act: (tx: Tx, crossing: Crossing, version: ModelVersion) => Promise<T>,
): Promise<T> {
  const { action, name } = about;
  let found: ModelVersion | undefined;
  return deps.gateway.cross({
    ...caller,
    action,
    object: { kind: 'model', id: typeof about.version === 'number' ? `${name}/${about.version}` : name },
    ask: async (reader) => {
      const number = typeof about.version === 'number' ? about.version : await about.version(reader);
      found = await selectVersion(reader, name, number);
      if (found === undefined) throw noSuchVersion(name, number);
      const labels = await deps.labelsOf(reader, [nodeOfModel(name), nodeOfVersion(name, number)]);
      return [{ action, resource: 'model', object: modelObject(found, labels) }];
    },
    act: async (tx, crossing) => {
      if (found === undefined) throw new AppError('not_found', `There is no version of ${name}.`);
      return act(tx, crossing, found);
    },
  });
}

/** The subject learns a model's name, description, tags and aliases: they carry data only when somebody labelled wrote them. */
export async function noteModelRead(deps: ModelsDeps, tx: Tx, crossing: Crossing, name: string): Promise<void> {
  const node = nodeOfModel(name);
  if ((await deps.labelsOf(tx, [node])).length > 0) await crossing.reads(node);
}

/** The subject writes what a model says of itself: its labels go along. */
export async function noteModelWrite(crossing: Crossing, name: string): Promise<void> {
  if (crossing.labels().length > 0) await crossing.writes(nodeOfModel(name));
}
