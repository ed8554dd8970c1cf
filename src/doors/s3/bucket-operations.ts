import { toAppError } from '#kernel/errors.ts';
import { LARGEST_PAGE } from '#src/objects/list-objects.ts';
import type { StoredObject } from '#src/objects/object.ts';
import { isoTime, quoted } from './object-answer.ts';
import { aclXml } from './object-operations.ts';
import { readText, refuseUnkept } from './payload.ts';
import { readXml } from './read-xml.ts';
import { s3CodeOf, wireError } from './s3-error.ts';
import { type S3Request, wholeNumber } from './s3-request.ts';
import type { Call } from './s3-route.ts';
import { uriEncode } from './signature.ts';
import { type XmlTree, xmlDocument } from './xml.ts';

const REGION = 'us-east-1';
const LARGEST_DELETE = 1000;

/** ListBuckets. */
export async function listBuckets(call: Call): Promise<void> {
  const buckets = await call.objects.listBuckets(call.caller);
  const { user } = call.caller.identity;
  const Bucket = buckets.map((bucket) => ({ Name: bucket.name, CreationDate: isoTime(bucket.createdMs) }));
  call.xml(xmlDocument('ListAllMyBucketsResult', { Owner: { ID: user, DisplayName: user }, Buckets: { Bucket } }));
}

/** CreateBucket; the place that a client asks for makes no difference. */
export async function createBucket(call: Call): Promise<void> {
  refuseUnkept(call.request.headers);
  await readText(call);
  await call.objects.createBucket({ ...call.caller, bucket: call.request.bucket });
  call.response.setHeader('location', `/${call.request.bucket}`);
  call.empty(200);
}

/** HeadBucket. */
export async function headBucket(call: Call): Promise<void> {
  await call.objects.headBucket({ ...call.caller, bucket: call.request.bucket });
  call.response.setHeader('x-amz-bucket-region', REGION);
  call.empty(200);
}

/** DeleteBucket. */
export async function deleteBucket(call: Call): Promise<void> {
  await call.objects.removeBucket({ ...call.caller, bucket: call.request.bucket });
  call.empty(204);
}

/** A question about a bucket whose answer is the same for all: its place, that it has no versions, how it is encrypted. */
const constant =
  (text: string) =>
  async (call: Call): Promise<void> => {
    await call.objects.headBucket({ ...call.caller, bucket: call.request.bucket });
    call.xml(text);
  };

export const getLocation = constant(xmlDocument('LocationConstraint', {}));
export const getVersioning = constant(xmlDocument('VersioningConfiguration', {}));
export const getEncryption = constant(
  xmlDocument('ServerSideEncryptionConfiguration', {
    Rule: { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' }, BucketKeyEnabled: false },
  }),
);

/** GetBucketAcl. */
export async function getBucketAcl(call: Call): Promise<void> {
  const bucket = await call.objects.headBucket({ ...call.caller, bucket: call.request.bucket });
  call.xml(aclXml(bucket.owner));
}

/** ListObjects (version 1). */
export async function listObjectsV1(call: Call): Promise<void> {
  const { request } = call;
  const marker = request.query.get('marker') ?? '';
  const list = await pageOf(call, marker);
  const { encode } = list;
  call.xml(
    xmlDocument('ListBucketResult', {
      ...list.head,
      Marker: encode(marker),
      NextMarker: list.next !== null && list.delimiter !== '' ? encode(list.next) : undefined,
      ...list.body((object) => contents(object, encode, true)),
    }),
  );
}

/** ListObjectsV2. */
export async function listObjectsV2(call: Call): Promise<void> {
  const { query } = call.request;
  const token = query.get('continuation-token');
  const after = token === undefined ? (query.get('start-after') ?? '') : readToken(token);
  const list = await pageOf(call, after);
  const { encode } = list;
  const startAfter = query.get('start-after');
  const owner = query.get('fetch-owner') === 'true';
  call.xml(
    xmlDocument('ListBucketResult', {
      ...list.head,
      KeyCount: list.count,
      ContinuationToken: token,
      NextContinuationToken: list.next === null ? undefined : Buffer.from(list.next).toString('base64url'),
      StartAfter: startAfter === undefined ? undefined : encode(startAfter),
      ...list.body((object) => contents(object, encode, owner)),
    }),
  );
}

/** ListObjectVersions: every object is its own only version, "null". */
export async function listVersions(call: Call): Promise<void> {
  const marker = call.request.query.get('key-marker') ?? '';
  const list = await pageOf(call, marker);
  const { encode } = list;
  const { Contents, CommonPrefixes } = list.body((object) => ({
    ...contents(object, encode, true),
    VersionId: 'null',
    IsLatest: true,
  }));
  const last = list.next === null ? {} : { NextKeyMarker: encode(list.next), NextVersionIdMarker: 'null' };
  const body: XmlTree = { KeyMarker: encode(marker), VersionIdMarker: '', ...last, Version: Contents, CommonPrefixes };
  call.xml(xmlDocument('ListVersionsResult', { ...list.head, ...body }));
}

async function pageOf(call: Call, startAfter: string) {
  const { request, caller } = call;
  const prefix = request.query.get('prefix') ?? '';
  const delimiter = request.query.get('delimiter') ?? '';
  const limit = wholeNumber(request, 'max-keys', LARGEST_PAGE, LARGEST_PAGE);
  const encode = encoderOf(request);
  const where = { ...caller, bucket: request.bucket, prefix, startAfter, limit };
  const page = await call.objects.list(delimiter === '' ? where : { ...where, delimiter });
  const head: XmlTree = {
    Name: request.bucket,
    Prefix: encode(prefix),
    Delimiter: delimiter === '' ? undefined : encode(delimiter),
    MaxKeys: limit,
    EncodingType: request.query.get('encoding-type'),
    IsTruncated: page.next !== null,
  };
  const body = (one: (object: StoredObject) => XmlTree) => ({
    Contents: page.objects.map(one),
    CommonPrefixes: page.prefixes.map((text) => ({ Prefix: encode(text) })),
  });
  return { head, body, encode, delimiter, next: page.next, count: page.objects.length + page.prefixes.length };
}

export function encoderOf(request: S3Request): (text: string) => string {
  const type = request.query.get('encoding-type');
  if (type === undefined || type === '') return (text) => text;
  if (type !== 'url') throw wireError('InvalidArgument', 'The only encoding type is "url".');
  return (text) => uriEncode(text, true);
}

function contents(object: StoredObject, encode: (text: string) => string, withOwner: boolean): XmlTree {
  return {
    Key: encode(object.key),
    LastModified: isoTime(object.modifiedMs),
    ETag: quoted(object.etag),
    ChecksumAlgorithm: Object.keys(object.checksums.values).map((name) => name.toUpperCase()),
    Size: object.sizeBytes,
    Owner: withOwner ? { ID: object.owner, DisplayName: object.owner } : undefined,
    StorageClass: 'STANDARD',
  };
}

function readToken(token: string): string {
  const text = Buffer.from(token, 'base64url').toString();
  if (token === '' || Buffer.from(text).toString('base64url') !== token) {
    throw wireError('InvalidArgument', 'The continuation token is not one that was given out.');
  }
  return text;
}

/** DeleteObjects: one question, one act and one entry a key. */
export async function deleteObjects(call: Call): Promise<void> {
  const { request, caller } = call;
  const document = readXml(await readText(call), 'Delete');
  const named = document.children('Object');
  if (named.length === 0 || named.length > LARGEST_DELETE) {
    throw wireError('MalformedXML', `One request deletes 1 to ${LARGEST_DELETE} objects.`);
  }
  const quiet = document.first('Quiet') === 'true';
  const answers = await Promise.all(
    named.map(async (one): Promise<{ Deleted?: XmlTree; Error?: XmlTree }> => {
      const Key = one.first('Key') ?? '';
      try {
        await call.objects.remove({ ...caller, bucket: request.bucket, key: Key });
        return quiet ? {} : { Deleted: { Key } };
      } catch (thrown) {
        const error = toAppError(thrown);
        return { Error: { Key, Code: s3CodeOf(error).code, Message: error.message } };
      }
    }),
  );
  const Deleted = answers.map((answer) => answer.Deleted).filter((one) => one !== undefined);
  const Failed = answers.map((answer) => answer.Error).filter((one) => one !== undefined);
  call.xml(xmlDocument('DeleteResult', { Deleted, Error: Failed }));
}
