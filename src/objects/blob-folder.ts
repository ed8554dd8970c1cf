import { randomBytes } from 'node:crypto';
import { chmod, type FileHandle, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#kernel/clock.ts';
import { DATA_KEY_BYTES } from '#kernel/envelope.ts';
import { AppError } from '#kernel/errors.ts';
import type { KeyProvider } from '#kernel/key-provider.ts';
import { type Blob, type BlobVault, type ByteSpan, SMALL_BLOB_BYTES, type WriteOptions } from './blob.ts';
import { blobKeyContext } from './blob-key-store.ts';
import { createBlobOwners } from './blob-owners.ts';
import { createChecksum } from './checksum.ts';
import { FRAME_BYTES, frameCount, frameSpan, openFrame, sealedSize, sealFrame } from './frame.ts';
import { freeNow } from './free-now.ts';

type Deps = { folder: string; keys: KeyProvider; clock: Clock };

const SYNC_EVERY_BYTES = 16 * 1024 * 1024;
const BLOB_ID = /^[0-9a-f]{32}$/;
const FAN_OUT = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, '0'));

/** Opens (or makes) the folder of blobs, 0700: one encrypted file a blob, in 256 subfolders. */
export async function openBlobFolder(deps: Deps): Promise<BlobVault> {
  await mkdir(deps.folder, { recursive: true, mode: 0o700 });
  await chmod(deps.folder, 0o700);
  await Promise.all(FAN_OUT.map((name) => mkdir(join(deps.folder, name), { recursive: true, mode: 0o700 })));
  await syncFolder(deps.folder);
  const pathOf = (blobId: string): string => join(deps.folder, blobId.slice(0, 2), blobId);
  const owners = createBlobOwners((blobId) => {
    // What cannot be removed now is unnamed, and so is removed by a later sweep.
    void unlink(pathOf(blobId)).catch(() => undefined);
  });

  return {
    keyName: deps.keys.keyName,
    write: async (body, options = {}) => {
      const blobId = randomBytes(16).toString('hex');
      owners.begin(blobId);
      try {
        const blob = await writeBlob({ keys: deps.keys, path: pathOf(blobId) }, blobId, body, options);
        if (blob.sealed !== undefined) owners.settle(blobId);
        return blob;
      } catch (error) {
        owners.discard(blobId);
        throw error;
      }
    },
    keep: (blobIds) => {
      for (const blobId of blobIds) owners.settle(blobId);
    },
    discard: (blobIds) => {
      for (const blobId of blobIds) owners.discard(blobId);
    },
    read: async function* (blob, span) {
      const reading = owners.reading(blob.blobId);
      try {
        yield* readBlob({ keys: deps.keys, path: pathOf(blob.blobId) }, blob, span);
      } finally {
        reading.end();
      }
    },
    hold: owners.hold,
    sweep: async (options) => {
      let removed = 0;
      const before = deps.clock.nowMs() - options.graceMs;
      for (const name of FAN_OUT) {
        const found = (await readdir(join(deps.folder, name))).filter((file) => BLOB_ID.test(file));
        const named = found.length === 0 ? new Set<string>() : await options.namedAmong(found);
        for (const blobId of found) {
          if (named.has(blobId) || owners.isOwned(blobId)) continue;
          const file = await stat(pathOf(blobId)).catch(() => undefined);
          if (file === undefined || file.mtimeMs > before) continue;
          owners.discard(blobId);
          removed += 1;
        }
      }
      return removed;
    },
  };
}

type Place = { keys: KeyProvider; path: string };

async function writeBlob(
  at: Place,
  blobId: string,
  body: AsyncIterable<Uint8Array>,
  options: WriteOptions,
): ReturnType<BlobVault['write']> {
  const dataKey = randomBytes(DATA_KEY_BYTES);
  const wrapped = await at.keys.wrap(dataKey, blobKeyContext(blobId));
  const sink = createSink(at.path);
  try {
    const content = await writeFrames(sink, dataKey, blobId, body, options);
    const small = sink.small();
    if (small === undefined) await sink.sync();
    return { blobId, ...content, ...wrapped, ...(small === undefined ? {} : { sealed: small }) };
  } finally {
    await sink.close();
  }
}

/** Where frames go: a file that is made when there is more than one small frame. */
type Sink = {
  /** Takes over the bytes of a frame. */
  write(sealed: Buffer, tag: Buffer, last: boolean): Promise<void>;
  /** The whole when it is small; then there is no file. */
  small(): Buffer | undefined;
  sync(): Promise<void>;
  close(): Promise<void>;
};

function createSink(path: string): Sink {
  let file: FileHandle | undefined;
  let small: Buffer | undefined;
  let unsynced = 0;
  let syncing: Promise<unknown> = Promise.resolve();
  return {
    write: async (sealed, tag, last) => {
      if (last && file === undefined && sealed.length <= SMALL_BLOB_BYTES) {
        small = Buffer.concat([sealed, tag]);
        return;
      }
      const target = file ?? (await open(path, 'wx', 0o600));
      file = target;
      await writeAll(target, sealed);
      await writeAll(target, tag);
      unsynced += sealed.length;
      freeNow(sealed);
      if (unsynced < SYNC_EVERY_BYTES) return;
      // The disk begins while the rest arrives.
      unsynced = 0;
      syncing = syncing.then(() => target.datasync());
      syncing.catch(() => undefined);
    },
    small: () => small,
    sync: async () => {
      await syncing;
      await file?.sync();
      await syncFolder(join(path, '..'));
    },
    close: async () => {
      await syncing.catch(() => undefined);
      await file?.close();
    },
  };
}

async function writeFrames(
  sink: Sink,
  key: Uint8Array,
  blobId: string,
  body: AsyncIterable<Uint8Array>,
  options: WriteOptions,
): Promise<Pick<Blob, 'sizeBytes' | 'sha256' | 'md5'> & { checksums: Record<string, string> }> {
  const algorithms = new Set([...(options.algorithms ?? []), 'sha256' as const, 'md5' as const]);
  const sums = new Map([...algorithms].map((algorithm) => [algorithm, createChecksum(algorithm)]));
  const frame = Buffer.allocUnsafe(Math.min(FRAME_BYTES, options.contentLength ?? FRAME_BYTES));
  let filled = 0;
  let index = 0;
  let sizeBytes = 0;
  const flush = async (last: boolean): Promise<void> => {
    const { sealed, tag } = sealFrame(key, { blobId, index, last }, frame.subarray(0, filled));
    await sink.write(sealed, tag, last);
    index += 1;
    filled = 0;
  };
  for await (const chunk of body) {
    sizeBytes += chunk.length;
    refuseSize(sizeBytes, options, false);
    for (const sum of sums.values()) sum.update(chunk);
    for (let at = 0; at < chunk.length; ) {
      if (filled === FRAME_BYTES) await flush(false);
      const part = chunk.subarray(at, at + FRAME_BYTES - filled);
      frame.set(part, filled);
      filled += part.length;
      at += part.length;
    }
  }
  refuseSize(sizeBytes, options, true);
  await flush(true);
  const digests = new Map([...sums].map(([algorithm, sum]) => [algorithm, sum.digest()]));
  const hex = (algorithm: 'sha256' | 'md5'): string => digests.get(algorithm)?.toString('hex') ?? '';
  const checksums = Object.fromEntries([...digests].map(([name, value]) => [name, value.toString('base64')]));
  return { sizeBytes, sha256: hex('sha256'), md5: hex('md5'), checksums };
}

function refuseSize(sizeBytes: number, options: WriteOptions, ended: boolean): void {
  const { contentLength, maxBytes } = options;
  if (maxBytes !== undefined && sizeBytes > maxBytes) {
    throw new AppError('too_large', `The content is larger than the ${maxBytes} bytes that are allowed.`);
  }
  if (contentLength !== undefined && (sizeBytes > contentLength || (ended && sizeBytes < contentLength))) {
    throw new AppError('invalid', `The content has ${sizeBytes} bytes where ${contentLength} were announced.`, {
      details: { about: 'length', hint: 'Send it again: the connection may have been cut.' },
    });
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await file.write(bytes, at, bytes.length - at)).bytesWritten;
  }
}

async function* readBlob(at: Place, blob: Blob, span?: ByteSpan): AsyncGenerator<Buffer, void, undefined> {
  const start = span?.start ?? 0;
  const end = span?.end ?? blob.sizeBytes - 1;
  const whole = start === 0 && end === blob.sizeBytes - 1;
  const key = await at.keys.unwrap(blob, blobKeyContext(blob.blobId));
  if (blob.sealed !== undefined) {
    const part = readSmall(key, blob, blob.sealed).subarray(start, end + 1);
    if (part.length > 0) yield part;
    return;
  }
  const file = await openSized(at.path, sealedSize(blob.sizeBytes));
  try {
    const sum = whole ? createChecksum('sha256') : undefined;
    const lastIndex = frameCount(blob.sizeBytes) - 1;
    const until = Math.max(0, Math.floor(end / FRAME_BYTES));
    for await (const { index, sealed } of sealedFrames(file, blob.sizeBytes, Math.floor(start / FRAME_BYTES), until)) {
      const plain = openFrame(key, { blobId: blob.blobId, index, last: index === lastIndex }, sealed);
      sum?.update(plain);
      // The last frame leaves only when the digest of the whole is right.
      if (sum !== undefined && index === lastIndex && sum.digest().toString('hex') !== blob.sha256) throw damaged();
      const base = index * FRAME_BYTES;
      const part = plain.subarray(Math.max(0, start - base), Math.min(plain.length, end - base + 1));
      if (part.length > 0) yield part;
    }
  } finally {
    await file.close();
  }
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
  const plain = openFrame(key, { blobId: blob.blobId, index: 0, last: true }, sealed);
  const sum = createChecksum('sha256');
  sum.update(plain);
  if (sum.digest().toString('hex') !== blob.sha256) throw damaged();
  return plain;
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

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
