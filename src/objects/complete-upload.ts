import { createHash } from 'node:crypto';
import type { Reader, Tx } from '#kernel/sql.ts';
import type { Crossing, CrossingRequest } from '#src/gateway/crossing.ts';
import { askAboutObject } from './ask-about-object.ts';
import { askAboutUpload, type UploadPlace } from './begin-upload.ts';
import type { Blob } from './blob.ts';
import { type ChecksumAlgorithm, type Checksums, createChecksum } from './checksum.ts';
import { refuseWrite } from './condition.ts';
import { auditObject, type Conditions, nodeOfObject, objectError, type StoredChecksums } from './object.ts';
import { deleteBlobs, insertContent, type NewContent, selectBlobs } from './object-store.ts';
import type { ObjectsDeps } from './objects-deps.ts';
import { placeObject } from './place-object.ts';
import type { PutAnswer } from './put-object.ts';
import {
  choseParts,
  LARGEST_OBJECT_BYTES,
  type NamedPart,
  type Upload,
  type UploadPart,
  uploadMissing,
} from './upload.ts';
import { deleteUpload, selectParts, selectUpload, selectUploadLabels } from './upload-store.ts';

export type CompleteRequest = UploadPlace & {
  parts: NamedPart[];
  conditions?: Conditions;
  /** The checksum of the whole, when the client sends one. */
  expected?: Checksums;
};

type Chosen = { upload: Upload; parts: UploadPart[]; blobs: Blob[] };

/**
 * Makes the named parts one object. All of it is read once before, so that its digest is of the whole and a part that was damaged since is
 * never named. Throws `invalid` (`part`, `partOrder`, `partSize`, `checksum`), `precondition_failed`, `not_found`, `integrity`.
 */
export async function completeUpload(deps: ObjectsDeps, request: CompleteRequest): Promise<PutAnswer> {
  const { identity, bucket, key } = request;
  const crossing: Omit<CrossingRequest<unknown>, 'act'> = {
    identity,
    door: request.door,
    requestId: request.requestId,
    action: 'object.write',
    object: auditObject(bucket, key),
    ask: async (reader) => [(await askAboutUpload(deps, reader, request)).question],
  };
  await deps.gateway.check(crossing);
  const chosen = await deps.database.read((reader) => choose(reader, request));
  const content = await measure(deps, chosen);
  let freed: string[] = [];
  return deps.gateway.cross<PutAnswer>({
    ...crossing,
    act: async (tx, open) => {
      const now = await choose(tx, request);
      if (now.parts.some((part, index) => part.blobId !== chosen.parts[index]?.blobId)) {
        throw objectError('invalid', 'part', 'A part was replaced while the upload was being completed.');
      }
      matchWhole(content.checksums, request.expected ?? {});
      const place = { bucket, key };
      const found = await askAboutObject(deps, tx, { action: 'object.write', identity, place, write: true });
      refuseWrite(found.object, request.conditions);
      const done = await finish(deps, tx, open, now, content);
      freed = done.freed;
      return done.object;
    },
    onCommitted: () => deps.vault.discard(freed),
  });
}

async function choose(reader: Reader, request: CompleteRequest): Promise<Chosen> {
  const upload = await selectUpload(reader, request.bucket, request.key, request.uploadId);
  if (upload === undefined) throw uploadMissing();
  const parts = choseParts(await selectParts(reader, upload.uploadId), request.parts);
  if (parts.reduce((sum, part) => sum + part.sizeBytes, 0) > LARGEST_OBJECT_BYTES) {
    throw objectError('too_large', 'size', 'An object has at most 5 TiB.');
  }
  const blobs = await selectBlobs(
    reader,
    parts.map((part) => part.blobId),
  );
  return { upload, parts, blobs };
}

/** The digest, ETag and checksums of the whole. */
async function measure(deps: ObjectsDeps, chosen: Chosen): Promise<NewContent> {
  const { upload, parts, blobs } = chosen;
  const algorithm = upload.checksumAlgorithm;
  const whole = algorithm === undefined || isComposite(upload) ? undefined : algorithm;
  const digests = await deps.vault.digest(blobs, ['sha256', ...(whole === undefined ? [] : [whole])]);
  const md5s = createHash('md5');
  for (const part of parts) md5s.update(Buffer.from(part.etag, 'hex'));
  return {
    contentId: deps.ids.next('content'),
    sizeBytes: parts.reduce((sum, part) => sum + part.sizeBytes, 0),
    digest: `sha256:${digests.get('sha256')?.toString('hex')}`,
    etag: `${md5s.digest('hex')}-${parts.length}`,
    checksums: checksumsOf(algorithm, whole === undefined ? undefined : digests.get(whole), parts),
    partCount: parts.length,
    blobs: parts,
  };
}

/** As S3 has it: CRC-64/NVME is always of the whole, the others are of the parts unless the client asks for the whole. */
const isComposite = (upload: Upload): boolean =>
  upload.checksumAlgorithm !== 'crc64nvme' && upload.checksumType !== 'FULL_OBJECT';

function checksumsOf(
  algorithm: ChecksumAlgorithm | undefined,
  whole: Buffer | undefined,
  parts: UploadPart[],
): StoredChecksums {
  if (algorithm === undefined) return { type: 'FULL_OBJECT', values: {} };
  if (whole !== undefined) return { type: 'FULL_OBJECT', values: { [algorithm]: whole.toString('base64') } };
  const sum = createChecksum(algorithm);
  for (const part of parts) sum.update(Buffer.from(part.checksums[algorithm] ?? '', 'base64'));
  return { type: 'COMPOSITE', values: { [algorithm]: `${sum.digest().toString('base64')}-${parts.length}` } };
}

function matchWhole(actual: StoredChecksums, expected: Checksums): void {
  for (const [algorithm, value] of Object.entries(expected)) {
    const stored = actual.values[algorithm as ChecksumAlgorithm];
    const same = stored === value || (actual.type === 'COMPOSITE' && stored?.replace(/-\d+$/, '') === value);
    if (stored !== undefined && !same) {
      throw objectError('invalid', 'checksum', `The ${algorithm} of the whole is not the one that was sent with it.`);
    }
  }
}

async function finish(deps: ObjectsDeps, tx: Tx, crossing: Crossing, chosen: Chosen, content: NewContent) {
  const { upload } = chosen;
  const labels = await selectUploadLabels(tx, upload.uploadId);
  const used = new Set(chosen.parts.map((part) => part.blobId));
  const unused = (await selectParts(tx, upload.uploadId)).map((part) => part.blobId).filter((id) => !used.has(id));
  await insertContent(tx, content);
  await deleteUpload(tx, upload.uploadId);
  await deleteBlobs(tx, unused);
  const node = nodeOfObject({ bucket: upload.bucket, key: upload.key, digest: content.digest });
  // What wrote a part wrote the object, also when somebody else completes it.
  if (labels.length > 0) await deps.lineage.addLabels(tx, node, labels);
  const target = { bucket: upload.bucket, key: upload.key, owner: upload.owner, attributes: upload };
  const { object, freed } = await placeObject(tx, crossing, target, content, labels);
  return { object, freed: [...freed, ...unused] };
}
