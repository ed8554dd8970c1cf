import { CHECKSUM_ALGORITHMS, type ChecksumAlgorithm, type Checksums } from '#src/objects/checksum.ts';
import { encoderOf } from './bucket-operations.ts';
import { isoTime, quoted, setChecksums } from './object-answer.ts';
import { readCopySource } from './object-operations.ts';
import { readAttributes, readContent, readText, refuseUnkept } from './payload.ts';
import { readXml, type XmlElement } from './read-xml.ts';
import { wireError } from './s3-error.ts';
import { readConditions, readRange, wholeNumber } from './s3-request.ts';
import type { Call } from './s3-route.ts';
import { type XmlTree, xmlDocument } from './xml.ts';

const NAMES = CHECKSUM_ALGORITHMS.filter((algorithm) => algorithm !== 'md5');
const elementOf = (algorithm: ChecksumAlgorithm): string => `Checksum${algorithm.toUpperCase()}`;

const placeOf = ({ caller, request }: Call) => ({
  ...caller,
  bucket: request.bucket,
  key: request.key,
  uploadId: request.query.get('uploadId') ?? '',
});

const checksumTree = (values: Checksums): XmlTree =>
  Object.fromEntries(NAMES.map((algorithm) => [elementOf(algorithm), values[algorithm]]));

/** CreateMultipartUpload. */
export async function beginUpload(call: Call): Promise<void> {
  const { request, caller } = call;
  refuseUnkept(request.headers);
  const wanted = request.headers.get('x-amz-checksum-algorithm')?.toLowerCase();
  const checksumAlgorithm = NAMES.find((algorithm) => algorithm === wanted);
  if (wanted !== undefined && checksumAlgorithm === undefined) {
    throw wireError('InvalidRequest', `"${wanted}" is not a checksum that is known here.`);
  }
  const type = request.headers.get('x-amz-checksum-type')?.toUpperCase();
  const checksumType = type === 'FULL_OBJECT' || type === 'COMPOSITE' ? type : undefined;
  const upload = await call.objects.beginUpload({
    ...caller,
    ...readAttributes(request),
    bucket: request.bucket,
    key: request.key,
    ...(checksumAlgorithm === undefined ? {} : { checksumAlgorithm }),
    ...(checksumType === undefined ? {} : { checksumType }),
  });
  if (checksumAlgorithm !== undefined) {
    call.response.setHeader('x-amz-checksum-algorithm', checksumAlgorithm.toUpperCase());
    if (checksumType !== undefined) call.response.setHeader('x-amz-checksum-type', checksumType);
  }
  call.xml(
    xmlDocument('InitiateMultipartUploadResult', {
      Bucket: upload.bucket,
      Key: upload.key,
      UploadId: upload.uploadId,
    }),
  );
}

/** UploadPart. */
export async function uploadPart(call: Call): Promise<void> {
  const { request } = call;
  refuseUnkept(request.headers);
  const { body, contentLength, checksums } = readContent(call);
  const partNumber = wholeNumber(request, 'partNumber', 0, 10_001);
  const source = { body, checksums, ...(contentLength === undefined ? {} : { contentLength }) };
  const part = await call.objects.uploadPart({ ...placeOf(call), partNumber, source });
  call.response.setHeader('etag', quoted(part.etag));
  setChecksums(call.response, { type: 'FULL_OBJECT', values: part.checksums });
  call.empty(200);
}

/** UploadPartCopy. */
export async function copyPart(call: Call): Promise<void> {
  const { request } = call;
  const from = readCopySource(request);
  const text = request.headers.get('x-amz-copy-source-range');
  const range = readRange(text);
  if (text !== undefined && range === undefined) {
    throw wireError('InvalidArgument', 'x-amz-copy-source-range is bytes=FIRST-LAST.');
  }
  const copy = { ...from, ...(range === undefined ? {} : { range }) };
  const partNumber = wholeNumber(request, 'partNumber', 0, 10_001);
  const part = await call.objects.uploadPart({ ...placeOf(call), partNumber, source: { copy } });
  const answer = { LastModified: isoTime(part.modifiedMs), ETag: quoted(part.etag), ...checksumTree(part.checksums) };
  call.xml(xmlDocument('CopyPartResult', answer));
}

/** CompleteMultipartUpload. */
export async function completeUpload(call: Call): Promise<void> {
  const { request } = call;
  const document = readXml(await readText(call), 'CompleteMultipartUpload');
  const parts = document.children('Part').map((part) => ({
    partNumber: Number(part.first('PartNumber') ?? Number.NaN),
    etag: (part.first('ETag') ?? '').trim().replace(/^"(.*)"$/, '$1'),
    checksums: namedChecksums(part),
  }));
  const expected: Checksums = {};
  for (const algorithm of NAMES) {
    const value = request.headers.get(`x-amz-checksum-${algorithm}`);
    if (value !== undefined) expected[algorithm] = value;
  }
  const conditions = readConditions(request.headers);
  const place = placeOf(call);
  const done = await call.objects.completeUpload({
    ...place,
    parts,
    expected,
    ...(conditions === undefined ? {} : { conditions }),
  });
  call.xml(
    xmlDocument('CompleteMultipartUploadResult', {
      Location: `/${place.bucket}/${place.key}`,
      Bucket: place.bucket,
      Key: place.key,
      ETag: quoted(done.etag),
      ...checksumTree(done.checksums.values),
      ChecksumType: Object.keys(done.checksums.values).length > 0 ? done.checksums.type : undefined,
    }),
  );
}

function namedChecksums(part: XmlElement): Checksums {
  const values: Checksums = {};
  for (const algorithm of NAMES) {
    const value = part.first(elementOf(algorithm));
    if (value !== undefined) values[algorithm] = value;
  }
  return values;
}

/** AbortMultipartUpload. */
export async function abortUpload(call: Call): Promise<void> {
  await call.objects.abortUpload(placeOf(call));
  call.empty(204);
}

/** ListParts. */
export async function listParts(call: Call): Promise<void> {
  const { request } = call;
  const limit = wholeNumber(request, 'max-parts', 1000, 1000);
  const after = wholeNumber(request, 'part-number-marker', 0, 10_001);
  const { upload, parts, truncated } = await call.objects.listParts({ ...placeOf(call), after, limit });
  call.xml(
    xmlDocument('ListPartsResult', {
      Bucket: upload.bucket,
      Key: encoderOf(request)(upload.key),
      UploadId: upload.uploadId,
      Initiator: { ID: upload.owner, DisplayName: upload.owner },
      Owner: { ID: upload.owner, DisplayName: upload.owner },
      StorageClass: 'STANDARD',
      PartNumberMarker: after,
      NextPartNumberMarker: truncated ? parts.at(-1)?.partNumber : undefined,
      MaxParts: limit,
      IsTruncated: truncated,
      ChecksumAlgorithm: upload.checksumAlgorithm?.toUpperCase(),
      Part: parts.map((part) => ({
        PartNumber: part.partNumber,
        LastModified: isoTime(part.modifiedMs),
        ETag: quoted(part.etag),
        Size: part.sizeBytes,
        ...checksumTree(part.checksums),
      })),
    }),
  );
}

/** ListMultipartUploads, without folding by a delimiter. */
export async function listUploads(call: Call): Promise<void> {
  const { request, caller } = call;
  const encode = encoderOf(request);
  const limit = wholeNumber(request, 'max-uploads', 1000, 1000);
  const prefix = request.query.get('prefix') ?? '';
  const after = { key: request.query.get('key-marker') ?? '', uploadId: request.query.get('upload-id-marker') ?? '' };
  const page = { ...caller, bucket: request.bucket, prefix, after, limit };
  const { uploads, truncated } = await call.objects.listUploads(page);
  const last = truncated ? uploads.at(-1) : undefined;
  call.xml(
    xmlDocument('ListMultipartUploadsResult', {
      Bucket: request.bucket,
      KeyMarker: encode(after.key),
      UploadIdMarker: after.uploadId,
      NextKeyMarker: last === undefined ? undefined : encode(last.key),
      NextUploadIdMarker: last?.uploadId,
      Prefix: encode(prefix),
      MaxUploads: limit,
      IsTruncated: truncated,
      Upload: uploads.map((upload) => ({
        Key: encode(upload.key),
        UploadId: upload.uploadId,
        Initiator: { ID: upload.owner, DisplayName: upload.owner },
        Owner: { ID: upload.owner, DisplayName: upload.owner },
        StorageClass: 'STANDARD',
        Initiated: isoTime(upload.createdMs),
      })),
    }),
  );
}
