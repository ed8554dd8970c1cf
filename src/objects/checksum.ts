/** Checksums of content as S3 clients send them: base64 of the big-endian value. */
import { createHash, type Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { createCrc32c, createCrc64nvme } from './crc.ts';

export const CHECKSUM_ALGORITHMS = ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256', 'md5'] as const;
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number];

/** Values by algorithm, base64. */
export type Checksums = Partial<Record<ChecksumAlgorithm, string>>;

/** What the sender says the content's checksums are: `expected` is asked after the last byte, because they may come in a trailer. */
export type ChecksumExpectation = {
  /** Computed and kept with the object. */
  algorithms: readonly ChecksumAlgorithm[];
  expected: () => Checksums;
};

/** A checksum in progress. */
export type Checksum = { update(chunk: Uint8Array): void; digest(): Buffer };

/** Starts a checksum. */
export function createChecksum(algorithm: ChecksumAlgorithm): Checksum {
  if (algorithm === 'crc32') return createCrc32();
  if (algorithm === 'crc32c') return createCrc32c();
  if (algorithm === 'crc64nvme') return createCrc64nvme();
  return hashOf(createHash(algorithm));
}

function hashOf(hash: Hash): Checksum {
  return {
    update: (chunk) => {
      hash.update(chunk);
    },
    digest: () => hash.digest(),
  };
}

function createCrc32(): Checksum {
  let value = 0;
  return {
    update: (chunk) => {
      value = crc32(chunk, value);
    },
    digest: () => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value >>> 0);
      return bytes;
    },
  };
}
