/** Objects for other domains that keep files in a built-in bucket of their own: they ask policy themselves. */
import type { Ids } from '#kernel/ids.ts';
import type { Reader, Tx } from '#kernel/sql.ts';
import type { CrossingRequest } from '#src/gateway/crossing.ts';
import type { Blob } from './blob.ts';
import { afterPrefix } from './list-objects.ts';
import { attributesOf, type StoredObject } from './object.ts';
import {
  deleteBlobs,
  deleteObject,
  deleteUnnamedContent,
  insertBlobs,
  insertContent,
  selectContentBlobs,
  selectObjects,
} from './object-store.ts';
import type { ObjectsDeps } from './objects-deps.ts';
import { readPieces } from './open-object.ts';
import { placeContent } from './place-object.ts';
import { settleFailed, takeIn } from './take-in.ts';

const PAGE = 200;

/** The low shelf: bytes in, names over them, bytes out. */
export const createShelf = (deps: Pick<ObjectsDeps, 'vault' | 'gateway' | 'ids'>) => ({
  /** Takes in bytes; the blob is settled by `keep` or `discard` afterwards. */
  takeIn: (
    crossing: Omit<CrossingRequest<unknown>, 'act'>,
    body: AsyncIterable<Uint8Array>,
    options: { contentLength?: number },
  ): Promise<Blob> => takeIn(deps, crossing, body, { ...options, expectation: undefined }).then((taken) => taken.blob),
  keep: deps.vault.keep,
  discard: deps.vault.discard,
  /** Settles a blob whose crossing failed. */
  settleFailed: (error: unknown, blobId: string): void => settleFailed(deps.vault, error, blobId),
  /** Names a blob in the store, before an object does. */
  record: (tx: Tx, blob: Blob, nowMs: number): Promise<void> => insertBlobs(tx, [blob], nowMs),
  /** Forgets blobs that never became objects; `discard` them after the commit. */
  forget: (tx: Tx, blobIds: string[]): Promise<void> => deleteBlobs(tx, blobIds),
  place: (tx: Tx, file: FileToPlace): Promise<void> => place(deps.ids, tx, file),
  files: listAll,
  remove: (tx: Tx, bucket: string, prefix: string): Promise<string[]> => removeAll(tx, bucket, prefix),
  /** The blobs of an object, whose bytes `bytes` gives. */
  blobsOf: (reader: Reader, contentId: string): Promise<Blob[]> => selectContentBlobs(reader, contentId),
  /** The bytes of blobs, each proven against its digest before its last frame comes. */
  bytes: (blobs: readonly Blob[]): AsyncGenerator<Buffer, void, undefined> => readPieces(deps.vault, blobs),
});

export type Shelf = ReturnType<typeof createShelf>;

type FileToPlace = {
  bucket: string;
  key: string;
  owner: string;
  contentType?: string;
  blob: { blobId: string; sizeBytes: number; digest: string; etag: string };
  nowMs: number;
};

async function place(ids: Ids, tx: Tx, file: FileToPlace): Promise<void> {
  const { sizeBytes, digest, etag } = file.blob;
  const checksums: StoredObject['checksums'] = { type: 'FULL_OBJECT', values: {} };
  const content = { contentId: ids.next('content'), sizeBytes, digest, etag, checksums, partCount: 0 };
  await insertContent(tx, { ...content, blobs: [file.blob] });
  const { bucket, key, owner, contentType } = file;
  const attributes = attributesOf(contentType === undefined ? {} : { contentType });
  await placeContent(tx, { bucket, key, owner, attributes }, content, file.nowMs);
}

/** All objects under a prefix, in the order of their keys' bytes. */
async function listAll(reader: Reader, bucket: string, prefix: string): Promise<StoredObject[]> {
  const all: StoredObject[] = [];
  const end = afterPrefix(prefix);
  for (let from = prefix, after = false; ; after = true) {
    const page = await selectObjects(reader, { bucket, from, after, end, limit: PAGE });
    all.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return all;
    from = last.key;
  }
}

/** Removes all objects under a prefix; gives the blobs that are free now. */
async function removeAll(tx: Tx, bucket: string, prefix: string): Promise<string[]> {
  const freed: string[] = [];
  for (const object of await listAll(tx, bucket, prefix)) {
    await deleteObject(tx, bucket, object.key);
    freed.push(...(await deleteUnnamedContent(tx, object.contentId)));
  }
  return freed;
}
