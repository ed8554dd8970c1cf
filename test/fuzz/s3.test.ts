import assert from 'node:assert/strict';
import { describe } from 'node:test';
import fc from 'fast-check';
import { decodeAwsChunked } from '#src/doors/s3/aws-chunked.ts';
import { readXml, type XmlElement } from '#src/doors/s3/read-xml.ts';
import { readRange } from '#src/doors/s3/s3-request.ts';
import {
  type Credential,
  canonicalRequest,
  parseQuery,
  readCredential,
  type SignedRequest,
  signingKey,
  signRequest,
  uriDecode,
  uriEncode,
  verifyRequest,
} from '#src/doors/s3/signature.ts';
import { xmlDocument } from '#src/doors/s3/xml.ts';
import { resolveRange } from '#src/objects/range.ts';
import { cuts, hostileText, inPieces, slowTarget, taken, takenAfter, target } from './target.ts';

const SCOPE = '20260101/us-east-1/s3/aws4_request';
const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/);
const wellFormed = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.toWellFormed());
const request: fc.Arbitrary<SignedRequest> = fc.record({
  method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE', 'HEAD'),
  path: fc.array(wellFormed, { maxLength: 4 }).map((parts) => `/${parts.map((part) => uriEncode(part)).join('/')}`),
  query: fc
    .array(fc.tuple(wellFormed, wellFormed), { maxLength: 4 })
    .map((pairs) => pairs.map(([key, value]) => `${uriEncode(key)}=${uriEncode(value)}`).join('&')),
  headers: fc
    .dictionary(name, fc.string({ unit: 'grapheme-ascii', maxLength: 20 }), { maxKeys: 5 })
    .map((headers) => new Map([['host', 'localhost:9000'], ...Object.entries(headers)])),
});

describe('fuzzing of the S3 door', () => {
  target('a query and a path are decoded or refused', hostileText('a', '=', '&', '+', '%41', '%zz', '%ff'), (text) => {
    taken(() => parseQuery(text));
    const decoded = taken(() => uriDecode(text));
    if (decoded !== undefined) assert.equal(uriDecode(uriEncode(decoded)), decoded);
  });

  const authorization = hostileText(
    'AWS4-HMAC-SHA256 ',
    'Credential=',
    `key/${SCOPE}`,
    ', ',
    'SignedHeaders=host',
    'Signature=',
    '0'.repeat(64),
  );
  target(
    'a header Authorization and a presigned URL are read or refused',
    fc.record({
      header: authorization,
      query: hostileText(
        'X-Amz-Algorithm=AWS4-HMAC-SHA256',
        '&',
        'X-Amz-Credential=',
        'X-Amz-Expires=',
        '1e9',
        '-1',
        'X-Amz-Date=20260101T000000Z',
      ),
    }),
    ({ header, query }) => {
      const headers = new Map([
        ['host', 'x'],
        ['authorization', header],
        ['x-amz-date', '20260101T000000Z'],
      ]);
      taken(() => readCredential({ method: 'GET', path: '/', query: '', headers }));
      taken(() => readCredential({ method: 'GET', path: '/', query, headers: new Map([['host', 'x']]) }));
    },
  );

  target(
    'a signature fits its request and no other',
    fc.record({
      request,
      change: fc.constantFrom('method', 'path', 'query', 'header', 'payload', 'key'),
      secret: wellFormed,
    }),
    ({ request: signed, change, secret }) => {
      const key = signingKey(secret, SCOPE);
      const signedHeaders = [...signed.headers.keys()].sort();
      const credential: Credential = {
        accessKeyId: 'key',
        scope: SCOPE,
        date: '20260101T000000Z',
        signedHeaders,
        signature: '',
        expiresSeconds: undefined,
      };
      const signature = signRequest(signed, credential, 'UNSIGNED-PAYLOAD', key);
      verifyRequest(signed, { ...credential, signature }, 'UNSIGNED-PAYLOAD', key);
      const other: SignedRequest = {
        method: change === 'method' ? `${signed.method}X` : signed.method,
        path: change === 'path' ? `${signed.path}x` : signed.path,
        query: change === 'query' ? `${signed.query}${signed.query === '' ? '' : '&'}zz=1` : signed.query,
        headers: change === 'header' ? new Map([...signed.headers, ['host', 'other']]) : signed.headers,
      };
      const payload = change === 'payload' ? 'other' : 'UNSIGNED-PAYLOAD';
      const used = change === 'key' ? signingKey(`${secret}x`, SCOPE) : key;
      assert.equal(
        taken(() => {
          verifyRequest(other, { ...credential, signature }, payload, used);
          return 'taken';
        }),
        undefined,
      );
      assert.equal(typeof canonicalRequest(signed, signedHeaders, payload), 'string');
    },
    { share: 0.2 },
  );

  slowTarget(
    'a chunked body comes out as it went in, however it is cut; anything else is refused',
    fc.record({
      chunks: fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 6 }),
      cuts,
      flip: fc.option(fc.nat()),
    }),
    async ({ chunks, cuts: where, flip }) => {
      const body = Buffer.concat([
        ...chunks.flatMap((chunk) => [Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
        Buffer.from('0\r\nx-amz-checksum-crc32: AAAA\r\n\r\n'),
      ]);
      if (flip !== null) body.writeUInt8(body.readUInt8(flip % body.length) ^ (1 << (flip % 8)), flip % body.length);
      let trailers = new Map<string, string>();
      const out = await takenAfter(async () => {
        const parts: Uint8Array[] = [];
        const decoded = decodeAwsChunked(streamOf(inPieces(body, where)), {
          signing: undefined,
          onTrailers: (found) => {
            trailers = found;
          },
        });
        for await (const part of decoded) parts.push(part);
        return Buffer.concat(parts);
      });
      if (flip !== null) return assert.ok(out === undefined || out.length <= body.length);
      assert.deepEqual(out, Buffer.concat(chunks));
      assert.equal(trailers.get('x-amz-checksum-crc32'), 'AAAA');
    },
    { share: 0.2 },
  );

  target(
    'XML is read or refused, and entities mean nothing',
    hostileText(
      '<Delete>',
      '</Delete>',
      '<Object>',
      '</Object>',
      '<Key>',
      '</Key>',
      '<!DOCTYPE x [<!ENTITY a "b">]>',
      '&a;',
      '&#x41;',
      '&#1114112;',
      '<![CDATA[',
      ']]>',
      '<a:b xmlns:a="x">',
      '<?xml version="1.0"?>',
      '<!--',
      '-->',
    ),
    (text) => {
      const found = taken(() => readXml(`<Delete>${text}</Delete>`, 'Delete'));
      if (found !== undefined) walk(found);
      taken(() => readXml(text, 'Delete'));
    },
    { share: 0.3 },
  );

  target(
    'what the door writes as XML it reads back',
    fc.string({ unit: fc.constantFrom('a', '<', '>', '&', '"', "'", 'é', ' ', ']', '-'), minLength: 1, maxLength: 30 }),
    (text) => {
      const read = readXml(xmlDocument('Answer', { Key: text, Other: 'x' }), 'Answer');
      assert.equal(read.first('Key'), text);
    },
    { share: 0.3 },
  );

  target(
    'a range is read, refused or passed over, and stays within the object',
    fc.tuple(hostileText('bytes=', '-', '0', '5', '999999999999999999999', ','), fc.nat(100)),
    ([text, size]) => {
      const range = taken(() => readRange(text));
      if (range === undefined) return;
      const span = taken(() => resolveRange(range, size)) as { start: number; end: number } | undefined;
      if (span !== undefined) assert.ok(Object.values(span).every((value) => value >= 0 && value <= size));
    },
  );
});

const walk = (element: XmlElement): void => {
  for (const child of ['Object', 'Key', 'constructor', '__proto__'])
    for (const one of element.children(child)) walk(one);
};

async function* streamOf(pieces: readonly Buffer[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield piece;
}
