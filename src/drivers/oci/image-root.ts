/** An unpacked image as the root of a sandbox: each of its top-level things is mounted read-only into an empty root of the sandbox's own. */
import { lstatSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { type ImageRoot, ROOT_FILES, ROOT_FOLDERS } from '../driver.ts';

/** What a sandbox has of its own, whatever an image holds there. */
const OWN = new Set(['dev', 'proc', 'sys', 'run', 'tmp', 'workspace', 'data', 'fumehood']);

type TopLevel = { name: string; kind: 'folder' | 'file' | 'symlink' };

function topLevel({ rootDir }: ImageRoot): TopLevel[] {
  return readdirSync(rootDir)
    .filter((name) => !OWN.has(name))
    .flatMap((name): TopLevel[] => {
      const found = lstatSync(join(rootDir, name));
      if (found.isDirectory()) return [{ name, kind: 'folder' }];
      if (found.isSymbolicLink()) return [{ name, kind: 'symlink' }];
      return found.isFile() ? [{ name, kind: 'file' }] : [];
    });
}

/** Refuses a folder that was not made to be a root: a mount must never land on a link of an image's making. */
export function assertRoot({ rootDir }: ImageRoot): void {
  const isPlain = (path: string, kind: 'isFile' | 'isDirectory'): boolean =>
    lstatSync(join(rootDir, path), { throwIfNoEntry: false })?.[kind]() === true;
  if (ROOT_FOLDERS.every((path) => isPlain(path, 'isDirectory')) && ROOT_FILES.every((path) => isPlain(path, 'isFile')))
    return;
  throw new AppError('not_found', 'The files of this image are not there, or are not those of an unpacked one.', {
    details: { hint: 'Add it again with "fumehood image add FOLDER".' },
  });
}

/** Makes the places for the image's own things in the sandbox's root. */
export function makeImagePlaces(rootfs: string, image: ImageRoot): void {
  for (const { name, kind } of topLevel(image)) {
    const place = join(rootfs, name);
    if (kind === 'folder') mkdirSync(place, { recursive: true, mode: 0o755 });
    else if (kind === 'file') writeFileSync(place, '', { mode: 0o644 });
    else symlinkSync(readlinkSync(join(image.rootDir, name)), place);
  }
}

/** Source and target of what is mounted: the image's things, and over them the sandbox's own files of /etc. */
export function imageMounts(image: ImageRoot, etc: string): { source: string; target: string }[] {
  const own = topLevel(image).filter(({ kind }) => kind !== 'symlink');
  return [
    ...own.map(({ name }) => ({ source: join(image.rootDir, name), target: `/${name}` })),
    ...ROOT_FILES.map((path) => ({ source: join(etc, path.slice('etc/'.length)), target: `/${path}` })),
  ];
}
