/** How a blob lies on disk: AES-256-GCM frames of 1 MiB plaintext, each bound to its blob, its place and whether it is the last; the last one to the digest of the whole. */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { AppError } from '#kernel/errors.ts';

export const FRAME_BYTES = 1024 * 1024;
const TAG_BYTES = 16;
/** So much is sealed in one step: what stays in the processor's cache is worked on faster. */
const STEP_BYTES = 64 * 1024;

/**
 * Which frame this is; sealed into its nonce and its additional data, so that frames cannot be swapped, repeated or cut off. With `sha256` (hex, of the
 * whole blob) the last frame opens only for whoever expects that content.
 */
export type FramePlace = { blobId: string; index: number; last: boolean; sha256?: string };

/** Layout 2 binds the last frame to the digest of the whole; layout 1 did not, and its digest is computed anew when it is read. */
export const BLOB_LAYOUT = 2;

/** How many frames hold this many bytes; an empty blob is one empty frame. */
export const frameCount = (sizeBytes: number): number => Math.max(1, Math.ceil(sizeBytes / FRAME_BYTES));

/** The size of the file that holds this many bytes of plaintext. */
export const sealedSize = (sizeBytes: number): number => sizeBytes + frameCount(sizeBytes) * TAG_BYTES;

/** Where a frame lies in the file, and how long it is with its tag. */
export function frameSpan(index: number, sizeBytes: number): { offset: number; length: number } {
  const plain = Math.min(FRAME_BYTES, sizeBytes - index * FRAME_BYTES);
  return { offset: index * (FRAME_BYTES + TAG_BYTES), length: plain + TAG_BYTES };
}

/** Ciphertext and tag of one frame, in the order of the file. Every blob has a key of its own, so the place alone is a nonce that never repeats. */
export function sealFrame(key: Uint8Array, place: FramePlace, plaintext: Uint8Array): Buffer[] {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(place), { authTagLength: TAG_BYTES });
  cipher.setAAD(boundTo(place));
  const sealed: Buffer[] = [];
  for (let at = 0; at < plaintext.length; at += STEP_BYTES)
    sealed.push(cipher.update(plaintext.subarray(at, at + STEP_BYTES)));
  cipher.final();
  sealed.push(cipher.getAuthTag());
  return sealed;
}

/** The plaintext of one frame; throws `integrity` when one bit of it, its place or its key differs. */
export function openFrame(key: Uint8Array, place: FramePlace, sealed: Uint8Array): Buffer {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(place), { authTagLength: TAG_BYTES });
    decipher.setAAD(boundTo(place));
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const plain = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
    decipher.final();
    return plain;
  } catch (error) {
    throw new AppError('integrity', 'Stored bytes were changed on disk: this object cannot be read.', { cause: error });
  }
}

function nonceOf(place: FramePlace): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt8(place.last ? 1 : 0, 0);
  nonce.writeBigUInt64BE(BigInt(place.index), 4);
  return nonce;
}

function boundTo({ blobId, index, last, sha256 }: FramePlace): Buffer {
  const place = `${blobId}\0${index}\0${last ? 'last' : 'more'}`;
  return Buffer.from(sha256 === undefined ? `fumehood blob 1\0${place}` : `fumehood blob 2\0${place}\0${sha256}`);
}
