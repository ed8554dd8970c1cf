/** Lets a key name a content: the part that put, copy, completing an upload and other domains share. */
import type { Tx } from '#kernel/sql.ts';
import type { Crossing } from '#src/gateway/crossing.ts';
import { type Attributes, nodeOfObject, type StoredObject } from './object.ts';
import { deleteUnnamedContent, insertNameLabels, selectObject, upsertObject } from './object-store.ts';

export type Placed = { object: StoredObject; freed: string[] };

type Target = { bucket: string; key: string; owner: string; attributes: Attributes };
type Content = Pick<StoredObject, 'contentId' | 'sizeBytes' | 'digest' | 'etag' | 'checksums' | 'partCount'>;

/** Puts the key in the store over a content that is there; gives the blobs that nothing names any more. */
export async function placeContent(tx: Tx, target: Target, content: Content, nowMs: number): Promise<Placed> {
  const before = await selectObject(tx, target.bucket, target.key);
  const { contentType, metadata, headers, tags } = target.attributes;
  const { contentId, sizeBytes, digest, etag, checksums, partCount } = content;
  const object: StoredObject = {
    ...{ contentType, metadata, headers, tags },
    ...{ contentId, sizeBytes, digest, etag, checksums, partCount },
    bucket: target.bucket,
    key: target.key,
    owner: target.owner,
    modifiedMs: nowMs,
  };
  await upsertObject(tx, object);
  const replaced = before === undefined || before.contentId === content.contentId ? undefined : before.contentId;
  return { object, freed: replaced === undefined ? [] : await deleteUnnamedContent(tx, replaced) };
}

/** The same as an act of a subject: the content and its name take over the labels of what the subject has read. */
export async function placeObject(
  tx: Tx,
  crossing: Crossing,
  target: Target,
  content: Content,
  more: string[] = [],
): Promise<Placed> {
  const placed = await placeContent(tx, target, content, crossing.nowMs);
  await insertNameLabels(tx, target.bucket, target.key, [...crossing.labels(), ...more]);
  await crossing.writes(nodeOfObject(placed.object));
  crossing.attest('object', target.bucket, target.key);
  crossing.detail('digest', placed.object.digest);
  crossing.detail('sizeBytes', placed.object.sizeBytes);
  return placed;
}
