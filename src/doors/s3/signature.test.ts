import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { AppError } from '#kernel/errors.ts';
import { decodeAwsChunked } from './aws-chunked.ts';
import {
  checkTime,
  chunkSigning,
  parseQuery,
  readCredential,
  type SignedRequest,
  signingKey,
  signRequest,
  uriEncode,
  verifyRequest,
} from './signature.ts';

// The key pair, requests and signatures of the examples in the Amazon S3 API reference.
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const SCOPE = '20130524/us-east-1/s3/aws4_request';
const EMPTY = createHash('sha256').digest('hex');
const HOST = 'examplebucket.s3.amazonaws.com';

const signed = (
  method: string,
  path: string,
  query: string,
  headers: Record<string, string>,
  payloadHash = EMPTY,
): string => {
  const request: SignedRequest = { method, path, query, headers: new Map(Object.entries(headers)) };
  const signedHeaders = Object.keys(headers).sort();
  return signRequest(
    request,
    { signedHeaders, date: '20130524T000000Z', scope: SCOPE },
    payloadHash,
    signingKey(SECRET, SCOPE),
  );
};

const s3Code = (code: string) => (error: unknown) => error instanceof AppError && error.details.s3 === code;

describe('signature version 4', () => {
  const base = { host: HOST, 'x-amz-content-sha256': EMPTY, 'x-amz-date': '20130524T000000Z' };

  it('gives the published signatures for a ranged GET, a PUT, a subresource and a listing', () => {
    assert.equal(
      signed('GET', '/test.txt', '', { ...base, range: 'bytes=0-9' }),
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    );
    const hash = createHash('sha256').update('Welcome to Amazon S3.').digest('hex');
    const put = {
      ...base,
      'x-amz-content-sha256': hash,
      date: 'Fri, 24 May 2013 00:00:00 GMT',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
    };
    assert.equal(
      signed('PUT', '/test$file.text', '', put, hash),
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    );
    assert.equal(
      signed('GET', '/', 'lifecycle', base),
      'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    );
    assert.equal(
      signed('GET', '/', 'max-keys=2&prefix=J', base),
      '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    );
  });

  const presigned =
    'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request' +
    '&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host' +
    '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404';

  it('accepts the published presigned URL on its day, and no other day or path', () => {
    const request = { method: 'GET', path: '/test.txt', query: presigned, headers: new Map([['host', HOST]]) };
    const credential = readCredential(request);
    assert.ok(credential);
    const key = signingKey(SECRET, credential.scope);
    checkTime(credential, Date.parse('2013-05-24T20:00:00Z'));
    verifyRequest(request, credential, 'UNSIGNED-PAYLOAD', key);
    assert.throws(() => checkTime(credential, Date.parse('2013-05-25T00:00:01Z')), s3Code('AccessDenied'));
    assert.throws(
      () => verifyRequest({ ...request, path: '/other.txt' }, credential, 'UNSIGNED-PAYLOAD', key),
      s3Code('SignatureDoesNotMatch'),
    );
  });

  it('refuses headers of the API that are not signed, and clocks that differ by over 15 minutes', () => {
    const query = presigned;
    const headers = new Map([
      ['host', HOST],
      ['x-amz-acl', 'private'],
    ]);
    const request = { method: 'GET', path: '/test.txt', query, headers };
    const credential = readCredential(request);
    assert.ok(credential);
    const key = signingKey(SECRET, credential.scope);
    assert.throws(() => verifyRequest(request, credential, 'UNSIGNED-PAYLOAD', key), s3Code('AccessDenied'));
    const early = Date.parse('2013-05-23T23:40:00Z');
    assert.throws(() => checkTime(credential, early), s3Code('RequestTimeTooSkewed'));
    const plain = { ...credential, expiresSeconds: undefined };
    assert.throws(() => checkTime(plain, Date.parse('2013-05-24T00:16:00Z')), s3Code('RequestTimeTooSkewed'));
  });

  it('encodes any text so that it decodes to itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (name, value) => {
        assert.deepEqual(parseQuery(`${uriEncode(name)}=${uriEncode(value)}`), [[name, value]]);
      }),
    );
  });
});

describe('aws-chunked', () => {
  async function* pieces(bytes: Uint8Array, sizes: number[]): AsyncGenerator<Uint8Array> {
    let at = 0;
    for (let turn = 0; at < bytes.length; turn += 1) {
      const size = sizes[turn % sizes.length] ?? 1;
      yield bytes.subarray(at, at + size);
      at += size;
    }
  }
  const decode = async (wire: Uint8Array, sizes = [7], signing?: ReturnType<typeof chunkSigning>) => {
    const trailers = new Map<string, string>();
    const chunks: Uint8Array[] = [];
    const onTrailers = (found: Map<string, string>): void => {
      for (const [name, value] of found) trailers.set(name, value);
    };
    for await (const chunk of decodeAwsChunked(pieces(wire, sizes), { signing, onTrailers })) {
      chunks.push(Buffer.from(chunk));
    }
    return { body: Buffer.concat(chunks), trailers };
  };

  it('gives back what was framed, however chunks and packets are cut', async () => {
    const chunk = fc.uint8Array({ minLength: 1, maxLength: 300 });
    const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(fc.array(chunk, { maxLength: 6 }), cuts, async (chunks, sizes) => {
        const framed = chunks.map((one) =>
          Buffer.concat([Buffer.from(`${one.length.toString(16)}\r\n`), one, Buffer.from('\r\n')]),
        );
        const end = Buffer.from('0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n');
        const { body, trailers } = await decode(Buffer.concat([...framed, end]), sizes);
        assert.ok(body.equals(Buffer.concat(chunks)));
        assert.equal(trailers.get('x-amz-checksum-crc32'), 'AAAAAA==');
      }),
    );
  });

  it('refuses what is cut off, too long, or not framed at all', async () => {
    await assert.rejects(decode(Buffer.from('5\r\nhel')), s3Code('IncompleteBody'));
    await assert.rejects(decode(Buffer.from('5\r\nhello\r\n')), s3Code('IncompleteBody'));
    await assert.rejects(decode(Buffer.from('3\r\nhello\r\n0\r\n\r\n')), s3Code('InvalidRequest'));
    await assert.rejects(decode(Buffer.from('hello world\r\n')), s3Code('InvalidRequest'));
    await assert.rejects(decode(Buffer.alloc(20_000, 65)), s3Code('InvalidRequest'));
  });

  it('accepts the published chain of chunk signatures, and no change in it', async () => {
    const credential = {
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      scope: SCOPE,
      date: '20130524T000000Z',
      signedHeaders: [],
      signature: '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9',
      expiresSeconds: undefined,
    };
    const chain = () => chunkSigning(credential, signingKey(SECRET, SCOPE));
    const wire = (letter: string): Buffer =>
      Buffer.concat([
        Buffer.from(
          '10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n' +
            `${letter.repeat(65_536)}\r\n`,
        ),
        Buffer.from(
          '400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n' +
            `${'a'.repeat(1024)}\r\n`,
        ),
        Buffer.from('0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n'),
      ]);
    assert.equal((await decode(wire('a'), [4096], chain())).body.length, 66_560);
    await assert.rejects(decode(wire('b'), [4096], chain()), s3Code('SignatureDoesNotMatch'));
  });
});
