import type { ServerResponse } from 'node:http';
import type { ByteSpan } from '#src/objects/blob.ts';
import type { StoredChecksums, StoredObject } from '#src/objects/object.ts';
import type { S3Request } from './s3-request.ts';

export const quoted = (etag: string): string => `"${etag}"`;
export const isoTime = (ms: number): string => new Date(ms).toISOString();

/** Headers with an object's checksums. */
export function setChecksums(response: ServerResponse, checksums: StoredChecksums): void {
  const values = Object.entries(checksums.values);
  for (const [algorithm, value] of values) response.setHeader(`x-amz-checksum-${algorithm}`, value);
  if (values.length > 0) response.setHeader('x-amz-checksum-type', checksums.type);
}

/** The headers of GET and HEAD; `overrides` are those that the request asks for. A checksum of the whole is never sent with a part of it. */
export function setObjectHeaders(
  response: ServerResponse,
  request: S3Request,
  object: StoredObject & { range: ByteSpan | undefined },
  overrides: readonly [string, string][],
): void {
  const { range } = object;
  const length = range === undefined ? object.sizeBytes : range.end - range.start + 1;
  response.statusCode = range === undefined ? 200 : 206;
  response.setHeader('content-type', object.contentType);
  response.setHeader('etag', quoted(object.etag));
  response.setHeader('last-modified', new Date(object.modifiedMs).toUTCString());
  response.setHeader('accept-ranges', 'bytes');
  response.setHeader('x-amz-server-side-encryption', 'AES256');
  for (const [name, value] of Object.entries(object.headers)) response.setHeader(name, value);
  for (const [name, value] of Object.entries(object.metadata)) response.setHeader(`x-amz-meta-${name}`, value);
  const tagCount = Object.keys(object.tags).length;
  if (tagCount > 0) response.setHeader('x-amz-tagging-count', tagCount);
  if (range !== undefined) {
    response.setHeader('content-range', `bytes ${range.start}-${range.end}/${object.sizeBytes}`);
  } else if (request.headers.get('x-amz-checksum-mode')?.toUpperCase() === 'ENABLED') {
    setChecksums(response, object.checksums);
  }
  if (request.query.has('partNumber') && object.partCount > 0) {
    response.setHeader('x-amz-mp-parts-count', object.partCount);
  }
  for (const [name, value] of overrides) response.setHeader(name, value);
  // After Content-Disposition: Node changes the bytes of that one when it knows the length before it.
  response.setHeader('content-length', length);
}
