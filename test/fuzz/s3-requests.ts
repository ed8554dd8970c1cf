/** Requests to the S3 door that only their signer could have sent: hostile where a stranger's never get. */
import fc from 'fast-check';
import { uriEncode } from '#src/doors/s3/signature.ts';
import type { AccessKey } from '../sign-s3.ts';
import { sha256Hex, signS3 } from '../sign-s3.ts';
import { hostileText } from './target.ts';

/** One request before it is signed. */
export type HostileRequest = {
  method: string;
  path: string;
  query: [string, string][];
  headers: Record<string, string>;
  body: Body;
};

type Body =
  | { kind: 'none' }
  | { kind: 'whole'; bytes: Buffer; claimed: 'right' | 'unsigned' | 'wrong' }
  | { kind: 'chunks'; chunks: Uint8Array[]; trailer: string; signed: boolean; break: Break };

/** What is wrong with a body in chunks. */
type Break = 'nothing' | 'signature' | 'size' | 'huge' | 'cut' | 'length' | 'trailer';

/** Stands for the upload, and the tag of its part, that the world of the fuzzing has begun. */
export const UPLOAD = 'UPLOAD-ID';
export const PART_TAG = 'PART-TAG';
export const BUCKET = 'fuzz';

const text = hostileText(
  'a',
  'b/',
  '/',
  '..',
  "'",
  '"',
  '\\',
  '&',
  '<',
  '>',
  '%',
  '_',
  '0',
  '-1',
  'null',
  'x'.repeat(300),
);
const wellFormed = text.map((one) => one.toWellFormed());
const key = fc.oneof(fc.constantFrom('kept', 'folder/kept', 'upload', ''), wellFormed);
const bucket = fc.oneof(
  { weight: 8, arbitrary: fc.constant(BUCKET) },
  fc.constantFrom('other', 'none', 'mlflow'),
  wellFormed,
);
const number = fc.constantFrom('0', '1', '2', '10000', '10001', '-1', '1e3', '', '99999999999999999999', '2147483648');

const QUERY =
  `uploads uploadId partNumber list-type prefix delimiter max-keys start-after continuation-token marker key-marker
  upload-id-marker version-id-marker versionId encoding-type fetch-owner max-uploads max-parts part-number-marker tagging acl delete location
  versioning encryption versions response-content-type response-content-disposition attributes policy X-Amz-Algorithm`.split(
    /\s+/,
  );
const query = fc.array(
  fc.tuple(
    fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...QUERY) }, wellFormed),
    fc.oneof(fc.constantFrom('', UPLOAD, 'url', '2', 'true'), number, wellFormed),
  ),
  { maxLength: 4 },
);

const HEADERS =
  `range if-match if-none-match if-modified-since if-unmodified-since content-type content-md5 content-encoding
  cache-control content-disposition expires x-amz-copy-source x-amz-copy-source-range x-amz-copy-source-if-match x-amz-metadata-directive
  x-amz-tagging x-amz-tagging-directive x-amz-meta-a x-amz-meta-b x-amz-acl x-amz-checksum-crc32 x-amz-checksum-sha256 x-amz-checksum-algorithm
  x-amz-checksum-type x-amz-checksum-mode x-amz-sdk-checksum-algorithm x-amz-storage-class x-amz-server-side-encryption
  x-amz-object-lock-mode x-amz-trailer x-amz-decoded-content-length x-amz-security-token x-amz-mp-object-size`.split(
    /\s+/,
  );
/** What a header can hold on the wire. */
const headerText = fc.oneof(
  wellFormed.map((one) =>
    Buffer.from(one)
      .toString('latin1')
      .replace(/[^\t\x20-\x7e\x80-\xff]/g, '')
      .trim(),
  ),
  fc.constantFrom(
    `/${BUCKET}/kept`,
    `${BUCKET}/kept?versionId=null`,
    'REPLACE',
    'bytes=0-1',
    'bytes=-0',
    '*',
    '"etag"',
    'CRC32',
    'a=1&b=2',
    'COMPOSITE',
    'AAAAAA==',
    'aws-chunked',
  ),
);
const headers = fc.dictionary(fc.constantFrom(...HEADERS), headerText, { maxKeys: 4 });

const xmlText = fc.oneof(
  { weight: 3, arbitrary: wellFormed.map((one) => one.replaceAll('&', '&amp;').replaceAll('<', '&lt;')) },
  fc.constantFrom('&#0;', '&#x1F600;', '&#xD800;', '<![CDATA[a]]>', '<a/>', 'kept'),
);
const list = (one: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.array(one, { maxLength: 4 }).map((all) => all.join(''));
const document = fc.oneof(
  list(
    fc
      .tuple(fc.oneof(number, xmlText), fc.oneof(fc.constant(PART_TAG), xmlText), xmlText)
      .map(
        ([at, tag, sum]) =>
          `<Part><PartNumber>${at}</PartNumber><ETag>${tag}</ETag><ChecksumCRC32>${sum}</ChecksumCRC32></Part>`,
      ),
  ).map((parts) => `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`),
  list(xmlText.map((one) => `<Object><Key>${one}</Key><VersionId>null</VersionId></Object>`)).map(
    (objects) => `<Delete><Quiet>false</Quiet>${objects}</Delete>`,
  ),
  list(fc.tuple(xmlText, xmlText).map(([name, value]) => `<Tag><Key>${name}</Key><Value>${value}</Value></Tag>`)).map(
    (tags) => `<Tagging><TagSet>${tags}</TagSet></Tagging>`,
  ),
  xmlText.map((one) => `<Delete>${one}`),
);

const body: fc.Arbitrary<Body> = fc.oneof(
  fc.constant<Body>({ kind: 'none' }),
  fc.record({
    kind: fc.constant('whole' as const),
    bytes: fc.oneof(document, document, wellFormed).map((one) => Buffer.from(one)),
    claimed: fc.constantFrom('right', 'right', 'unsigned', 'wrong'),
  }),
  fc.record({
    kind: fc.constant('chunks' as const),
    chunks: fc.oneof(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 4 }),
      document.map((one) => [Buffer.from(one)]),
    ),
    trailer: fc.oneof(
      fc.constantFrom('', 'x-amz-checksum-crc32:AAAAAA=='),
      headerText.map((one) => `x-amz-meta:${one}`),
    ),
    signed: fc.boolean(),
    break: fc.constantFrom<Break>('nothing', 'nothing', 'signature', 'size', 'huge', 'cut', 'length', 'trailer'),
  }),
);

/** An operation as it is meant, with one thing or another about it hostile. */
const meant = fc.constantFrom<{ method: string; query: [string, string][] }>(
  { method: 'GET', query: [] },
  { method: 'GET', query: [['list-type', '2']] },
  { method: 'HEAD', query: [] },
  { method: 'PUT', query: [] },
  { method: 'DELETE', query: [] },
  { method: 'POST', query: [['delete', '']] },
  { method: 'POST', query: [['uploads', '']] },
  { method: 'POST', query: [['uploadId', UPLOAD]] },
  { method: 'GET', query: [['uploadId', UPLOAD]] },
  {
    method: 'PUT',
    query: [
      ['partNumber', '1'],
      ['uploadId', UPLOAD],
    ],
  },
  { method: 'PUT', query: [['tagging', '']] },
);

export const hostileRequest: fc.Arbitrary<HostileRequest> = fc
  .record({ meant, bucket, key, plain: fc.boolean(), query, headers, body })
  .map(
    ({ meant: { method, query: own }, bucket: first, key: rest, plain, query: more, headers: some, body: sent }) => ({
      method,
      path: plain ? `/${BUCKET}/upload` : `/${uriEncode(first)}${rest === '' ? '' : `/${uriEncode(rest, true)}`}`,
      query: plain ? own : [...own, ...more],
      headers: some,
      body: sent,
    }),
  );

export type Wire = { method: string; target: string; headers: Record<string, string>; body: Buffer };

/** The bytes that go out, with a signature that is right for them. */
export function signedWire(
  request: HostileRequest,
  world: { host: string; key: AccessKey; uploadId: string; partTag: string },
): Wire {
  const named = (one: string): string => one.replaceAll(UPLOAD, world.uploadId).replaceAll(PART_TAG, world.partTag);
  const { method, path, body: sent } = request;
  const words = request.query.map(([name, value]) => `${uriEncode(name)}=${uriEncode(named(value))}`).join('&');
  const target = words === '' ? path : `${path}?${words}`;
  const own = { ...request.headers, host: world.host };
  if (sent.kind === 'chunks') return chunkedWire(sent, { method, target, headers: own }, world.key);
  const bytes = sent.kind === 'none' ? Buffer.alloc(0) : Buffer.from(named(sent.bytes.toString()));
  const claimed = sent.kind === 'none' ? 'right' : sent.claimed;
  const payload = { right: sha256Hex(bytes), unsigned: 'UNSIGNED-PAYLOAD', wrong: sha256Hex('other') }[claimed];
  const { headers: signed } = signS3(world.key, { method, target, headers: own, payload });
  return { method, target, headers: { ...signed, 'content-length': String(bytes.length) }, body: bytes };
}

function chunkedWire(
  sent: Extract<Body, { kind: 'chunks' }>,
  request: { method: string; target: string; headers: Record<string, string> },
  key: AccessKey,
): Wire {
  const { chunks, trailer, signed, break: broken } = sent;
  const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const trailing = trailer === '' ? '' : '-TRAILER';
  const { headers, chunks: signer } = signS3(key, {
    ...request,
    headers: {
      ...request.headers,
      'content-encoding': 'aws-chunked',
      'x-amz-decoded-content-length': String(broken === 'length' ? size + 1 : size),
      ...(trailer === '' ? {} : { 'x-amz-trailer': 'x-amz-checksum-crc32' }),
    },
    payload: signed ? `STREAMING-AWS4-HMAC-SHA256-PAYLOAD${trailing}` : 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  });
  const pieces = [...chunks, new Uint8Array()].map((chunk, at) => {
    const right = signer.chunk(chunk);
    const signature = broken === 'signature' && at === 0 ? sha256Hex(right) : right;
    const length = { size: chunk.length + 1, huge: 0xffff_ffff_ffff }[broken as string] ?? chunk.length;
    const head = `${(chunk.length === 0 ? 0 : length).toString(16)}${signed ? `;chunk-signature=${signature}` : ''}\r\n`;
    return Buffer.concat([Buffer.from(head), chunk, Buffer.from(chunk.length === 0 ? '' : '\r\n')]);
  });
  const tail = trailer === '' ? '' : `${broken === 'trailer' ? trailer.replace(':', ' ') : trailer}\r\n`;
  const sign = signed && trailer !== '' ? `x-amz-trailer-signature:${signer.trailer(`${trailer}\n`)}\r\n` : '';
  const whole = Buffer.concat([...pieces, Buffer.from(`${tail}${sign}\r\n`, 'latin1')]);
  const bytes = broken === 'cut' ? whole.subarray(0, Math.floor(whole.length / 2)) : whole;
  return { ...request, headers: { ...headers, 'content-length': String(bytes.length) }, body: bytes };
}
