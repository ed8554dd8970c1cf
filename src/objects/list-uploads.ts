import { askAboutBucket, findBucket } from './ask-about-object.ts';
import { askAboutUpload, type UploadPlace } from './begin-upload.ts';
import { afterPrefix } from './list-objects.ts';
import { auditObject, type Caller } from './object.ts';
import type { ObjectsDeps } from './objects-deps.ts';
import { tellNames } from './tell-names.ts';
import type { Upload, UploadPart } from './upload.ts';
import { selectParts, selectUploadLabels, selectUploads } from './upload-store.ts';

/** The parts of an upload that are there, by number; `after` counts as seen. */
export function listParts(
  deps: ObjectsDeps,
  request: UploadPlace & { after: number; limit: number },
): Promise<{ upload: Upload; parts: UploadPart[]; truncated: boolean }> {
  let upload: Upload | undefined;
  return deps.gateway.cross({
    identity: request.identity,
    door: request.door,
    requestId: request.requestId,
    action: 'object.write',
    object: auditObject(request.bucket, request.key),
    ask: async (reader) => {
      const found = await askAboutUpload(deps, reader, request);
      upload = found.upload;
      return [found.question];
    },
    act: async (tx, crossing) => {
      if (upload === undefined) throw new TypeError('an upload was asked about and then forgotten');
      const labels = await selectUploadLabels(tx, upload.uploadId);
      await tellNames(deps, tx, crossing, `${request.bucket}/${request.key}`, labels);
      const rest = (await selectParts(tx, upload.uploadId)).filter((part) => part.partNumber > request.after);
      return { upload, parts: rest.slice(0, request.limit), truncated: rest.length > request.limit };
    },
  });
}

export type UploadsRequest = Caller & {
  bucket: string;
  prefix: string;
  after: { key: string; uploadId: string };
  limit: number;
};

/** The uploads in progress under a prefix; names are labelled as in a listing of objects. */
export function listUploads(
  deps: ObjectsDeps,
  request: UploadsRequest,
): Promise<{ uploads: Upload[]; truncated: boolean }> {
  const { bucket: name, prefix, after, limit } = request;
  let uploads: Upload[] = [];
  let labels: string[] = [];
  return deps.gateway.cross({
    identity: request.identity,
    door: request.door,
    requestId: request.requestId,
    action: 'object.list',
    object: { kind: 'object', id: `${name}/${prefix}`, name: `${name}/${prefix}` },
    ask: async (reader) => {
      const bucket = await findBucket(deps, reader, name);
      // In a built-in bucket everybody sees their own uploads alone.
      const owner = bucket.builtIn ? request.identity.user : undefined;
      const range = { bucket: name, prefix, end: afterPrefix(prefix), after, owner, limit: limit + 1 };
      uploads = await selectUploads(reader, range);
      const all = await Promise.all(uploads.slice(0, limit).map((one) => selectUploadLabels(reader, one.uploadId)));
      labels = [...new Set(all.flat())].sort();
      return [askAboutBucket('object.list', { ...bucket, owner: owner ?? bucket.owner }, labels, prefix)];
    },
    act: async (tx, crossing) => {
      await tellNames(deps, tx, crossing, `${name}/${prefix}`, labels);
      return { uploads: uploads.slice(0, limit), truncated: uploads.length > limit };
    },
  });
}
