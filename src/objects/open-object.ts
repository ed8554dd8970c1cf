import { Readable } from 'node:stream';
import type { Crossing } from '#src/gateway/crossing.ts';
import { askAboutObject, type Found } from './ask-about-object.ts';
import type { Blob, BlobVault, ByteSpan } from './blob.ts';
import { refuseRead } from './condition.ts';
import { auditObject, type Caller, type Conditions, objectError, type StoredObject } from './object.ts';
import { selectContentBlobs } from './object-store.ts';
import type { ObjectsDeps } from './objects-deps.ts';
import { cutSpan, type RangeRequest, resolveRange } from './range.ts';

export type OpenRequest = Caller & {
  bucket: string;
  key: string;
  range?: RangeRequest;
  /** The bytes of one part of a multipart upload, from 1; not together with `range`. */
  partNumber?: number;
  conditions?: Conditions;
  /** Told how many bytes will be read, before the first is; what it throws ends the reading. */
  admit?: (bytes: number) => void;
};

/** What is known of an object. `sizeBytes` is of the whole, also when `range` says which bytes were asked for. */
type SeenObject = StoredObject & { range: ByteSpan | undefined };

/** An object with its bytes, or those of `range`: a small one's all at once, another's as they are read. */
export type OpenObject = SeenObject & ({ bytes: Buffer; body?: never } | { body: Readable; bytes?: never });

/** What is known of an object without its bytes; policy is asked as for reading, and its labels come with it. */
export async function headObject(deps: ObjectsDeps, request: OpenRequest): Promise<SeenObject> {
  const { object, range } = await cross(deps, request, 'inspected');
  return { ...object, range };
}

/**
 * Opens an object: decision, entry and labels are durable before the first byte goes out, and the first frame is proven before this
 * answers. Later frames that were changed on disk end the stream with `integrity`. Throws `not_found`, `denied`,
 * `precondition_failed` (`about: notModified` for 304), `invalid` (`about: range`), `integrity`.
 */
export async function openObject(deps: ObjectsDeps, request: OpenRequest): Promise<OpenObject> {
  const { object, range, blobs } = await cross(deps, request, 'read');
  request.admit?.(range === undefined ? object.sizeBytes : range.end - range.start + 1);
  const pieces = readPieces(deps.vault, blobs, range);
  if (blobs.length === 1 && blobs[0]?.sealed !== undefined) return { ...object, range, bytes: await onlyOf(pieces) };
  return { ...object, range, body: await streamOf(pieces) };
}

/** The bytes of pieces of which there is one, or none. */
async function onlyOf(pieces: AsyncGenerator<Buffer, void, undefined>): Promise<Buffer> {
  const first = await pieces.next();
  await pieces.return();
  return first.done === true ? Buffer.alloc(0) : first.value;
}

/** The bytes of blobs one after the other, or a span of them. */
export async function* readPieces(
  vault: Pick<BlobVault, 'read'>,
  blobs: readonly Blob[],
  span?: ByteSpan,
): AsyncGenerator<Buffer, void, undefined> {
  if (span === undefined) {
    for (const blob of blobs) yield* vault.read(blob);
    return;
  }
  for (const cut of cutSpan(blobs, span)) yield* vault.read(cut.piece, cut.span);
}

/** A stream whose first chunk is there already, so that what fails at once fails here. */
export async function streamOf(chunks: AsyncGenerator<Buffer, void, undefined>): Promise<Readable> {
  const first = await chunks.next();
  async function* all(): AsyncGenerator<Buffer, void, undefined> {
    try {
      if (first.done !== true) yield first.value;
      yield* chunks;
    } finally {
      await chunks.return();
    }
  }
  const source = all();
  const body = Readable.from(source, { objectMode: false, highWaterMark: 64 * 1024 });
  // A stream that is closed before anybody read from it has not entered its generator, whose files are open already.
  body.once('close', () => void chunks.return());
  return body;
}

async function cross(
  deps: ObjectsDeps,
  request: OpenRequest,
  relation: string,
): Promise<{ object: StoredObject; range: ByteSpan | undefined; blobs: Blob[] }> {
  let found: Found | undefined;
  const { identity, door, requestId, bucket, key } = request;
  return deps.gateway.cross({
    identity,
    door,
    requestId,
    action: 'object.read',
    object: auditObject(bucket, key),
    ask: async (reader) => {
      found = await askAboutObject(deps, reader, { action: 'object.read', identity, place: { bucket, key } });
      return [found.question];
    },
    act: async (tx, crossing) => {
      const object = await readFound(found, crossing, relation, request);
      const blobs = await selectContentBlobs(tx, object.contentId);
      const range = spanOf(request, object, blobs);
      if (range !== undefined) crossing.detail('bytes', `${range.start}-${range.end}`);
      return { object, range, blobs };
    },
  });
}

/** Counts the object as read by the subject; throws `not_found` when there is none. */
export async function readFound(
  found: Found | undefined,
  crossing: Crossing,
  relation: string,
  request: Pick<OpenRequest, 'bucket' | 'key' | 'conditions'>,
): Promise<StoredObject> {
  const object = found?.object;
  if (object === undefined || found?.node === undefined) {
    throw objectError('not_found', 'object', `There is no object "${request.key}" in bucket "${request.bucket}".`);
  }
  // Also "it has not changed" tells something about the content.
  await crossing.reads(found.node, relation);
  crossing.detail('digest', object.digest);
  refuseRead(object, request.conditions);
  return object;
}

function spanOf(request: OpenRequest, object: StoredObject, blobs: Blob[]): ByteSpan | undefined {
  if (request.range !== undefined) return resolveRange(request.range, object.sizeBytes);
  if (request.partNumber === undefined) return undefined;
  const part = blobs[request.partNumber - 1];
  if (part === undefined) {
    throw objectError('invalid', 'partNumber', `The object has no part ${request.partNumber}.`);
  }
  const start = blobs.slice(0, request.partNumber - 1).reduce((sum, blob) => sum + blob.sizeBytes, 0);
  return part.sizeBytes === object.sizeBytes ? undefined : { start, end: start + part.sizeBytes - 1 };
}
