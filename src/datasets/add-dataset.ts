import { AppError } from '#kernel/errors.ts';
import type { Reader, Tx } from '#kernel/sql.ts';
import type { Crossing } from '#src/gateway/crossing.ts';
import {
  checkFolders,
  DATASET_BUCKET,
  type DatasetVersion,
  manifestDigest,
  nodeOfDataset,
  prefixOf,
} from './dataset.ts';
import { insertVersion, selectByDigest, selectLastNumber, selectOwner, selectVersion } from './dataset-store.ts';
import {
  type DatasetUpload,
  deleteDatasetUpload,
  selectUploadedFiles,
  type UploadedFile,
} from './dataset-upload-store.ts';
import type { DatasetsDeps } from './datasets-deps.ts';
import { askToAdd, crossingOf, findUpload, type UploadRef } from './upload-dataset.ts';

export type Added = { version: DatasetVersion; added: boolean };

/**
 * Makes an upload a version, whole or not at all. The latest version again (same files, same tags) stays the one it is. The same files with
 * fewer tags than they have anywhere are refused: that would take a label off data.
 */
export async function addDataset(deps: DatasetsDeps, request: UploadRef): Promise<Added> {
  let freed: string[] = [];
  const answer = await deps.gateway.cross<Added>({
    ...crossingOf(request, 'dataset.create', async (reader) => {
      const upload = await findUpload(reader, request);
      return askToAdd(reader, upload.name, upload.owner, upload.tags);
    }),
    act: async (tx, crossing) => {
      const upload = await findUpload(tx, request);
      const files = await selectUploadedFiles(tx, upload.uploadId);
      const digest = await checkFiles(files);
      await refuseLowering(tx, upload, digest);
      const latest = await selectVersion(tx, upload.name);
      await deleteDatasetUpload(tx, upload.uploadId);
      crossing.detail('dataset', upload.name);
      crossing.detail('digest', digest);
      if (latest !== undefined && latest.digest === digest && sameTags(latest.tags, upload.tags)) {
        freed = files.map((file) => file.blobId);
        for (let at = 0; at < freed.length; at += 500) await deps.shelf.forget(tx, freed.slice(at, at + 500));
        crossing.detail('version', latest.version);
        return { version: latest, added: false };
      }
      return { version: await makeVersion(deps, tx, crossing, upload, files, digest), added: true };
    },
  });
  deps.shelf.discard(freed);
  return answer;
}

async function checkFiles(files: UploadedFile[]): Promise<string> {
  if (files.length === 0) {
    throw new AppError('invalid', 'A version of a data set has at least one file.', { details: { field: 'files' } });
  }
  await checkFolders(files.map((file) => file.path));
  return manifestDigest(files);
}

const sameTags = (one: string[], two: string[]): boolean => one.join('\n') === two.join('\n');

async function refuseLowering(reader: Reader, upload: DatasetUpload, digest: string): Promise<void> {
  for (const there of await selectByDigest(reader, digest)) {
    const missing = there.tags.filter((tag) => tag !== 'public' && !upload.tags.includes(tag));
    if (missing.length === 0) continue;
    throw new AppError(
      'conflict',
      `These files are tagged ${missing.join(', ')} as ${there.name}@${there.version}; adding them again cannot take that off.`,
      { details: { field: 'tags', hint: `Add ${missing.map((tag) => `--tag ${tag}`).join(' ')}.` } },
    );
  }
}

async function makeVersion(
  deps: DatasetsDeps,
  tx: Tx,
  crossing: Crossing,
  upload: DatasetUpload,
  files: UploadedFile[],
  digest: string,
): Promise<DatasetVersion> {
  const { name, tags } = upload;
  const version: DatasetVersion = {
    name,
    version: (await selectLastNumber(tx, name)) + 1,
    digest,
    tags,
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    fileCount: files.length,
    owner: (await selectOwner(tx, name)) ?? upload.owner,
    createdMs: crossing.nowMs,
  };
  await insertVersion(tx, version, upload.owner);
  const prefix = prefixOf(version);
  for (const file of files) {
    const place = { bucket: DATASET_BUCKET, key: `${prefix}${file.path}`, owner: version.owner, nowMs: crossing.nowMs };
    await deps.shelf.place(tx, { ...place, blob: file });
  }
  const node = nodeOfDataset(version);
  await deps.lineage.addLabels(tx, node, tags);
  await crossing.writes(node, 'added');
  crossing.attest('dataset', name, version.version);
  for (const tag of tags) crossing.attest('dataset-tag', name, version.version, tag);
  crossing.detail('version', version.version);
  crossing.detail('tags', tags.join(' '));
  return version;
}
