import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { BYTES_OF_A_READ } from '#src/objects/frame-memory.ts';
import { freeNow } from '#src/objects/free-now.ts';
import type { OpenRequest } from '#src/objects/open-object.ts';
import { isoTime, quoted, setChecksums, setObjectHeaders } from './object-answer.ts';
import { readAttributes, readContent, readText, refuseUnkept } from './payload.ts';
import { readXml } from './read-xml.ts';
import { wireError } from './s3-error.ts';
import { readConditions, readOverrides, readRange, type S3Request, wholeNumber } from './s3-request.ts';
import type { Call } from './s3-route.ts';
import { parseQuery, uriDecode } from './signature.ts';
import { xmlDocument } from './xml.ts';

const openRequest = ({ request, caller }: Call): OpenRequest => {
  const range = readRange(request.headers.get('range'));
  const conditions = readConditions(request.headers);
  const partNumber = request.query.has('partNumber') ? wholeNumber(request, 'partNumber', 1, 10_001) : undefined;
  if (range !== undefined && partNumber !== undefined) {
    throw wireError('InvalidRequest', 'A range and a part number exclude each other.');
  }
  return {
    ...caller,
    bucket: request.bucket,
    key: request.key,
    ...(range === undefined ? {} : { range }),
    ...(partNumber === undefined ? {} : { partNumber }),
    ...(conditions === undefined ? {} : { conditions }),
  };
};

/** GetObject. */
export async function getObject(call: Call): Promise<void> {
  const overrides = readOverrides(call.request);
  const admit = (bytes: number): void => call.hold(Math.min(BYTES_OF_A_READ, bytes), 'answer');
  const object = await call.objects.open({ ...openRequest(call), admit });
  if (object.bytes !== undefined) {
    setObjectHeaders(call.response, call.request, object, overrides);
    // Handed to `end`, their length would be known before the headers are made: see there.
    call.response.write(object.bytes);
    call.response.end();
    return;
  }
  try {
    setObjectHeaders(call.response, call.request, object, overrides);
    await sendBody(object.body, call.response);
  } catch (error) {
    // A client that has seen enough just goes away.
    if (error instanceof ClientGone) return;
    throw error;
  } finally {
    object.body.destroy();
  }
}

class ClientGone extends Error {}

/** Sends a frame, waits until it is out, and gives its memory back. */
async function sendBody(body: Readable, response: ServerResponse): Promise<void> {
  const gone = new Promise<never>((_resolve, reject) => {
    response.once('close', () => reject(new ClientGone()));
  });
  gone.catch(() => undefined);
  for await (const chunk of body) {
    const sent = new Promise<void>((resolve, reject) => {
      response.write(chunk, (error) => (error ? reject(new ClientGone()) : resolve()));
    });
    await Promise.race([sent, gone]);
    freeNow(chunk);
  }
  response.end();
}

/** HeadObject. */
export async function headObject(call: Call): Promise<void> {
  const overrides = readOverrides(call.request);
  setObjectHeaders(call.response, call.request, await call.objects.head(openRequest(call)), overrides);
  call.response.end();
}

/** PutObject. */
export async function putObject(call: Call): Promise<void> {
  const { request, caller } = call;
  refuseUnkept(request.headers);
  const payload = readContent(call);
  if (payload.contentLength === undefined && !request.headers.has('transfer-encoding')) {
    throw wireError('MissingContentLength', 'A write needs the header Content-Length.');
  }
  const conditions = readConditions(request.headers);
  const answer = await call.objects.put({
    ...caller,
    ...readAttributes(request),
    bucket: request.bucket,
    key: request.key,
    tags: readTagHeader(request),
    body: payload.body,
    checksums: payload.checksums,
    ...(payload.contentLength === undefined ? {} : { contentLength: payload.contentLength }),
    ...(conditions === undefined ? {} : { conditions }),
  });
  call.response.setHeader('etag', quoted(answer.etag));
  call.response.setHeader('x-amz-server-side-encryption', 'AES256');
  setChecksums(call.response, answer.checksums);
  call.empty(200);
}

/** DeleteObject. */
export async function deleteObject(call: Call): Promise<void> {
  const { request, caller } = call;
  const conditions = readConditions(request.headers);
  await call.objects.remove({
    ...caller,
    bucket: request.bucket,
    key: request.key,
    ...(conditions === undefined ? {} : { conditions }),
  });
  call.empty(204);
}

/** CopyObject. */
export async function copyObject(call: Call): Promise<void> {
  const { request, caller } = call;
  refuseUnkept(request.headers);
  const source = readCopySource(request);
  const replaceMetadata = request.headers.get('x-amz-metadata-directive')?.toUpperCase() === 'REPLACE';
  const replaceTags = request.headers.get('x-amz-tagging-directive')?.toUpperCase() === 'REPLACE';
  if (source.bucket === request.bucket && source.key === request.key && !replaceMetadata && !replaceTags) {
    throw wireError(
      'InvalidRequest',
      'A copy onto itself changes nothing.',
      'Replace its metadata, or name another key.',
    );
  }
  const conditions = readConditions(request.headers);
  const copied = await call.objects.copy({
    ...caller,
    ...readAttributes(request),
    bucket: request.bucket,
    key: request.key,
    tags: readTagHeader(request),
    source,
    replaceMetadata,
    replaceTags,
    ...(conditions === undefined ? {} : { conditions }),
  });
  call.xml(xmlDocument('CopyObjectResult', { LastModified: isoTime(copied.modifiedMs), ETag: quoted(copied.etag) }));
}

/** Where a copy comes from: `/bucket/key` or `bucket/key`, percent-encoded, with its own conditions. */
export function readCopySource(request: S3Request) {
  const header = request.headers.get('x-amz-copy-source') ?? '';
  const [path = '', query = ''] = header.split('?');
  const version = new Map(parseQuery(query)).get('versionId');
  if (version !== undefined && version !== 'null') throw wireError('NotImplemented', 'Objects have no versions here.');
  const decoded = uriDecode(path).replace(/^\//, '');
  const slash = decoded.indexOf('/');
  if (slash < 1 || slash === decoded.length - 1) {
    throw wireError('InvalidArgument', 'x-amz-copy-source is BUCKET/KEY.');
  }
  const conditions = readConditions(request.headers, 'x-amz-copy-source-');
  return {
    bucket: decoded.slice(0, slash),
    key: decoded.slice(slash + 1),
    ...(conditions === undefined ? {} : { conditions }),
  };
}

/** GetObjectTagging. */
export async function getTags(call: Call): Promise<void> {
  const { request, caller } = call;
  const object = await call.objects.head({ ...caller, bucket: request.bucket, key: request.key });
  const tags = Object.entries(object.tags).map(([Key, Value]) => ({ Key, Value }));
  call.xml(xmlDocument('Tagging', { TagSet: { Tag: tags } }));
}

/** PutObjectTagging. */
export async function putTags(call: Call): Promise<void> {
  const { request, caller } = call;
  const tagging = readXml(await readText(call), 'Tagging');
  const pairs = tagging.children('TagSet').flatMap((set) => set.children('Tag'));
  const tags = Object.fromEntries(pairs.map((tag) => [tag.first('Key') ?? '', tag.first('Value') ?? '']));
  if (Object.keys(tags).length < pairs.length) throw wireError('InvalidTag', 'A tag is named twice.');
  await call.objects.tag({ ...caller, bucket: request.bucket, key: request.key, tags });
  call.empty(200);
}

/** DeleteObjectTagging. */
export async function deleteTags(call: Call): Promise<void> {
  const { request, caller } = call;
  await call.objects.tag({ ...caller, bucket: request.bucket, key: request.key, tags: {} });
  call.empty(204);
}

/** GetObjectAcl: the owner has all rights, and policy decides about everybody else. */
export async function getObjectAcl(call: Call): Promise<void> {
  const { request, caller } = call;
  const object = await call.objects.head({ ...caller, bucket: request.bucket, key: request.key });
  call.xml(aclXml(object.owner));
}

export function aclXml(owner: string): string {
  const grantee = `<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">`;
  const text = xmlDocument('AccessControlPolicy', {
    Owner: { ID: owner, DisplayName: owner },
    AccessControlList: { Grant: { Grantee: { ID: owner, DisplayName: owner }, Permission: 'FULL_CONTROL' } },
  });
  return text.replace('<Grantee>', grantee);
}

function readTagHeader(request: S3Request): Record<string, string> {
  return Object.fromEntries(parseQuery(request.headers.get('x-amz-tagging') ?? ''));
}
