/** Takes a version in: begin, one file after the other, finish. Nothing is a version before it is whole. */
import { AppError } from '#kernel/errors.ts';
import type { Reader, Tx } from '#kernel/sql.ts';
import type { CrossingRequest } from '#src/gateway/crossing.ts';
import type { Question } from '#src/policies/decision.ts';
import { checkPath, checkTags, type DatasetFile } from './dataset.ts';
import { selectOwner } from './dataset-store.ts';
import {
  countUploadedFiles,
  type DatasetUpload,
  deleteDatasetUpload,
  insertDatasetUpload,
  selectDatasetUpload,
  selectDatasetUploadsBefore,
  selectUploadedBlob,
  selectUploadedFiles,
  upsertUploadedFile,
} from './dataset-upload-store.ts';
import { type Caller, type DatasetsDeps, DOOR } from './datasets-deps.ts';

const MOST_FILES = 100_000;

export type UploadRef = Caller & { uploadId: string };

/** Begins an upload of a version with these tags. */
export function beginDatasetUpload(
  deps: DatasetsDeps,
  request: Caller & { name: string; tags: string[] },
): Promise<DatasetUpload> {
  const { identity, requestId, name } = request;
  return deps.gateway.cross({
    identity,
    requestId,
    door: DOOR,
    action: 'dataset.create',
    object: { kind: 'dataset', id: name, name },
    ask: (reader) => askToAdd(reader, name, identity.user, checkTags(request.tags, deps.vocabulary)),
    act: async (tx, crossing) => {
      const upload: DatasetUpload = {
        uploadId: deps.ids.next('dsu'),
        name,
        owner: identity.user,
        tags: checkTags(request.tags, deps.vocabulary),
        createdMs: crossing.nowMs,
      };
      await insertDatasetUpload(tx, upload);
      crossing.detail('upload', upload.uploadId);
      crossing.detail('tags', upload.tags.join(' '));
      return upload;
    },
  });
}

/** Takes in one file; one of the same path is replaced. */
export async function putDatasetFile(
  deps: DatasetsDeps,
  request: UploadRef & { path: string; body: AsyncIterable<Uint8Array>; contentLength?: number },
): Promise<DatasetFile> {
  const { uploadId, path } = request;
  const crossing = crossingOf(request, 'dataset.create', async (reader) => {
    checkPath(path);
    const upload = await findUpload(reader, request);
    return askToAdd(reader, upload.name, upload.owner, upload.tags);
  });
  await deps.gateway.check(crossing);
  const { contentLength } = request;
  const blob = await deps.shelf.takeIn(crossing, request.body, contentLength === undefined ? {} : { contentLength });
  const digest = `sha256:${blob.sha256}`;
  let replaced: string | undefined;
  try {
    await deps.gateway.cross<void>({
      ...crossing,
      act: async (tx, open) => {
        replaced = await selectUploadedBlob(tx, uploadId, path);
        if (replaced === undefined && (await countUploadedFiles(tx, uploadId)) >= MOST_FILES) throw tooMany();
        await deps.shelf.record(tx, blob, open.nowMs);
        const { blobId, sizeBytes, md5 } = blob;
        await upsertUploadedFile(tx, uploadId, { path, blobId, sizeBytes, digest, etag: md5 });
        if (replaced !== undefined) await deps.shelf.forget(tx, [replaced]);
        open.detail('upload', uploadId);
        open.detail('digest', digest);
        open.detail('sizeBytes', sizeBytes);
      },
    });
  } catch (error) {
    deps.shelf.settleFailed(error, blob.blobId);
    throw error;
  }
  deps.shelf.keep([blob.blobId]);
  if (replaced !== undefined) deps.shelf.discard([replaced]);
  return { path, sizeBytes: blob.sizeBytes, digest };
}

/** Gives an upload up. */
export async function abortDatasetUpload(deps: DatasetsDeps, request: UploadRef): Promise<void> {
  let freed: string[] = [];
  await deps.gateway.cross<void>({
    ...crossingOf(request, 'dataset.create', async (reader) => {
      const upload = await findUpload(reader, request);
      return askToAdd(reader, upload.name, upload.owner, upload.tags);
    }),
    act: async (tx, crossing) => {
      crossing.detail('upload', request.uploadId);
      freed = await dropUpload(deps, tx, request.uploadId);
    },
  });
  deps.shelf.discard(freed);
}

/** Gives up the uploads that were begun over `abandonedMs` ago. */
export async function sweepDatasetUploads(
  deps: DatasetsDeps,
  request: { requestId: string; abandonedMs: number },
): Promise<number> {
  const before = deps.clock.nowMs() - request.abandonedMs;
  const old = await deps.database.read((reader) => selectDatasetUploadsBefore(reader, before));
  for (const upload of old) {
    const freed = await deps.gateway.system({
      action: 'dataset.upload.abandon',
      object: { kind: 'dataset', id: upload.name, name: upload.name },
      requestId: request.requestId,
      details: { upload: upload.uploadId },
      act: (tx) => dropUpload(deps, tx, upload.uploadId),
    });
    deps.shelf.discard(freed);
  }
  return old.length;
}

/** An upload of the asking user's; to everybody else there is none. */
export async function findUpload(reader: Reader, request: UploadRef): Promise<DatasetUpload> {
  const upload = await selectDatasetUpload(reader, request.uploadId);
  if (upload === undefined || upload.owner !== request.identity.user) {
    throw new AppError('not_found', 'There is no such upload of yours: it was finished, given up or never begun.', {
      details: { hint: 'Run "fumehood dataset add" again.' },
    });
  }
  return upload;
}

/** Whoever adds to a data set that is there already changes it, and is asked about that as well. */
export async function askToAdd(reader: Reader, name: string, user: string, tags: string[]): Promise<Question[]> {
  const owner = await selectOwner(reader, name);
  const object = { type: 'dataset', id: name, name, owner: owner ?? user, labels: tags };
  const create: Question = { action: 'dataset.create', resource: 'data', object };
  return owner === undefined ? [create] : [create, { action: 'dataset.update', resource: 'data', object }];
}

export const crossingOf = (
  request: UploadRef,
  action: string,
  ask: CrossingRequest<unknown>['ask'],
): Omit<CrossingRequest<unknown>, 'act'> => ({
  identity: request.identity,
  requestId: request.requestId,
  door: DOOR,
  action,
  object: { kind: 'dataset', id: request.uploadId },
  ask,
});

async function dropUpload(deps: DatasetsDeps, tx: Tx, uploadId: string): Promise<string[]> {
  const blobIds = (await selectUploadedFiles(tx, uploadId)).map((file) => file.blobId);
  await deleteDatasetUpload(tx, uploadId);
  for (let at = 0; at < blobIds.length; at += 500) await deps.shelf.forget(tx, blobIds.slice(at, at + 500));
  return blobIds;
}

const tooMany = () => new AppError('too_large', `A version of a data set has at most ${MOST_FILES} files.`);
