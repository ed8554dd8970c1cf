import { askAboutBucket, findBucket } from './ask-about-object.ts';
import { type Bucket, checkBucketName, SYSTEM_OWNER } from './bucket.ts';
import { deleteBucket, insertBucket, selectBucket, selectBuckets } from './bucket-store.ts';
import { type Caller, objectError } from './object.ts';
import { anyObject } from './object-store.ts';
import type { ObjectsDeps } from './objects-deps.ts';
import { anyUpload } from './upload-store.ts';

export type BucketRequest = Caller & { bucket: string };

const crossingOf = (request: BucketRequest, action: string) => ({
  identity: request.identity,
  door: request.door,
  requestId: request.requestId,
  action,
  object: { kind: 'object', id: request.bucket, name: request.bucket },
});

/** Makes a bucket that belongs to the user; throws `conflict` (`about: bucketOwned` or `bucketTaken`) when there is one. */
export function createBucket(deps: ObjectsDeps, request: BucketRequest): Promise<void> {
  const { bucket: name, identity } = request;
  const bucket: Bucket = { name, owner: identity.user, createdMs: deps.clock.nowMs(), builtIn: false };
  return deps.gateway.cross<void>({
    ...crossingOf(request, 'bucket.create'),
    ask: async () => {
      checkBucketName(name);
      return [askAboutBucket('bucket.create', bucket)];
    },
    act: async (tx) => {
      const there = Object.hasOwn(deps.builtIn, name) ? { owner: SYSTEM_OWNER } : await selectBucket(tx, name);
      if (there !== undefined) {
        const about = there.owner === identity.user ? 'bucketOwned' : 'bucketTaken';
        throw objectError('conflict', about, `There is a bucket "${name}" already.`);
      }
      await insertBucket(tx, bucket);
    },
  });
}

/** A bucket's owner and time; throws `not_found`. */
export function headBucket(deps: ObjectsDeps, request: BucketRequest): Promise<Bucket> {
  let bucket: Bucket | undefined;
  return deps.gateway.cross({
    ...crossingOf(request, 'bucket.read'),
    ask: async (reader) => {
      bucket = await findBucket(deps, reader, request.bucket);
      return [askAboutBucket('bucket.read', bucket)];
    },
    act: (tx) => (bucket === undefined ? findBucket(deps, tx, request.bucket) : Promise.resolve(bucket)),
  });
}

/** Removes an empty bucket; throws `conflict` (`about: bucketFull`), and `denied` for a built-in one. */
export function removeBucket(deps: ObjectsDeps, request: BucketRequest): Promise<void> {
  const { bucket: name } = request;
  return deps.gateway.cross<void>({
    ...crossingOf(request, 'bucket.delete'),
    ask: async (reader) => [askAboutBucket('bucket.delete', await findBucket(deps, reader, name))],
    act: async (tx) => {
      if (Object.hasOwn(deps.builtIn, name)) {
        throw objectError('denied', 'readOnly', `The bucket "${name}" is built in and stays.`);
      }
      if ((await anyObject(tx, name)) || (await anyUpload(tx, name))) {
        throw objectError('conflict', 'bucketFull', `The bucket "${name}" is not empty.`, 'Remove its objects first.');
      }
      await deleteBucket(tx, name);
    },
  });
}

/** The built-in buckets and those of the user. */
export function listBuckets(deps: ObjectsDeps, request: Caller): Promise<Bucket[]> {
  const all: Bucket = { name: '*', owner: SYSTEM_OWNER, createdMs: 0, builtIn: true };
  return deps.gateway.cross({
    ...crossingOf({ ...request, bucket: '*' }, 'bucket.list'),
    ask: async () => [askAboutBucket('bucket.list', all)],
    act: async (tx) => {
      const own = (await selectBuckets(tx)).filter((bucket) => bucket.owner === request.identity.user);
      const builtIn = Object.keys(deps.builtIn).map((name) => ({ ...all, name }));
      return [...builtIn, ...own].sort((a, b) => (a.name < b.name ? -1 : 1));
    },
  });
}
