import type { Tx } from '#kernel/sql.ts';
import type { Crossing, CrossingRequest } from '#src/gateway/crossing.ts';
import { askAboutObject, type Found } from './ask-about-object.ts';
import { askAboutUpload, type UploadPlace } from './begin-upload.ts';
import type { Blob } from './blob.ts';
import type { ChecksumExpectation, Checksums } from './checksum.ts';
import { auditObject, type Conditions, keptChecksums, objectError } from './object.ts';
import { deleteBlobs, insertBlobs, selectContentBlobs } from './object-store.ts';
import type { ObjectsDeps } from './objects-deps.ts';
import { readFound, readPieces } from './open-object.ts';
import { type RangeRequest, resolveRange } from './range.ts';
import { settleFailed, takeIn } from './take-in.ts';
import { LARGEST_PART_BYTES, LARGEST_PART_NUMBER, type UploadPart, uploadMissing } from './upload.ts';
import { insertUploadLabels, selectParts, selectUpload, upsertPart } from './upload-store.ts';

/** Where the bytes of a part come from: the wire, or an object that is there already. */
export type PartSource =
  | { body: AsyncIterable<Uint8Array>; contentLength?: number; checksums?: ChecksumExpectation }
  | { copy: { bucket: string; key: string; range?: RangeRequest; conditions?: Conditions } };

export type PartRequest = UploadPlace & { partNumber: number; source: PartSource };

/** Takes in one part, in any order; a part of the same number is replaced. */
export async function uploadPart(deps: ObjectsDeps, request: PartRequest): Promise<UploadPart> {
  const { partNumber, source } = request;
  if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > LARGEST_PART_NUMBER) {
    throw objectError('invalid', 'partNumber', `Parts are numbered from 1 to ${LARGEST_PART_NUMBER}.`);
  }
  const state: { from?: Found } = {};
  const crossing = crossingOf(deps, request, state);
  await deps.gateway.check(crossing);
  const body = 'copy' in source ? await copied(deps, state.from, source.copy) : source.body;
  const expectation = 'copy' in source ? undefined : source.checksums;
  const upload = await deps.database.peek((reader) =>
    selectUpload(reader, request.bucket, request.key, request.uploadId),
  );
  const algorithms = [
    ...new Set([...(expectation?.algorithms ?? []), ...(upload?.checksumAlgorithm ? [upload.checksumAlgorithm] : [])]),
  ];
  const length = 'copy' in source ? undefined : source.contentLength;
  const { checksums, blob } = await takeIn(deps, crossing, body, {
    expectation,
    algorithms,
    maxBytes: LARGEST_PART_BYTES,
    ...(length === undefined ? {} : { contentLength: length }),
  });
  let freed: string[] = [];
  try {
    const kept = keptChecksums(checksums, algorithms).values;
    const answer = await deps.gateway.cross<UploadPart>({
      ...crossing,
      act: async (tx, open) => {
        if ('copy' in source) await readFound(state.from, open, 'read', source.copy);
        const kind = await keepPart(tx, open, request, blob, kept);
        freed = kind.freed;
        return kind.part;
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

function crossingOf(
  deps: ObjectsDeps,
  request: PartRequest,
  state: { from?: Found },
): Omit<CrossingRequest<unknown>, 'act'> {
  const { identity, source } = request;
  return {
    identity,
    door: request.door,
    requestId: request.requestId,
    action: 'object.write',
    object: auditObject(request.bucket, request.key),
    ask: async (reader) => {
      const { question } = await askAboutUpload(deps, reader, request);
      if (!('copy' in source)) return [question];
      state.from = await askAboutObject(deps, reader, { action: 'object.read', identity, place: source.copy });
      return [state.from.question, question];
    },
  };
}

/** The bytes of the source as they are when the copy begins; the crossing that names them asks again. */
async function copied(
  deps: ObjectsDeps,
  from: Found | undefined,
  copy: { range?: RangeRequest; key: string },
): Promise<AsyncIterable<Uint8Array>> {
  const object = from?.object;
  if (object === undefined) throw objectError('not_found', 'object', `There is no object "${copy.key}".`);
  const blobs = await deps.database.read((reader) => selectContentBlobs(reader, object.contentId));
  return readPieces(
    deps.vault,
    blobs,
    copy.range === undefined ? undefined : resolveRange(copy.range, object.sizeBytes),
  );
}

async function keepPart(
  tx: Tx,
  crossing: Crossing,
  request: PartRequest,
  blob: Blob,
  checksums: Checksums,
): Promise<{ part: UploadPart; freed: string[] }> {
  const upload = await selectUpload(tx, request.bucket, request.key, request.uploadId);
  if (upload === undefined) throw uploadMissing();
  const before = (await selectParts(tx, upload.uploadId)).find((part) => part.partNumber === request.partNumber);
  const part: UploadPart = {
    partNumber: request.partNumber,
    blobId: blob.blobId,
    sizeBytes: blob.sizeBytes,
    etag: blob.md5,
    checksums,
    modifiedMs: crossing.nowMs,
  };
  await insertBlobs(tx, [blob], crossing.nowMs);
  await upsertPart(tx, upload.uploadId, part);
  await insertUploadLabels(tx, upload.uploadId, crossing.labels());
  crossing.detail('upload', upload.uploadId);
  crossing.detail('part', request.partNumber);
  const freed = before === undefined ? [] : [before.blobId];
  await deleteBlobs(tx, freed);
  return { part, freed };
}
