/** Installed environments on disk: `<folder>/<digest>/`, used only once their completion marker is there. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, diskFault } from '#kernel/errors.ts';
import { removeTree } from '#kernel/remove-tree.ts';
import type { Phase, Telling } from './build-progress.ts';
import type { Uv } from './uv.ts';

const MARKER = '.fumehood-complete';

export type EnvironmentFiles = {
  /** Where an environment is (or will be). */
  dirOf(digest: string): string;
  isInstalled(digest: string): boolean;
  /** Resolves requirements to a lock: wheels only, of the index and of the folder `wheels`, every file with its hash. */
  resolve(requirements: string, telling: Telling, wheels?: string): Promise<string>;
  /** Installs a lock; whoever looks sees all of it or nothing. Returns its size in bytes. */
  install(lock: string, digest: string, telling: Telling, wheels?: string): Promise<number>;
  /** Gives `work` a folder that is removed afterwards. */
  withScratch<T>(work: (folder: string) => Promise<T>): Promise<T>;
  remove(digest: string): Promise<void>;
  /** Removes what a killed installation left and what no name stands for. */
  sweep(keep: string[]): Promise<void>;
};

export function createEnvironmentFiles(deps: { folder: string; uv: Uv; python: string }): EnvironmentFiles {
  const dirOf = (digest: string): string => join(deps.folder, digest.replace('sha256:', ''));
  const isInstalled = (digest: string): boolean => existsSync(join(dirOf(digest), MARKER));
  return {
    dirOf,
    isInstalled,
    resolve: (requirements, telling, wheels) => {
      telling.phase('resolve');
      const input = { requirements, wheels, onLine: telling.log };
      return withScratch(deps.folder, (scratch) => resolveLock(deps.uv, deps.python, { scratch, ...input }));
    },
    withScratch: (work) => withScratch(deps.folder, work),
    install: async (lock, digest, telling, wheels) => {
      const dir = dirOf(digest);
      if (!isInstalled(digest)) await install(deps, dir, { lock, wheels, telling });
      telling.phase('measure');
      return sizeOf(dir);
    },
    remove: (digest) => discard(deps.folder, dirOf(digest)),
    sweep: async (keep) => {
      await mkdir(deps.folder, { recursive: true, mode: 0o700 });
      const wanted = new Set(keep.filter(isInstalled).map(dirOf));
      for (const name of await readdir(deps.folder)) {
        const path = join(deps.folder, name);
        if (!wanted.has(path)) await discard(deps.folder, path);
      }
    },
  };
}

async function withScratch<T>(folder: string, work: (scratch: string) => Promise<T>): Promise<T> {
  const scratch = await scratchIn(folder).catch((error) => {
    throw diskFault(error, 'for environments') ?? error;
  });
  try {
    return await work(scratch);
  } catch (error) {
    throw diskFault(error, 'for environments') ?? error;
  } finally {
    await removeTree(scratch);
  }
}

async function scratchIn(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return mkdtemp(join(folder, '.scratch-'));
}

const findLinks = (wheels: string | undefined): string[] => (wheels === undefined ? [] : ['--find-links', wheels]);

async function resolveLock(
  uv: Uv,
  python: string,
  input: { scratch: string; requirements: string; wheels: string | undefined; onLine: (line: string) => void },
): Promise<string> {
  const file = join(input.scratch, 'requirements.in');
  await writeFile(file, input.requirements);
  const flags = [
    '--generate-hashes',
    '--no-header',
    '--no-annotate',
    '--no-emit-find-links',
    '--only-binary',
    ':all:',
    '--python',
    python,
  ];
  return uv(['pip', 'compile', ...flags, ...findLinks(input.wheels), file], { onLine: input.onLine });
}

/** The phase that begins when uv has said this. */
const AFTER: readonly (readonly [string, Phase])[] = [
  ['Prepared ', 'install'],
  ['Installed ', 'compile'],
];

/** Relocatable, because it lies elsewhere in a sandbox than on the host; the marker makes it real. */
async function install(
  deps: { folder: string; uv: Uv; python: string },
  dir: string,
  { lock, wheels, telling }: { lock: string; wheels: string | undefined; telling: Telling },
): Promise<void> {
  telling.phase('download');
  await discard(deps.folder, dir);
  await mkdir(deps.folder, { recursive: true, mode: 0o700 });
  try {
    await deps.uv(['venv', '--quiet', '--no-project', '--relocatable', '--python', deps.python, dir]);
    const lockFile = join(dir, 'requirements.lock');
    await writeFile(lockFile, lock);
    const interpreter = join(dir, 'bin', 'python');
    const flags = [
      '--require-hashes',
      '--no-deps',
      '--only-binary',
      ':all:',
      '--compile-bytecode',
      '--python',
      interpreter,
    ];
    const onLine = (line: string): void => {
      // Where it is on this host is nobody's business.
      if (!line.startsWith('Using Python')) telling.log(line);
      const next = AFTER.find(([said]) => line.startsWith(said));
      if (next !== undefined) telling.phase(next[1]);
    };
    if (lock.trim() !== '')
      await deps.uv(['pip', 'install', ...flags, ...findLinks(wheels), '-r', lockFile], { onLine });
    await writeFile(join(dir, MARKER), '');
  } catch (error) {
    await discard(deps.folder, dir);
    throw error instanceof AppError
      ? error
      : (diskFault(error, 'for environments') ??
          new AppError('unavailable', 'The environment could not be installed.', { cause: error }));
  }
}

/** Takes a folder out of use at once, then removes it. */
async function discard(folder: string, dir: string): Promise<void> {
  if (!existsSync(dir)) return;
  const doomed = await mkdtemp(join(folder, '.doomed-'));
  await rename(dir, join(doomed, 'environment'));
  await removeTree(doomed);
}

async function sizeOf(dir: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}
