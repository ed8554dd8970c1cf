import { type FileHandle, open } from 'node:fs/promises';
import { AppError } from '#kernel/errors.ts';
import type { KeyProvider } from '#kernel/key-provider.ts';
import type { Blob, ByteSpan } from './blob.ts';
import { blobKeyContext } from './blob-key-store.ts';
import { createChecksum } from './checksum.ts';
import { FRAME_BYTES, type FramePlace, frameCount, frameSpan, openFrame, sealedSize } from './frame.ts';

type Place = { keys: KeyProvider; path: string };

/** The plaintext of a blob, or a span of it. The last frame leaves only when the content is the one that the store's digest names. */
export async function* readBlob(at: Place, blob: Blob, span?: ByteSpan): AsyncGenerator<Buffer, void, undefined> {
  const start = span?.start ?? 0;
  const end = span?.end ?? blob.sizeBytes - 1;
  const key = await at.keys.unwrap(blob, blobKeyContext(blob.blobId));
  if (blob.sealed !== undefined) {
    const part = readSmall(key, blob, blob.sealed).subarray(start, end + 1);
    if (part.length > 0) yield part;
    return;
  }
  const file = await openSized(at.path, sealedSize(blob.sizeBytes));
  try {
    const whole = start === 0 && end === blob.sizeBytes - 1;
    const proven = whole ? provingDigest(blob) : (plain: Buffer) => plain;
    const until = Math.max(0, Math.floor(end / FRAME_BYTES));
    for await (const { index, sealed } of sealedFrames(file, blob.sizeBytes, Math.floor(start / FRAME_BYTES), until)) {
      const place = placeOf(blob, index);
      const plain = proven(openFrame(key, place, sealed), place.last);
      const base = index * FRAME_BYTES;
      const part = plain.subarray(Math.max(0, start - base), Math.min(plain.length, end - base + 1));
      if (part.length > 0) yield part;
    }
  } finally {
    await file.close();
  }
}

function placeOf({ blobId, sizeBytes, layout, sha256 }: Blob, index: number): FramePlace {
  const last = index === frameCount(sizeBytes) - 1;
  if (layout === 1) return { blobId, index, last };
  return { blobId, index, last, sha256: last ? sha256 : '' };
}

/** Gives on what it is given, up to the last frame of a content that has another digest. Since layout 2 that frame does not open then. */
function provingDigest(blob: Blob): (plain: Buffer, last: boolean) => Buffer {
  if (blob.layout !== 1) return (plain) => plain;
  const sum = createChecksum('sha256');
  return (plain, last) => {
    sum.update(plain);
    if (last && sum.digest().toString('hex') !== blob.sha256) throw damaged();
    return plain;
  };
}

/** The frames from one to another, each read while the one before is worked on; its bytes are good until the next but one. */
async function* sealedFrames(
  file: FileHandle,
  sizeBytes: number,
  from: number,
  until: number,
): AsyncGenerator<{ index: number; sealed: Buffer }, void, undefined> {
  const longest = frameSpan(0, sizeBytes).length;
  const buffers = [Buffer.allocUnsafe(longest), Buffer.allocUnsafe(longest)];
  const read = (index: number): Promise<Buffer> => {
    const { offset, length } = frameSpan(index, sizeBytes);
    return readExactly(file, (buffers[index % 2] as Buffer).subarray(0, length), offset);
  };
  let next = read(from);
  for (let index = from; index <= until; index += 1) {
    const sealed = await next;
    if (index < until) {
      next = read(index + 1);
      // Whoever stops to read does not wait for it, and its failure is then nobody's.
      next.catch(() => undefined);
    }
    yield { index, sealed };
  }
}

function readSmall(key: Uint8Array, blob: Blob, sealed: Uint8Array): Buffer {
  if (sealed.length !== sealedSize(blob.sizeBytes)) throw damaged();
  return provingDigest(blob)(openFrame(key, placeOf(blob, 0), sealed), true);
}

async function openSized(path: string, sealedBytes: number): Promise<FileHandle> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw damaged(error);
  }
  if ((await file.stat()).size === sealedBytes) return file;
  await file.close();
  throw damaged();
}

async function readExactly(file: FileHandle, bytes: Buffer, offset: number): Promise<Buffer> {
  for (let got = 0; got < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, got, bytes.length - got, offset + got);
    if (bytesRead === 0) throw damaged();
    got += bytesRead;
  }
  return bytes;
}

const damaged = (cause?: unknown): AppError =>
  new AppError('integrity', 'Stored bytes are missing or were changed on disk: this object cannot be read.', { cause });
