import type { Tx } from '#kernel/sql.ts';
import type { Crossing, CrossingRequest } from '#src/gateway/crossing.ts';
import { askAboutObject, type Found } from './ask-about-object.ts';
import { type Blob, SMALL_BLOB_BYTES } from './blob.ts';
import type { ChecksumExpectation } from './checksum.ts';
import { refuseWrite } from './condition.ts';
import {
  attributesOf,
  auditObject,
  keptChecksums,
  objectError,
  type StoredChecksums,
  type StoredObject,
  type WriteRequest,
} from './object.ts';
import { insertBlobs, insertContent } from './object-store.ts';
import type { ObjectsDeps } from './objects-deps.ts';
import { placeObject } from './place-object.ts';
import { settleFailed, takeIn } from './take-in.ts';
import { LARGEST_PART_BYTES } from './upload.ts';

export type PutRequest = WriteRequest & {
  body: AsyncIterable<Uint8Array>;
  contentLength?: number;
  checksums?: ChecksumExpectation;
};

/** What a write answers: the object as it is stored now. */
export type PutAnswer = Pick<StoredObject, 'etag' | 'digest' | 'sizeBytes' | 'checksums' | 'modifiedMs'>;

/**
 * Writes an object: policy is asked before the first byte is taken in, unless it is small; the bytes are durable before the commit that names them.
 * Throws `precondition_failed`, `invalid` (length or checksum), `denied`, `not_found` (bucket).
 */
export async function putObject(deps: ObjectsDeps, request: PutRequest): Promise<PutAnswer> {
  let found: Found | undefined;
  const crossing: Omit<CrossingRequest<unknown>, 'act'> = {
    identity: request.identity,
    door: request.door,
    requestId: request.requestId,
    action: 'object.write',
    object: auditObject(request.bucket, request.key),
    ask: async (reader) => {
      if ((request.contentLength ?? 0) > LARGEST_PART_BYTES) throw tooLarge();
      const { identity, bucket, key } = request;
      const place = { bucket, key };
      found = await askAboutObject(deps, reader, { action: 'object.write', identity, place, write: true });
      return [found.question];
    },
  };
  // A small content is in memory until the crossing that names it has been decided: nothing is gained by asking twice.
  if ((request.contentLength ?? Number.POSITIVE_INFINITY) > SMALL_BLOB_BYTES) await deps.gateway.check(crossing);
  const { checksums, blob } = await takeIn(deps, crossing, request.body, {
    expectation: request.checksums,
    algorithms: request.checksums?.algorithms ?? [],
    maxBytes: LARGEST_PART_BYTES,
    ...(request.contentLength === undefined ? {} : { contentLength: request.contentLength }),
  });
  let freed: string[] = [];
  try {
    const kept = keptChecksums(checksums, request.checksums?.algorithms);
    const answer = await deps.gateway.cross<PutAnswer>({
      ...crossing,
      act: async (tx, open) => {
        refuseWrite(found?.object, request.conditions);
        const placed = await nameBlob(deps, tx, open, request, blob, kept);
        freed = placed.freed;
        return placed.object;
      },
      onCommitted: () => deps.vault.discard(freed),
    });
    deps.vault.keep([blob.blobId]);
    return answer;
  } catch (error) {
    settleFailed(deps.vault, error, blob.blobId);
    throw error;
  }
}

async function nameBlob(
  deps: ObjectsDeps,
  tx: Tx,
  crossing: Crossing,
  request: PutRequest,
  blob: Blob,
  checksums: StoredChecksums,
) {
  await insertBlobs(tx, [blob], crossing.nowMs);
  const content = {
    contentId: deps.ids.next('content'),
    sizeBytes: blob.sizeBytes,
    digest: `sha256:${blob.sha256}`,
    etag: blob.md5,
    checksums,
    partCount: 0,
  };
  await insertContent(tx, { ...content, blobs: [blob] });
  const target = {
    bucket: request.bucket,
    key: request.key,
    owner: request.identity.user,
    attributes: attributesOf(request),
  };
  return placeObject(tx, crossing, target, content);
}

const tooLarge = () =>
  objectError('too_large', 'size', 'One write takes at most 5 GiB.', 'Send it as a multipart upload.');
