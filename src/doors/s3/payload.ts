/** The body of a request: which coding it has, how long it is, and what its sender says its checksums are. */
import type { IncomingMessage } from 'node:http';
import {
  CHECKSUM_ALGORITHMS,
  type ChecksumAlgorithm,
  type ChecksumExpectation,
  type Checksums,
  createChecksum,
} from '#src/objects/checksum.ts';
import { BYTES_OF_A_WRITE } from '#src/objects/frame-memory.ts';
import { freeNow } from '#src/objects/free-now.ts';
import { matchChecksums } from '#src/objects/object.ts';
import { connectionCut } from '#src/objects/take-in.ts';
import { type ChunkSigning, decodeAwsChunked } from './aws-chunked.ts';
import { wireError } from './s3-error.ts';
import type { S3Request } from './s3-request.ts';
import type { Call } from './s3-route.ts';

export type Payload = {
  body: AsyncIterable<Uint8Array>;
  contentLength: number | undefined;
  checksums: ChecksumExpectation;
};

const PREFIX = 'x-amz-checksum-';
const LARGEST_XML_BYTES = 4 * 1024 * 1024;
const SHA256 = /^[0-9a-f]{64}$/;

const named = (name: string | undefined): ChecksumAlgorithm | undefined =>
  CHECKSUM_ALGORITHMS.find((algorithm) => algorithm !== 'md5' && algorithm === name?.trim().toLowerCase());

/** The payload of a request; nothing is read before somebody reads its body. */
function readPayload(message: IncomingMessage, request: S3Request, signing: ChunkSigning | undefined): Payload {
  const { headers } = request;
  const sha256 = headers.get('x-amz-content-sha256') ?? 'UNSIGNED-PAYLOAD';
  const expected = expectedChecksums(headers, sha256);
  const trailing = trailerNames(headers);
  const algorithms = [
    ...new Set([
      ...CHECKSUM_ALGORITHMS.filter((algorithm) => headers.has(`${PREFIX}${algorithm}`)),
      ...trailing,
      ...[named(headers.get('x-amz-sdk-checksum-algorithm'))].filter((one) => one !== undefined),
    ]),
  ];
  const checksums: ChecksumExpectation = { algorithms, expected: () => expected };
  if (!isChunked(headers, sha256)) {
    return { body: message, contentLength: lengthOf(headers.get('content-length')), checksums };
  }
  const onTrailers = (trailers: Map<string, string>): void => {
    for (const algorithm of trailing) {
      const value = trailers.get(`${PREFIX}${algorithm}`);
      if (value === undefined)
        throw wireError('MalformedTrailerError', `The trailer ${PREFIX}${algorithm} is missing.`);
      expected[algorithm] = value;
    }
  };
  const contentLength = lengthOf(headers.get('x-amz-decoded-content-length'));
  if (contentLength === undefined) {
    throw wireError('MissingContentLength', 'A body in chunks needs the header x-amz-decoded-content-length.');
  }
  return { body: decodeAwsChunked(message, { signing, onTrailers }), contentLength, checksums };
}

/** The payload that becomes content. While it is taken in, some frames of it are in memory: that is accounted for here. Its chunks are good until the next. */
export function readContent({ message, request, signing, hold }: Call): Payload {
  const payload = readPayload(message, request, signing);
  hold(Math.min(BYTES_OF_A_WRITE, payload.contentLength ?? BYTES_OF_A_WRITE));
  return payload.body === message ? { ...payload, body: freed(message) } : payload;
}

/** Gives the memory of each chunk back when the next is asked for: waiting for the collector, a fast sender would pile up dozens of frames. */
async function* freed(message: IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of message as AsyncIterable<Buffer>) {
    yield chunk;
    freeNow(chunk);
  }
}

/** The text of a request's XML, at most 4 MiB, with its checksums proven. */
export async function readText({ message, request, signing, hold }: Call): Promise<string> {
  const { body, checksums } = readPayload(message, request, signing);
  const sums = new Map(
    [...checksums.algorithms, 'sha256' as const, 'md5' as const].map((one) => [one, createChecksum(one)]),
  );
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of uncut(body)) {
    size += chunk.length;
    if (size > LARGEST_XML_BYTES) throw wireError('EntityTooLarge', 'The XML of a request has at most 4 MiB.');
    hold(chunk.length);
    for (const sum of sums.values()) sum.update(chunk);
    chunks.push(chunk);
  }
  const actual = Object.fromEntries([...sums].map(([name, sum]) => [name, sum.digest().toString('base64')]));
  matchChecksums(actual, checksums.expected());
  return Buffer.concat(chunks).toString('utf8');
}

/** The same bytes; a connection that ends in the middle of them is the client's doing. */
async function* uncut(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* body;
  } catch (error) {
    throw connectionCut(error) ?? error;
  }
}

/** What a writer's headers say of the object beside its content. */
export function readAttributes(request: S3Request) {
  const { headers } = request;
  const metadata: Record<string, string> = {};
  for (const [name, value] of headers) if (name.startsWith('x-amz-meta-')) metadata[name.slice(11)] = value;
  const kept: Record<string, string> = {};
  for (const name of ['cache-control', 'content-disposition', 'content-language', 'expires']) {
    const value = headers.get(name);
    if (value !== undefined) kept[name] = value;
  }
  const codings = (headers.get('content-encoding') ?? '').split(',').map((one) => one.trim());
  const encoding = codings.filter((one) => one !== '' && one !== 'aws-chunked').join(',');
  if (encoding !== '') kept['content-encoding'] = encoding;
  const contentType = headers.get('content-type');
  return { metadata, headers: kept, ...(contentType === undefined ? {} : { contentType }) };
}

/** Refuses what this cannot do and must not seem to do: public grants, keys of the client's, other keys of the server's. */
export function refuseUnkept(headers: Map<string, string>): void {
  const acl = headers.get('x-amz-acl');
  const grants = [...headers.keys()].some((name) => name.startsWith('x-amz-grant-'));
  if (grants || (acl !== undefined && !['private', 'bucket-owner-full-control'].includes(acl))) {
    throw wireError('AccessControlListNotSupported', 'There are no access control lists: policy decides who may read.');
  }
  const ciphers = headers.get('x-amz-server-side-encryption');
  const own = headers.has('x-amz-server-side-encryption-customer-algorithm');
  if (own || (ciphers !== undefined && ciphers !== 'AES256')) {
    throw wireError('NotImplemented', 'Objects are encrypted with AES-256 under the key of this installation only.');
  }
  const locked = [...headers.keys()].some((name) => name.startsWith('x-amz-object-lock-'));
  if (locked || headers.has('x-amz-website-redirect-location')) {
    throw wireError('NotImplemented', 'Object locks and redirects are not offered.');
  }
}

const isChunked = (headers: Map<string, string>, sha256: string): boolean =>
  sha256.startsWith('STREAMING-') || /(^|,)\s*aws-chunked\s*(,|$)/.test(headers.get('content-encoding') ?? '');

function expectedChecksums(headers: Map<string, string>, sha256: string): Checksums {
  const expected: Checksums = {};
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const value = headers.get(`${PREFIX}${algorithm}`);
    if (value !== undefined) expected[algorithm] = value;
  }
  const md5 = headers.get('content-md5');
  if (md5 !== undefined) {
    if (Buffer.from(md5, 'base64').length !== 16)
      throw wireError('InvalidDigest', 'Content-MD5 is not an MD5 in base64.');
    expected.md5 = md5;
  }
  if (SHA256.test(sha256)) expected.sha256 = Buffer.from(sha256, 'hex').toString('base64');
  return expected;
}

function trailerNames(headers: Map<string, string>): ChecksumAlgorithm[] {
  const names = (headers.get('x-amz-trailer') ?? '').split(',').map((name) => name.trim().toLowerCase());
  return names.flatMap((name) => (name.startsWith(PREFIX) ? (named(name.slice(PREFIX.length)) ?? []) : []));
}

function lengthOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw wireError('InvalidArgument', 'The length of the body is not a number.');
  return Number(text);
}
