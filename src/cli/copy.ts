import { createReadStream, createWriteStream, mkdirSync, readdirSync, statSync } from 'node:fs';
import { basename, join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { AppError } from '#kernel/errors.ts';
import { at } from './api-client.ts';
import type { Context } from './command.ts';

type Place = { id: string; path: string };
type Entry = { name: string; kind: string };
type Copied = { files: number; bytes: number };

/** `ID:PATH`; a path with a slash before the colon, or without one, is local. */
function placeOf(word: string): Place | undefined {
  const match = /^([A-Za-z0-9][A-Za-z0-9-]*):(.*)$/s.exec(word);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { id: match[1], path: match[2].startsWith('/') ? match[2] : posix.join('/workspace', match[2]) };
}

/** `sandbox cp`: into or out of a sandbox, folders with all that is in them. */
export async function copy(context: Context): Promise<undefined> {
  const [from, to] = [placeOf(context.arg('SRC')), placeOf(context.arg('DST'))];
  if ((from === undefined) === (to === undefined))
    throw new AppError('invalid', 'Exactly one of SRC and DST is in a sandbox.', {
      details: { hint: 'Write it as ID:PATH.' },
    });
  const copied: Copied = { files: 0, bytes: 0 };
  if (to !== undefined)
    await copyIn(context, context.arg('SRC'), await intoFolder(context, to, context.arg('SRC')), copied);
  else if (from !== undefined) await copyOut(context, from, context.arg('DST'), copied);
  context.out.text(`copied ${copied.files} file(s), ${copied.bytes} bytes`, copied);
  return undefined;
}

/** As `cp` does: a target that is a folder, or ends in a slash, takes the source's name. */
async function intoFolder(context: Context, to: Place, source: string): Promise<Place> {
  const isFolder =
    to.path.endsWith('/') ||
    (await list(context, to).then(
      () => true,
      () => false,
    ));
  return isFolder ? { id: to.id, path: posix.join(to.path, basename(source)) } : to;
}

async function copyIn(context: Context, source: string, to: Place, copied: Copied): Promise<void> {
  const info = statOf(source);
  if (info.isDirectory()) {
    for (const name of readdirSync(source).sort())
      await copyIn(context, join(source, name), { id: to.id, path: posix.join(to.path, name) }, copied);
    return;
  }
  if (!info.isFile()) throw new AppError('invalid', `"${source}" is neither a file nor a folder.`);
  const mode = (info.mode & 0o777).toString(8).padStart(3, '0');
  const query = { path: to.path, mode };
  await context.api.upload('PUT', at('sandboxes', to.id, 'files', 'content'), {
    query,
    content: createReadStream(source),
  });
  copied.files += 1;
  copied.bytes += info.size;
}

function statOf(path: string) {
  try {
    return statSync(path);
  } catch (error) {
    throw new AppError('invalid', `"${path}" cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

const list = (context: Context, { id, path }: Place): Promise<{ items: Entry[] }> =>
  context.api.send('GET', at('sandboxes', id, 'files'), { query: { path } });

async function copyOut(context: Context, from: Place, target: string, copied: Copied): Promise<void> {
  const folder = await list(context, from).catch((error: unknown) => {
    if (
      error instanceof AppError &&
      (error.code === 'invalid' || error.code === 'conflict' || error.code === 'not_found')
    )
      return undefined;
    throw error;
  });
  const name = basename(from.path);
  const existing = isFolder(target);
  if (folder === undefined) return fetchFile(context, from, existing ? join(target, name) : target, copied);
  await fetchFolder(context, from, folder.items, existing ? join(target, name) : target, copied);
}

async function fetchFolder(
  context: Context,
  from: Place,
  items: Entry[],
  target: string,
  copied: Copied,
): Promise<void> {
  mkdirSync(target, { recursive: true });
  for (const item of items) {
    // Names come out of the sandbox: one that would leave the target folder is not followed.
    if (item.name.includes('/') || item.name === '..' || item.name === '.')
      throw new AppError('integrity', `The sandbox named a file "${item.name}".`);
    const inner = { id: from.id, path: posix.join(from.path, item.name) };
    const place = join(target, item.name);
    if (item.kind === 'file') await fetchFile(context, inner, place, copied);
    else if (item.kind === 'directory')
      await fetchFolder(context, inner, (await list(context, inner)).items, place, copied);
    else context.out.note(`left out ${inner.path}: it is a ${item.kind}`);
  }
}

async function fetchFile(context: Context, { id, path }: Place, target: string, copied: Copied): Promise<void> {
  const content = await context.api.download(at('sandboxes', id, 'files', 'content'), { query: { path } });
  const file = createWriteStream(target);
  await pipeline(content, file);
  copied.files += 1;
  copied.bytes += file.bytesWritten;
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
