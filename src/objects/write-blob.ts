import { randomBytes } from 'node:crypto';
import { DATA_KEY_BYTES } from '#kernel/envelope.ts';
import { AppError } from '#kernel/errors.ts';
import type { KeyProvider } from '#kernel/key-provider.ts';
import type { Blob, BlobVault, WriteOptions } from './blob.ts';
import { blobKeyContext } from './blob-key-store.ts';
import type { ChecksumAlgorithm } from './checksum.ts';
import { type Digesting, type Digests, type DigestThreads, digestHere } from './digest-threads.ts';
import { BLOB_LAYOUT, FRAME_BYTES, sealFrame } from './frame.ts';
import { FRAMES_A_WRITE, type FrameMemory } from './frame-memory.ts';
import type { FreeSpace } from './free-space.ts';
import { createSealedFile, type SealedFile } from './sealed-file.ts';

type Place = { keys: KeyProvider; threads: DigestThreads; memory: FrameMemory; space: FreeSpace; path: string };
type Sealing = { key: Uint8Array; blobId: string; file: SealedFile } & Pick<Place, 'threads' | 'memory'>;
type Content = Pick<Blob, 'sizeBytes' | 'sha256' | 'md5'> & { checksums: Record<string, string> };

/** Encrypts a stream into a file at `path`, or into memory when it is small; durable when this resolves. */
export async function writeBlob(
  at: Place,
  blobId: string,
  body: AsyncIterable<Uint8Array>,
  options: WriteOptions,
): ReturnType<BlobVault['write']> {
  const key = randomBytes(DATA_KEY_BYTES);
  const wrapped = await at.keys.wrap(key, blobKeyContext(blobId));
  const file = createSealedFile(at.path, at.space);
  try {
    const content = await writeFrames({ ...at, key, blobId, file }, body, options);
    const small = file.small();
    if (small === undefined) await file.sync();
    return { blobId, layout: BLOB_LAYOUT, ...content, ...wrapped, ...(small === undefined ? {} : { sealed: small }) };
  } finally {
    await file.close();
  }
}

async function writeFrames(to: Sealing, body: AsyncIterable<Uint8Array>, options: WriteOptions): Promise<Content> {
  const algorithms = [...new Set([...(options.algorithms ?? []), 'sha256' as const, 'md5' as const])];
  const frames = createFrames(to, algorithms, options.contentLength ?? Number.POSITIVE_INFINITY);
  let sizeBytes = 0;
  try {
    for await (const chunk of body) {
      sizeBytes += chunk.length;
      refuseSize(sizeBytes, options, false);
      for (let at = 0; at < chunk.length; ) at += await frames.take(chunk, at);
    }
    refuseSize(sizeBytes, options, true);
    const digests = await frames.end();
    const hex = (algorithm: 'sha256' | 'md5'): string => digests.get(algorithm)?.toString('hex') ?? '';
    const checksums = Object.fromEntries([...digests].map(([name, value]) => [name, value.toString('base64')]));
    return { sizeBytes, sha256: hex('sha256'), md5: hex('md5'), checksums };
  } finally {
    await frames.close();
  }
}

/** Cuts bytes into frames. A content of one frame is summed here; of a longer one, a thread sums each frame while it is sealed and written. */
function createFrames(
  { key, blobId, file, threads, memory }: Sealing,
  algorithms: readonly ChecksumAlgorithm[],
  contentLength: number,
) {
  const isShared = contentLength > FRAME_BYTES;
  const slots: { bytes: Buffer; summed: Promise<void> }[] = [];
  const slotOf = (index: number) => {
    const bytes = () => (isShared ? memory.take() : Buffer.allocUnsafe(contentLength));
    const slot = slots[index % FRAMES_A_WRITE] ?? { bytes: bytes(), summed: Promise.resolve() };
    slots[index % FRAMES_A_WRITE] = slot;
    return slot;
  };
  let digesting: Digesting | undefined;
  let index = 0;
  let filled = 0;
  let frame = slotOf(0);
  const sum = (bytes: Buffer, last: boolean): void => {
    digesting ??= last ? digestHere(algorithms) : threads.begin(algorithms);
    frame.summed = digesting.update(bytes);
    frame.summed.catch(() => undefined);
  };
  return {
    /** Takes bytes from `at` on; gives how many. */
    take: async (chunk: Uint8Array, at: number): Promise<number> => {
      if (filled === FRAME_BYTES) {
        sum(frame.bytes, false);
        await file.write(sealFrame(key, { blobId, index, last: false, sha256: '' }, frame.bytes), false);
        index += 1;
        filled = 0;
        frame = slotOf(index);
        await frame.summed;
      }
      const part = chunk.subarray(at, at + FRAME_BYTES - filled);
      frame.bytes.set(part, filled);
      filled += part.length;
      return part.length;
    },
    end: async (): Promise<Digests> => {
      const rest = frame.bytes.subarray(0, filled);
      sum(rest, true);
      const digests = (await digesting?.digest()) ?? new Map();
      const sha256 = digests.get('sha256')?.toString('hex') ?? '';
      await file.write(sealFrame(key, { blobId, index, last: true, sha256 }, rest), true);
      return digests;
    },
    /** Lets go of memory and thread; nothing more is taken. */
    close: async (): Promise<void> => {
      await digesting?.drop();
      if (isShared) for (const slot of slots) memory.giveBack(slot.bytes);
    },
  };
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
