/** Files out of a sandbox: listed and fetched as what they are, untrusted names and sizes, into one folder and nowhere else. */
import { randomBytes } from 'node:crypto';
import { createWriteStream, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError } from '#kernel/errors.ts';
import { type Api, at } from './api-client.ts';

export type RemoteFile = { path: string; sizeBytes: number; modifiedMs: number };
export type Limits = { files: number; bytes: number; depth: number };
type Entry = { name: string; kind: string; sizeBytes: number; modifiedMs: number };

export const WIDE_LIMITS: Limits = { files: 100_000, bytes: Number.MAX_SAFE_INTEGER, depth: 64 };

/** All regular files below a folder of a sandbox, by path from there; what is no file or folder is handed to `leftOut`, not followed. */
export async function listFiles(
  api: Api,
  id: string,
  base: string,
  options: { limits: Limits; leftOut: (path: string, kind: string) => void; skip?: (name: string) => boolean },
): Promise<RemoteFile[]> {
  const found: RemoteFile[] = [];
  const walk = async (folder: string, depth: number): Promise<void> => {
    if (depth > options.limits.depth) throw tooMuch(`folders more than ${options.limits.depth} deep`);
    const path = posix.join(base, folder);
    const { items } = await api.send<{ items: Entry[] }>('GET', at('sandboxes', id, 'files'), { query: { path } });
    for (const entry of items.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      assertName(entry.name);
      if (options.skip?.(entry.name) === true) continue;
      const inner = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.kind === 'directory') await walk(inner, depth + 1);
      else if (entry.kind !== 'file') options.leftOut(inner, entry.kind);
      else found.push({ path: inner, sizeBytes: entry.sizeBytes, modifiedMs: entry.modifiedMs });
      if (found.length > options.limits.files) throw tooMuch(`more than ${options.limits.files} files`);
    }
  };
  await walk('', 0);
  return found;
}

/** Names come out of the sandbox: one that could mean another folder is not followed. */
function assertName(name: string): void {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name))
    throw new AppError('integrity', `The sandbox named a file ${JSON.stringify(name)}.`, {
      details: { hint: 'Nothing of that name is written. The sandbox may be hostile: look at what ran in it.' },
    });
}

const tooMuch = (what: string): AppError =>
  new AppError('too_large', `The sandbox holds ${what}; that is more than is fetched.`, {
    details: { hint: 'Fetch what you need with "fumehood sandbox cp ID:PATH .".' },
  });

/** Fetches files of a sandbox into `dir`, each whole or not at all; gives the bytes that were written. */
export async function fetchFiles(
  api: Api,
  from: { id: string; base: string; files: readonly RemoteFile[] },
  dir: string,
  options: { limits: Limits; onBytes: (bytes: number) => void },
): Promise<number> {
  let total = 0;
  mkdirSync(dir, { recursive: true });
  for (const { path } of from.files) {
    const query = { path: posix.join(from.base, path) };
    // What was listed need not be what comes.
    const onBytes = (bytes: number): void => {
      total += bytes;
      options.onBytes(bytes);
      if (total > options.limits.bytes) throw tooMuch(`more than ${options.limits.bytes} bytes`);
    };
    await writeBelow(dir, path, async () =>
      counted(await api.download(at('sandboxes', from.id, 'files', 'content'), { query }), onBytes),
    );
  }
  return total;
}

/** The same bytes, told as they pass. */
export const counted = (source: Readable, onBytes: (bytes: number) => void): Readable =>
  Readable.from(
    (async function* () {
      for await (const chunk of source) {
        onBytes((chunk as Buffer).length);
        yield chunk;
      }
    })(),
    { objectMode: false },
  );

/**
 * Writes a file below `dir`. Every folder on the way is a folder and no link, and the file takes its name only when it is whole, so a
 * link that stood there is replaced and not followed.
 */
export async function writeBelow(dir: string, path: string, open: () => Promise<Readable>): Promise<void> {
  for (const part of path.split('/')) assertName(part);
  const target = join(dir, path);
  makeFolders(dir, dirname(path));
  const partial = join(dirname(target), `.fumehood-${randomBytes(6).toString('hex')}.part`);
  const content = await open();
  try {
    // Exclusive: whatever stands there, a link too, is an error.
    await pipeline(content, createWriteStream(partial, { flags: 'wx', mode: 0o644 }));
    renameSync(partial, target);
  } catch (error) {
    rmSync(partial, { force: true });
    if ((error as NodeJS.ErrnoException).code === 'EISDIR')
      throw new AppError('conflict', `"${target}" is a folder, and a file of that name comes out of the sandbox.`);
    throw error;
  }
}

function makeFolders(dir: string, path: string): void {
  let folder = dir;
  for (const part of path === '.' ? [] : path.split('/')) {
    folder = join(folder, part);
    const there = lstatSync(folder, { throwIfNoEntry: false });
    if (there === undefined) mkdirSync(folder);
    else if (!there.isDirectory())
      throw new AppError('conflict', `"${folder}" is no folder, and files of that name come out of the sandbox.`, {
        details: { hint: 'Name another folder, one that is empty.' },
      });
  }
}
