/** Unpacked images on disk: `<folder>/<hex of the digest>/{root,image.json}`, there as a whole or not at all, the least recently used go first. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, utimesSync } from 'node:fs';
import { mkdir, mkdtemp, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '#kernel/errors.ts';
import type { KeyedMutex } from '#kernel/keyed-mutex.ts';
import { formatBytes } from '#kernel/quantities.ts';
import { removeTree } from '#kernel/remove-tree.ts';
import { createBudget } from './budget.ts';
import { Image, variablesOf } from './image.ts';
import { hostPlatform, readLayout } from './oci-layout.ts';
import { findPython, hasInterpreter, preparePlaces } from './prepare-root.ts';
import { receiveLayout } from './receive-layout.ts';
import { unpackImage } from './unpack-image.ts';

const run = promisify(execFile);

export type AddedImage = { image: Image; added: boolean };

export type ImageFiles = {
  /** Takes a layout in as a tar stream and unpacks it, unless that was done before. Throws `invalid`, `too_large`, `too_many_requests`. */
  add(body: AsyncIterable<Buffer>, by: { owner: string; name: string; nowMs: number }): Promise<AddedImage>;
  find(digest: string): Image | undefined;
  /** All of them, by digest. */
  list(): Image[];
  /** The root of an image; this counts as a use. */
  rootOf(digest: string): string;
  /** Whether the image has the interpreter that environments are made for. */
  fitsEnvironments(digest: string): boolean;
  remove(digest: string): Promise<void>;
  /** Removes what a killed control plane left half done. */
  sweep(): Promise<void>;
};

export type ImageFilesDeps = {
  folder: string;
  mutex: KeyedMutex;
  arch: string;
  /** The interpreter of the host that environments are made for. */
  interpreter: string;
  /** Most bytes of one image, packed and unpacked. */
  largestBytes: number;
  /** Most bytes of all. */
  cacheBytes: number;
  inUse: (digest: string) => Promise<boolean>;
};

const STAGING = '.staging-';
const MOST_UPLOADS = 4;

export function createImageFiles(deps: ImageFilesDeps): ImageFiles {
  const dirOf = (digest: string): string => join(deps.folder, digest.replace('sha256:', ''));
  const recordOf = (digest: string): string => join(dirOf(digest), 'image.json');
  const find = (digest: string): Image | undefined =>
    existsSync(recordOf(digest)) ? Image.parse(JSON.parse(readFileSync(recordOf(digest), 'utf8'))) : undefined;
  const list = (): Image[] =>
    existsSync(deps.folder)
      ? readdirSync(deps.folder)
          .filter((name) => /^[0-9a-f]{64}$/.test(name))
          .flatMap((hex) => find(`sha256:${hex}`) ?? [])
      : [];
  const use = (digest: string): void => utimesSync(recordOf(digest), new Date(), new Date());
  const lastUseMs = (image: Image): number => statSync(recordOf(image.digest)).mtimeMs;
  const remove = async (digest: string): Promise<void> => {
    if (!existsSync(dirOf(digest))) return;
    const doomed = await mkdtemp(join(deps.folder, STAGING));
    await rename(dirOf(digest), join(doomed, 'image'));
    await removeTree(doomed);
  };
  /** Frees the least recently used that no sandbox has, until so many bytes more fit. */
  const makeRoom = async (sizeBytes: number): Promise<void> => {
    let images = list().sort((a, b) => lastUseMs(a) - lastUseMs(b));
    const total = (): number => images.reduce((sum, image) => sum + image.sizeBytes, sizeBytes);
    for (const image of [...images]) {
      if (total() <= deps.cacheBytes) return;
      if (await deps.inUse(image.digest)) continue;
      await remove(image.digest);
      images = images.filter((one) => one.digest !== image.digest);
    }
    if (total() > deps.cacheBytes) throw full(deps.cacheBytes);
  };
  const unpack = async (staging: string, by: { owner: string; name: string; nowMs: number }): Promise<AddedImage> => {
    const layout = readLayout(join(staging, 'layout'), hostPlatform(deps.arch));
    const known = find(layout.digest);
    if (known !== undefined) {
      use(layout.digest);
      return { image: known, added: false };
    }
    const made = join(staging, 'image');
    const root = join(made, 'root');
    await mkdir(made, { mode: 0o755 });
    const budget = createBudget({ bytes: deps.largestBytes });
    await unpackImage(join(staging, 'layout'), layout, root, budget);
    const { env, searchPath } = variablesOf(layout.env);
    const python = findPython(root, searchPath, deps.arch);
    preparePlaces(root);
    const { bytes: sizeBytes, entries: files } = budget.used();
    await makeRoom(sizeBytes);
    const { digest, workingDir } = layout;
    const rest = { layers: layout.layers.length, files, sizeBytes, python, env, searchPath };
    const image: Image = {
      digest,
      name: by.name,
      owner: by.owner,
      workingDir: safeFolder(workingDir),
      ...rest,
      addedMs: by.nowMs,
    };
    await writeFile(join(made, 'image.json'), JSON.stringify(image), { mode: 0o600 });
    // All of it is on the disk before it has its name.
    await run('sync', ['-f', made]);
    await rename(made, dirOf(digest));
    return { image, added: true };
  };

  let uploads = 0;
  return {
    find,
    list,
    remove: (digest) => deps.mutex('images', () => remove(digest)),
    add: async (body, by) => {
      if (uploads >= MOST_UPLOADS) throw busy();
      uploads += 1;
      await mkdir(deps.folder, { recursive: true, mode: 0o700 });
      const staging = await mkdtemp(join(deps.folder, STAGING));
      try {
        await receiveLayout(join(staging, 'layout'), body, deps.largestBytes);
        return await deps.mutex('images', () => unpack(staging, by));
      } finally {
        uploads -= 1;
        await removeTree(staging);
      }
    },
    rootOf: (digest) => {
      use(digest);
      return join(dirOf(digest), 'root');
    },
    fitsEnvironments: (digest) => hasInterpreter(join(dirOf(digest), 'root'), deps.interpreter),
    sweep: async () => {
      if (!existsSync(deps.folder)) return;
      for (const name of readdirSync(deps.folder))
        if (name.startsWith(STAGING) || !existsSync(join(deps.folder, name, 'image.json')))
          await removeTree(join(deps.folder, name));
    },
  };
}

/** The image's word on where commands start: an absolute folder, or nothing. */
const safeFolder = (path: string): string => (/^\/[^\0]{1,1023}$/.test(path) ? path : '');

const full = (cacheBytes: number): AppError =>
  new AppError('too_large', `The images that sandboxes use leave no room for it in ${formatBytes(cacheBytes)}.`, {
    details: { hint: 'Delete sandboxes that use other images, or ask an operator to raise images.cache.' },
  });

const busy = (): AppError =>
  new AppError('too_many_requests', `${MOST_UPLOADS} images are being added already.`, {
    details: { hint: 'Try again when one of them is done.' },
  });
