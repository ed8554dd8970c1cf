/** The table of the S3 door: what is not here is not served. */
import {
  createBucket,
  deleteBucket,
  deleteObjects,
  getBucketAcl,
  getEncryption,
  getLocation,
  getVersioning,
  headBucket,
  listBuckets,
  listObjectsV1,
  listObjectsV2,
  listVersions,
} from './bucket-operations.ts';
import {
  copyObject,
  deleteObject,
  deleteTags,
  getObject,
  getObjectAcl,
  getTags,
  headObject,
  putObject,
  putTags,
} from './object-operations.ts';
import type { S3Route } from './s3-route.ts';
import {
  abortUpload,
  beginUpload,
  completeUpload,
  copyPart,
  listParts,
  listUploads,
  uploadPart,
} from './upload-operations.ts';

const SERVICE = { path: '/' };
const BUCKET = { path: '/:bucket' };
const OBJECT = { path: '/:bucket/*key' };
const PART = ['uploadId', 'partNumber'];
const COPY = 'x-amz-copy-source';

/** Rows with more conditions come before those with fewer. */
export const S3_ROUTES: readonly S3Route[] = [
  { ...SERVICE, method: 'GET', action: 'bucket.list', reads: true, run: listBuckets },

  { ...BUCKET, method: 'GET', query: ['location'], action: 'bucket.read', reads: true, run: getLocation },
  { ...BUCKET, method: 'GET', query: ['versioning'], action: 'bucket.read', reads: true, run: getVersioning },
  { ...BUCKET, method: 'GET', query: ['encryption'], action: 'bucket.read', reads: true, run: getEncryption },
  { ...BUCKET, method: 'GET', query: ['acl'], action: 'bucket.read', reads: true, run: getBucketAcl },
  { ...BUCKET, method: 'GET', query: ['uploads'], action: 'object.list', reads: true, run: listUploads },
  { ...BUCKET, method: 'GET', query: ['versions'], action: 'object.list', reads: true, run: listVersions },
  { ...BUCKET, method: 'GET', query: ['list-type'], action: 'object.list', reads: true, run: listObjectsV2 },
  { ...BUCKET, method: 'GET', action: 'object.list', reads: true, run: listObjectsV1 },
  { ...BUCKET, method: 'HEAD', action: 'bucket.read', reads: true, run: headBucket },
  { ...BUCKET, method: 'PUT', action: 'bucket.create', reads: false, run: createBucket },
  { ...BUCKET, method: 'DELETE', action: 'bucket.delete', reads: false, run: deleteBucket },
  { ...BUCKET, method: 'POST', query: ['delete'], action: 'object.delete', reads: false, run: deleteObjects },

  { ...OBJECT, method: 'GET', query: ['acl'], action: 'object.read', reads: true, run: getObjectAcl },
  { ...OBJECT, method: 'GET', query: ['tagging'], action: 'object.read', reads: true, run: getTags },
  { ...OBJECT, method: 'PUT', query: ['tagging'], action: 'object.write', reads: false, run: putTags },
  { ...OBJECT, method: 'DELETE', query: ['tagging'], action: 'object.write', reads: false, run: deleteTags },
  { ...OBJECT, method: 'GET', query: ['uploadId'], action: 'object.write', reads: true, run: listParts },
  { ...OBJECT, method: 'PUT', query: PART, header: COPY, action: 'object.write', reads: false, run: copyPart },
  { ...OBJECT, method: 'PUT', query: PART, action: 'object.write', reads: false, run: uploadPart },
  { ...OBJECT, method: 'POST', query: ['uploads'], action: 'object.write', reads: false, run: beginUpload },
  { ...OBJECT, method: 'POST', query: ['uploadId'], action: 'object.write', reads: false, run: completeUpload },
  { ...OBJECT, method: 'DELETE', query: ['uploadId'], action: 'object.write', reads: false, run: abortUpload },
  { ...OBJECT, method: 'GET', action: 'object.read', reads: true, run: getObject },
  { ...OBJECT, method: 'HEAD', action: 'object.read', reads: true, run: headObject },
  { ...OBJECT, method: 'PUT', header: COPY, action: 'object.write', reads: false, run: copyObject },
  { ...OBJECT, method: 'PUT', action: 'object.write', reads: false, run: putObject },
  { ...OBJECT, method: 'DELETE', action: 'object.delete', reads: false, run: deleteObject },
];
