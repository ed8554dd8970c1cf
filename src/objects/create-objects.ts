import { abortUpload, beginUpload } from './begin-upload.ts';
import { completeUpload } from './complete-upload.ts';
import { copyObject } from './copy-object.ts';
import { listObjects } from './list-objects.ts';
import { listParts, listUploads } from './list-uploads.ts';
import { createBucket, headBucket, listBuckets, removeBucket } from './manage-buckets.ts';
import type { ObjectsDeps } from './objects-deps.ts';
import { headObject, openObject } from './open-object.ts';
import { putObject } from './put-object.ts';
import { removeObject } from './remove-object.ts';
import { sweepBlobs } from './sweep-blobs.ts';
import { tagObject } from './tag-object.ts';
import { uploadPart } from './upload-part.ts';

/** The use cases of objects, each with its dependencies; every one does its own crossing. */
export const createObjects = (deps: ObjectsDeps) => ({
  put: bind(deps, putObject),
  open: bind(deps, openObject),
  head: bind(deps, headObject),
  list: bind(deps, listObjects),
  remove: bind(deps, removeObject),
  copy: bind(deps, copyObject),
  tag: bind(deps, tagObject),
  beginUpload: bind(deps, beginUpload),
  uploadPart: bind(deps, uploadPart),
  completeUpload: bind(deps, completeUpload),
  abortUpload: bind(deps, abortUpload),
  listParts: bind(deps, listParts),
  listUploads: bind(deps, listUploads),
  createBucket: bind(deps, createBucket),
  headBucket: bind(deps, headBucket),
  removeBucket: bind(deps, removeBucket),
  listBuckets: bind(deps, listBuckets),
  sweep: bind(deps, sweepBlobs),
});

export type Objects = ReturnType<typeof createObjects>;

const bind =
  <D, Q, A>(deps: D, useCase: (deps: D, request: Q) => Promise<A>) =>
  (request: Q): Promise<A> =>
    useCase(deps, request);
