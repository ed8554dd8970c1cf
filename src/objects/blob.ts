import type { WrappedKey } from '#kernel/key-provider.ts';
import type { ChecksumAlgorithm, Checksums } from './checksum.ts';
import type { Digests } from './digest-threads.ts';

/** Encrypted bytes that were written and synced once and never change. `sha256` and `md5` are of the plaintext, hex. */
export type Blob = WrappedKey & {
  blobId: string;
  sizeBytes: number;
  sha256: string;
  md5: string;
  /** How its frames are bound. */
  layout: number;
  /** The encrypted bytes of a small blob, which lie in the store beside its row and not in the vault. */
  sealed?: Uint8Array;
};

/** Plaintext of at most so many bytes is small: the commit that names it makes it durable, and no file has to be synced. */
export const SMALL_BLOB_BYTES = 16 * 1024;

export type WriteOptions = {
  algorithms?: readonly ChecksumAlgorithm[];
  /** Another number of bytes is refused. */
  contentLength?: number;
  /** More than this is refused with `too_large`. */
  maxBytes?: number;
};

/** A span of bytes, both ends counted. */
export type ByteSpan = { start: number; end: number };

/** Where blobs are kept: a folder here; another engine has the same members. */
export type BlobVault = {
  readonly keyName: string;
  /** Encrypts a stream; answers when it is durable, or `sealed` when it is small. It must be settled afterwards by `keep` or `discard`. */
  write(body: AsyncIterable<Uint8Array>, options?: WriteOptions): Promise<Blob & { checksums: Checksums }>;
  /** The commit that names these blobs is durable. */
  keep(blobIds: readonly string[]): void;
  /** Removes blobs that nothing names any more, each as soon as its last reader is done. */
  discard(blobIds: readonly string[]): void;
  /** The plaintext, or a span of it, in chunks of at most a frame; throws `integrity` when a byte is not what was written. */
  read(blob: Blob, span?: ByteSpan): AsyncGenerator<Buffer, void, undefined>;
  /** The checksums of blobs one after the other, computed beside the event loop. */
  digest(blobs: readonly Blob[], algorithms: readonly ChecksumAlgorithm[]): Promise<Digests>;
  /** Nothing is removed until the returned function is called; what was to be removed meanwhile then is. */
  hold(): () => void;
  /** Removes what nothing names and no write in progress owns, when it is older than `graceMs`; returns how many. */
  sweep(options: { graceMs: number; namedAmong: (blobIds: string[]) => Promise<Set<string>> }): Promise<number>;
};
