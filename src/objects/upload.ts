import type { ChecksumAlgorithm, Checksums } from './checksum.ts';
import { type Attributes, type ChecksumType, objectError } from './object.ts';

/** A multipart upload in progress. */
export type Upload = Attributes & {
  uploadId: string;
  bucket: string;
  key: string;
  owner: string;
  checksumAlgorithm: ChecksumAlgorithm | undefined;
  checksumType: ChecksumType | undefined;
  createdMs: number;
};

/** One part of it; `etag` is the MD5 of its bytes. */
export type UploadPart = {
  partNumber: number;
  blobId: string;
  sizeBytes: number;
  etag: string;
  checksums: Checksums;
  modifiedMs: number;
};

/** What a client names when it completes. */
export type NamedPart = { partNumber: number; etag: string; checksums?: Checksums };

export const LARGEST_PART_NUMBER = 10_000;
/** All parts but the last have at least this size. */
export const SMALLEST_PART_BYTES = 5 * 1024 * 1024;
export const LARGEST_OBJECT_BYTES = 5 * 1024 ** 4;
export const LARGEST_PART_BYTES = 5 * 1024 ** 3;

export const uploadMissing = () =>
  objectError('not_found', 'upload', 'There is no such upload: it was completed, aborted or never begun.');

/** The parts that are named, in their order; throws `invalid` for a part that is missing, changed, out of order or too small. */
export function choseParts(parts: readonly UploadPart[], named: readonly NamedPart[]): UploadPart[] {
  if (named.length === 0) throw objectError('invalid', 'partList', 'An upload is completed with at least one part.');
  const byNumber = new Map(parts.map((part) => [part.partNumber, part]));
  if (named.some((one, index) => index > 0 && (named[index - 1]?.partNumber ?? 0) >= one.partNumber)) {
    throw objectError('invalid', 'partOrder', 'Parts are named in ascending order, each once.');
  }
  return named.map((wanted, index) => {
    const part = byNumber.get(wanted.partNumber);
    const sums = Object.entries(wanted.checksums ?? {});
    const same = sums.every(([algorithm, value]) => {
      const stored = part?.checksums[algorithm as ChecksumAlgorithm];
      return stored === undefined || stored === value;
    });
    if (part === undefined || part.etag !== wanted.etag || !same) {
      throw objectError('invalid', 'part', `Part ${wanted.partNumber} was not uploaded, or not with this ETag.`);
    }
    if (index < named.length - 1 && part.sizeBytes < SMALLEST_PART_BYTES) {
      throw objectError('invalid', 'partSize', `Part ${wanted.partNumber} is smaller than 5 MiB and is not the last.`);
    }
    return part;
  });
}
