/** Decrypted folders of versions, for drivers to mount read-only: one a content, proven against its digests, removed when nobody holds it. */
import { createHash, randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, open, readdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AppError, diskFault } from '#kernel/errors.ts';
import type { KeyedMutex } from '#kernel/keyed-mutex.ts';
import { removeTree } from '#kernel/remove-tree.ts';
import type { Database } from '#kernel/sql.ts';
import type { Shelf } from '#src/objects/shelf.ts';
import { DATASET_BUCKET, type DatasetFile, manifestDigest, prefixOf } from './dataset.ts';
import { deleteMounts, insertMount, selectMounts } from './mount-store.ts';

type Deps = { folder: string; database: Database; shelf: Shelf; mutex: KeyedMutex };

export type MountedVersion = { name: string; version: string | number; digest: string };

export type DatasetMounts = {
  /** The folder of a version's files: read-only for everybody, inside one that only the control plane enters. Kept until `release`. */
  materialize(dataset: MountedVersion, sandboxId: string): Promise<string>;
  /** The sandbox is gone: folders that nobody else holds are removed. */
  release(sandboxId: string): Promise<void>;
  /** After a restart: releases what sandboxes held that are not alive, and removes folders that were left half-made. */
  recover(alive: ReadonlySet<string>): Promise<void>;
};

/** Opens the cache of folders. */
export async function openDatasetMounts(deps: Deps): Promise<DatasetMounts> {
  await mkdir(deps.folder, { recursive: true, mode: 0o700 });
  await chmod(deps.folder, 0o700);
  const proven = new Set<string>();
  const folderOf = (digest: string): string => join(deps.folder, digest.replace('sha256:', ''));

  const drop = (digest: string): Promise<void> =>
    deps.mutex(digest, async () => {
      const held = await deps.database.read(selectMounts);
      if (held.some((mount) => mount.digest === digest)) return;
      proven.delete(digest);
      await removeTree(folderOf(digest));
    });

  const release = async (sandboxId: string): Promise<void> => {
    const free = await deps.database.transaction((tx) => deleteMounts(tx, sandboxId));
    for (const digest of free) await drop(digest);
  };

  return {
    materialize: (dataset, sandboxId) =>
      deps.mutex(dataset.digest, async () => {
        const { name, digest } = dataset;
        const version = Number(dataset.version);
        const folder = folderOf(digest);
        // Noted first: what is noted is never removed, and a note too many goes with its sandbox.
        await deps.database.transaction((tx) => insertMount(tx, { digest, sandboxId, name, version }));
        if (proven.has(digest)) return folder;
        if (await exists(folder)) await prove(folder, digest);
        else await build(deps, folder, { name, version, digest });
        proven.add(digest);
        return folder;
      }),
    release,
    recover: async (alive) => {
      const mounts = await deps.database.read(selectMounts);
      for (const sandboxId of new Set(mounts.map((mount) => mount.sandboxId))) {
        if (!alive.has(sandboxId)) await release(sandboxId);
      }
      const held = new Set((await deps.database.read(selectMounts)).map((mount) => folderOf(mount.digest)));
      for (const entry of await readdir(deps.folder)) {
        const path = join(deps.folder, entry);
        if (!held.has(path)) await removeTree(path);
      }
    },
  };
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

/** Writes all files into a folder beside, proves them, and gives it its name: a half-made folder is never mounted. */
async function build(
  deps: Deps,
  folder: string,
  dataset: { name: string; version: number; digest: string },
): Promise<void> {
  const fresh = join(deps.folder, `.building-${randomBytes(8).toString('hex')}`);
  const prefix = prefixOf(dataset);
  try {
    await mkdir(fresh, { mode: 0o755 });
    const objects = await deps.database.read((reader) => deps.shelf.files(reader, DATASET_BUCKET, prefix));
    if (objects.length === 0) throw removed(dataset);
    const written: DatasetFile[] = [];
    for (const object of objects) {
      const path = object.key.slice(prefix.length);
      const target = join(fresh, path);
      await mkdir(dirname(target), { recursive: true, mode: 0o755 });
      const blobs = await deps.database.read((reader) => deps.shelf.blobsOf(reader, object.contentId));
      const sum = await writeFile(target, deps.shelf.bytes(blobs));
      written.push({ path, ...sum });
    }
    if ((await manifestDigest(written)) !== dataset.digest) throw damaged(dataset.name);
    await closeFolders(fresh);
    await rename(fresh, folder);
  } catch (error) {
    await removeTree(fresh);
    throw diskFault(error, `for the data set "${dataset.name}"`) ?? error;
  }
}

async function writeFile(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
): Promise<Pick<DatasetFile, 'sizeBytes' | 'digest'>> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const file = await open(path, 'wx', 0o444);
  try {
    for await (const chunk of bytes) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at, chunk.length - at)).bytesWritten;
    }
    await file.chmod(0o444);
  } finally {
    await file.close();
  }
  return { sizeBytes, digest: `sha256:${hash.digest('hex')}` };
}

/** Folders are 0555 whatever the umask: the ids inside a sandbox are nobody's on the host. */
async function closeFolders(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await closeFolders(join(folder, entry.name));
  }
  await chmod(folder, 0o555);
}

/** Reads a folder that an earlier control plane left, and refuses it when a byte differs. */
async function prove(folder: string, digest: string): Promise<void> {
  const files: DatasetFile[] = [];
  const walk = async (at: string, prefix: string): Promise<void> => {
    for (const entry of await readdir(at, { withFileTypes: true })) {
      const path = `${prefix}${entry.name}`;
      if (entry.isDirectory()) await walk(join(at, entry.name), `${path}/`);
      else files.push({ path, ...(await digestOf(join(at, entry.name))) });
    }
  };
  await walk(folder, '');
  if ((await manifestDigest(files)) !== digest) throw damaged(folder);
}

async function digestOf(path: string): Promise<Pick<DatasetFile, 'sizeBytes' | 'digest'>> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const file = await open(path, 'r');
  for await (const chunk of file.createReadStream()) {
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  return { sizeBytes, digest: `sha256:${hash.digest('hex')}` };
}

const damaged = (what: string): AppError =>
  new AppError('integrity', `The files of ${what} are not those of its digest: it is not mounted.`);

const removed = ({ name, version }: { name: string; version: number }): AppError =>
  new AppError('not_found', `Version ${version} of data set "${name}" was removed in the meantime.`);
