import { AppError } from '#kernel/errors.ts';
import type { Identity } from '#src/gateway/crossing.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import type { ChecksumAlgorithm, Checksums } from './checksum.ts';

/** Who asks, through which door, under which request id: the part that all use cases of objects share. */
export type Caller = { identity: Identity; door: string; requestId: string };

export type ChecksumType = 'FULL_OBJECT' | 'COMPOSITE';

/** The checksums that the writer asked for. A composite one is over the checksums of the parts and ends in `-N`. */
export type StoredChecksums = { type: ChecksumType; values: Checksums };

/** What the writer says about an object beside its content; `headers` are HTTP's own, as `cache-control`. */
export type Attributes = {
  contentType: string;
  metadata: Record<string, string>;
  headers: Record<string, string>;
  tags: Record<string, string>;
};

/** An object as it is stored. `etag` is the MD5 of the content (or `md5-N` of N parts), `digest` is `sha256:…` of the whole. */
export type StoredObject = Attributes & {
  bucket: string;
  key: string;
  contentId: string;
  sizeBytes: number;
  etag: string;
  digest: string;
  checksums: StoredChecksums;
  partCount: number;
  owner: string;
  modifiedMs: number;
};

/** Conditions of RFC 9110 section 13 on an object's ETag (without quotes, `*` for any) and its time. */
export type Conditions = {
  ifMatch?: string[];
  ifNoneMatch?: string[];
  ifModifiedSinceMs?: number;
  ifUnmodifiedSinceMs?: number;
};

export type WriteRequest = Caller & {
  bucket: string;
  key: string;
  contentType?: string;
  metadata?: Record<string, string>;
  headers?: Record<string, string>;
  tags?: Record<string, string>;
  conditions?: Conditions;
};

export const DEFAULT_CONTENT_TYPE = 'application/octet-stream';
const KEY_BYTES = 1024;

/** An error about a part of a request; `about` is what a door chooses its wire error by. */
export const objectError = (
  code: 'invalid' | 'not_found' | 'conflict' | 'precondition_failed' | 'denied' | 'too_large',
  about: string,
  message: string,
  hint?: string,
): AppError => new AppError(code, message, { details: { about, ...(hint === undefined ? {} : { hint }) } });

/** Refuses a key that is empty, longer than 1,024 bytes of UTF-8, or not text that both stores can hold. */
export function checkKey(key: string): void {
  if (key === '' || Buffer.byteLength(key) > KEY_BYTES) {
    throw objectError('invalid', 'keyLength', `An object's key has 1 to ${KEY_BYTES} bytes.`);
  }
  if (key.includes('\0') || !key.isWellFormed()) {
    throw objectError('invalid', 'key', "An object's key is well-formed text without NUL.");
  }
}

/** The attributes of a write, with what was not given filled in. */
export const attributesOf = (request: Omit<WriteRequest, keyof Caller | 'bucket' | 'key'>): Attributes => ({
  contentType: request.contentType ?? DEFAULT_CONTENT_TYPE,
  metadata: request.metadata ?? {},
  headers: request.headers ?? {},
  tags: request.tags ?? {},
});

/** An object's content in the lineage graph: other content under the same key is another node. */
export const nodeOfObject = (object: { bucket: string; key: string; digest: string }): NodeRef => ({
  kind: 'object',
  id: `${object.bucket}/${object.key}@${object.digest.slice('sha256:'.length, 'sha256:'.length + 12)}`,
  name: `${object.bucket}/${object.key}`,
  digest: object.digest,
});

/** How an object is named in audit entries. */
export const auditObject = (
  bucket: string,
  key: string,
  digest?: string,
): { kind: string; id: string; name: string; digest?: string } => ({
  kind: 'object',
  id: `${bucket}/${key}`,
  name: `${bucket}/${key}`,
  ...(digest === undefined ? {} : { digest }),
});

/** The checksums that are kept: those that the writer asked for, not all that were computed. */
export function keptChecksums(all: Checksums, asked: readonly ChecksumAlgorithm[] | undefined): StoredChecksums {
  const values: Checksums = {};
  for (const algorithm of asked ?? []) {
    const value = all[algorithm];
    if (algorithm !== 'md5' && value !== undefined) values[algorithm] = value;
  }
  return { type: 'FULL_OBJECT', values };
}

/** Refuses content whose checksum is not the one that its sender named. */
export function matchChecksums(actual: Checksums, expected: Checksums): void {
  for (const [algorithm, value] of Object.entries(expected)) {
    if (value === undefined || actual[algorithm as ChecksumAlgorithm] === value) continue;
    throw objectError(
      'invalid',
      'checksum',
      `The ${algorithm} of what arrived is not the one that was sent with it.`,
      'Send it again: it was changed on its way.',
    );
  }
}
