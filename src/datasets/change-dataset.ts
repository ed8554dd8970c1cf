import { AppError } from '#kernel/errors.ts';
import type { Reader } from '#kernel/sql.ts';
import { checkTags, DATASET_BUCKET, type DatasetVersion, nodeOfDataset, policyObject, prefixOf } from './dataset.ts';
import { deleteVersion, insertTags, selectVersion } from './dataset-store.ts';
import { type Caller, type DatasetsDeps, DOOR } from './datasets-deps.ts';
import { selectHolder } from './mount-store.ts';

export type VersionRef = Caller & { name: string; version: number };

/** The version; throws `not_found`. */
export async function findVersion(reader: Reader, name: string, version?: number): Promise<DatasetVersion> {
  const found = await selectVersion(reader, name, version);
  if (found !== undefined) return found;
  const which = version === undefined ? `data set "${name}"` : `version ${version} of data set "${name}"`;
  throw new AppError('not_found', `There is no ${which}.`, { details: { hint: 'See "fumehood dataset list".' } });
}

const crossingOf = ({ identity, requestId, name, version }: VersionRef, action: string) => ({
  identity,
  requestId,
  door: DOOR,
  action,
  object: { kind: 'dataset', id: `${name}@${version}`, name, version: String(version) },
});

/** Adds tags to a version; whoever reads it from now on carries them. Tags are only ever added here. */
export function tagDataset(deps: DatasetsDeps, request: VersionRef & { tags: string[] }): Promise<DatasetVersion> {
  return deps.gateway.cross({
    ...crossingOf(request, 'dataset.update'),
    ask: async (reader) => {
      const found = await findVersion(reader, request.name, request.version);
      checkTags(request.tags, deps.vocabulary);
      return [{ action: 'dataset.update', resource: 'data', object: policyObject(found) }];
    },
    act: async (tx, crossing) => {
      const found = await findVersion(tx, request.name, request.version);
      const tags = checkTags(request.tags, deps.vocabulary);
      await insertTags(tx, found, tags);
      for (const tag of tags) crossing.attest('dataset-tag', found.name, found.version, tag);
      await deps.lineage.addLabels(tx, nodeOfDataset(found), tags);
      crossing.detail('tags', tags.join(' '));
      return findVersion(tx, request.name, request.version);
    },
  });
}

/** Removes a version with its files; throws `conflict` while a sandbox has it mounted. */
export async function deleteDataset(deps: DatasetsDeps, request: VersionRef): Promise<void> {
  let freed: string[] = [];
  await deps.gateway.cross<void>({
    ...crossingOf(request, 'dataset.delete'),
    ask: async (reader) => {
      const found = await findVersion(reader, request.name, request.version);
      return [{ action: 'dataset.delete', resource: 'data', object: policyObject(found) }];
    },
    act: async (tx, crossing) => {
      const found = await findVersion(tx, request.name, request.version);
      const holder = await selectHolder(tx, found.name, found.version);
      if (holder !== undefined) {
        throw new AppError('conflict', `Sandbox ${holder} has ${found.name}@${found.version} mounted.`, {
          details: { hint: `Delete the sandbox first: fumehood sandbox delete ${holder}` },
        });
      }
      freed = await deps.shelf.remove(tx, DATASET_BUCKET, prefixOf(found));
      await deleteVersion(tx, found);
      crossing.attest('dataset', found.name, found.version);
      for (const tag of found.tags) crossing.attest('dataset-tag', found.name, found.version, tag);
      crossing.detail('digest', found.digest);
    },
  });
  deps.shelf.discard(freed);
}
