import type { Reader, Tx } from '#kernel/sql.ts';
import type { Crossing } from '#src/gateway/crossing.ts';
import type { Question } from '#src/policies/decision.ts';
import { askAboutObject } from './ask-about-object.ts';
import type { ChecksumAlgorithm } from './checksum.ts';
import { attributesOf, auditObject, type Caller, type ChecksumType, type WriteRequest } from './object.ts';
import { deleteBlobs } from './object-store.ts';
import type { ObjectsDeps } from './objects-deps.ts';
import { type Upload, uploadMissing } from './upload.ts';
import { deleteUpload, insertUpload, insertUploadLabels, selectParts, selectUpload } from './upload-store.ts';

export type UploadPlace = Caller & { bucket: string; key: string; uploadId: string };

type BeginRequest = Omit<WriteRequest, 'conditions'> & {
  checksumAlgorithm?: ChecksumAlgorithm;
  checksumType?: ChecksumType;
};

/** Begins a multipart upload. */
export function beginUpload(deps: ObjectsDeps, request: BeginRequest): Promise<Upload> {
  const { identity, door, requestId, bucket, key } = request;
  return deps.gateway.cross({
    identity,
    door,
    requestId,
    action: 'object.write',
    object: auditObject(bucket, key),
    ask: async (reader) => {
      const place = { bucket, key };
      return [(await askAboutObject(deps, reader, { action: 'object.write', identity, place, write: true })).question];
    },
    act: async (tx, crossing) => {
      const upload: Upload = {
        ...attributesOf(request),
        uploadId: deps.ids.next('upload'),
        bucket,
        key,
        owner: identity.user,
        checksumAlgorithm: request.checksumAlgorithm,
        checksumType: request.checksumType,
        createdMs: crossing.nowMs,
      };
      await insertUpload(tx, upload);
      await insertUploadLabels(tx, upload.uploadId, crossing.labels());
      crossing.detail('upload', upload.uploadId);
      return upload;
    },
  });
}

/** Asks about writing the key that an upload in progress is for; throws `not_found` (`about: upload`). */
export async function askAboutUpload(
  deps: ObjectsDeps,
  reader: Reader,
  request: UploadPlace,
  action = 'object.write',
): Promise<{ upload: Upload; question: Question }> {
  const { identity, bucket, key } = request;
  const place = { bucket, key };
  const found = await askAboutObject(deps, reader, { action, identity, place, write: true });
  const upload = await selectUpload(reader, bucket, key, request.uploadId);
  if (upload === undefined) throw uploadMissing();
  // An upload is its beginner's, whoever owns what is at the key.
  const owner = found.bucket.builtIn ? upload.owner : found.owner;
  return { upload, question: { ...found.question, object: { ...found.question.object, owner } } };
}

/** Gives an upload up: its parts are removed. */
export function abortUpload(deps: ObjectsDeps, request: UploadPlace): Promise<void> {
  let freed: string[] = [];
  return deps.gateway.cross<void>({
    identity: request.identity,
    door: request.door,
    requestId: request.requestId,
    action: 'object.write',
    object: auditObject(request.bucket, request.key),
    ask: async (reader) => [(await askAboutUpload(deps, reader, request)).question],
    act: async (tx, crossing: Crossing) => {
      crossing.detail('upload', request.uploadId);
      freed = await dropUpload(tx, request.uploadId);
    },
    onCommitted: () => deps.vault.discard(freed),
  });
}

/** Removes an upload with all of its parts; gives the blobs that are free now. */
export async function dropUpload(tx: Tx, uploadId: string): Promise<string[]> {
  const blobIds = (await selectParts(tx, uploadId)).map((part) => part.blobId);
  await deleteUpload(tx, uploadId);
  await deleteBlobs(tx, blobIds);
  return blobIds;
}
