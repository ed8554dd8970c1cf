/** Objects, data sets, secrets, access keys and environments. */
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { createKeyedMutex } from '#kernel/keyed-mutex.ts';
import { DATASET_BUCKET } from '#src/datasets/dataset.ts';
import { askForCatalogue, datasetOfKey } from '#src/datasets/dataset-bucket.ts';
import type { DatasetsDeps } from '#src/datasets/datasets-deps.ts';
import { type DatasetMounts, openDatasetMounts } from '#src/datasets/materialize-dataset.ts';
import { createEnvironmentFiles, type EnvironmentFiles } from '#src/environments/environment-files.ts';
import { selectEnvironmentDigests } from '#src/environments/environment-store.ts';
import { createUv } from '#src/environments/uv.ts';
import { createImageFiles, type ImageFiles } from '#src/images/image-files.ts';
import { type AccessKeys, createAccessKeys } from '#src/objects/access-keys.ts';
import type { BlobVault } from '#src/objects/blob.ts';
import { openBlobFolder } from '#src/objects/blob-folder.ts';
import { createObjects, type Objects } from '#src/objects/create-objects.ts';
import { createShelf } from '#src/objects/shelf.ts';
import { isUsedBySandbox } from '#src/sandboxes/sandbox-store.ts';
import { createSecrets, type Secrets } from '#src/secrets/create-secrets.ts';
import { ownerOfArtifact } from '#src/tracking/artifact-owner-store.ts';
import type { Core } from './core.ts';

export type Data = {
  vault: BlobVault;
  objects: Objects;
  accessKeys: AccessKeys;
  datasets: DatasetsDeps;
  mounts: DatasetMounts;
  secrets: Secrets;
  environmentFiles: EnvironmentFiles;
  images: ImageFiles;
  /** Names the interpreter and the platform that environments are for. */
  python: string;
};

const PYTHON = '/usr/bin/python3';

export async function openData(
  core: Core,
  options: { uv: string; uvCacheDir: string; pythonVersion: string },
): Promise<Data> {
  const { home, settings, clock, ids, database, gateway, lineage, keys } = core;
  const vault = await openBlobFolder({
    folder: join(home, 'objects'),
    keys,
    clock,
    keepFreeBytes: settings['objects.keepFree'],
  });
  const builtIn = {
    mlflow: { readOnly: false, ownerOf: ownerOfArtifact },
    [DATASET_BUCKET]: { readOnly: true, partOf: datasetOfKey, askToList: askForCatalogue },
  };
  const objectsDeps = { gateway, database, vault, lineage, clock, ids, builtIn };
  const shelf = createShelf(objectsDeps);
  const datasets: DatasetsDeps = {
    gateway,
    database,
    lineage,
    shelf,
    clock,
    ids,
    vocabulary: settings['datasets.tags'],
  };
  const uv = createUv({ path: options.uv, cacheDir: options.uvCacheDir, indexUrl: settings['index.url'] });
  const environmentFiles = createEnvironmentFiles({ folder: join(home, 'environments'), uv, python: PYTHON });
  await environmentFiles.sweep(await database.read(selectEnvironmentDigests));
  const images = createImageFiles({
    folder: join(home, 'images'),
    mutex: createKeyedMutex(),
    arch: process.arch,
    interpreter: realpathSync(PYTHON),
    largestBytes: settings['images.maxSize'],
    cacheBytes: settings['images.cache'],
    inUse: (digest) => database.read((reader) => isUsedBySandbox(reader, digest)),
  });
  await images.sweep();
  return {
    vault,
    objects: createObjects(objectsDeps),
    accessKeys: createAccessKeys({ keys, database, clock }),
    datasets,
    mounts: await openDatasetMounts({ folder: join(home, 'mounts'), database, shelf, mutex: createKeyedMutex() }),
    secrets: createSecrets({ gateway, database, lineage, keys, ids, clock }),
    environmentFiles,
    images,
    python: `${options.pythonVersion} ${process.arch}-${process.platform}`,
  };
}

/** A name for this installation that tells nothing about it. */
export const installationId = (home: string): string =>
  createHash('sha256').update(`installation ${home}`).digest('hex').slice(0, 32);
