/** Applies one layer to a root (OCI image-spec 1.1, layer.md): files, links, whiteouts. What could act on a host is dropped or refused. */
import { linkSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { lutimes, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { UnpackBudget } from './budget.ts';
import { badImage, look, partsOf, resolveFolder } from './root-path.ts';
import type { TarEntry } from './tar.ts';

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const LONGEST_TARGET = 4095;

/** Device nodes and FIFOs, owners, set-id bits and extended attributes (file capabilities among them) of an entry are not taken over. */
export async function unpackLayer(root: string, entries: AsyncIterable<TarEntry>, budget: UnpackBudget): Promise<void> {
  const made = new Set<string>();
  for await (const entry of entries) {
    budget.entry(entry);
    const parts = partsOf(entry.name);
    const name = parts.at(-1);
    if (name === undefined) continue;
    const folder = resolveFolder(root, parts.slice(0, -1), true) ?? root;
    if (name === OPAQUE) await clear(folder, made);
    else if (name.startsWith(WHITEOUT)) await whiteOut(folder, name, made);
    else {
      const path = join(folder, name);
      await place(root, path, entry);
      for (let at = path; at !== root && !made.has(at); at = dirname(at)) made.add(at);
    }
  }
}

/** Removes what lower layers have in a folder, and nothing that this layer made. */
async function clear(folder: string, made: ReadonlySet<string>): Promise<void> {
  for (const name of readdirSync(folder)) await removeLower(join(folder, name), made);
}

async function whiteOut(folder: string, name: string, made: ReadonlySet<string>): Promise<void> {
  const hidden = name.slice(WHITEOUT.length);
  // Names of a union file system's own books.
  if (hidden.startsWith(WHITEOUT)) return;
  if (hidden === '' || hidden === '.' || hidden === '..') throw badImage('a whiteout names no file');
  await removeLower(join(folder, hidden), made);
}

async function removeLower(path: string, made: ReadonlySet<string>): Promise<void> {
  if (!made.has(path)) await rm(path, { recursive: true, force: true });
  else if (look(path)?.isDirectory() === true) await clear(path, made);
}

async function place(root: string, path: string, entry: TarEntry): Promise<void> {
  const there = look(path);
  if (entry.kind === 'device' || entry.kind === 'fifo') return;
  if (entry.kind === 'folder' && there?.isDirectory() === true) return;
  const source = entry.kind === 'hardlink' ? linkSource(root, entry.linkName) : undefined;
  if (source === path) return;
  if (source?.startsWith(`${path}/`) === true) throw badImage('a hard link takes the place of its target');
  if (there !== undefined) await rm(path, { recursive: true, force: true });
  if (entry.kind === 'folder') mkdirSync(path, { mode: 0o755 });
  else if (entry.kind === 'symlink') makeLink(path, entry.linkName);
  else if (source !== undefined) linkSync(source, path);
  else return writeFile(path, entry);
  if (entry.kind !== 'hardlink') await lutimes(path, entry.modifiedSeconds, entry.modifiedSeconds);
}

function makeLink(path: string, target: string): void {
  if (target === '' || Buffer.byteLength(target) > LONGEST_TARGET) throw badImage('a link points nowhere');
  symlinkSync(target, path);
}

/** A hard link names a file of this root: found by real folders, and itself no link that leads on. */
function linkSource(root: string, name: string): string {
  const parts = partsOf(name.replace(/^\/+/, ''));
  const last = parts.at(-1);
  const folder = resolveFolder(root, parts.slice(0, -1), false);
  const source = last === undefined || folder === undefined ? undefined : join(folder, last);
  const found = source === undefined ? undefined : look(source);
  if (source === undefined || found === undefined || !(found.isFile() || found.isSymbolicLink()))
    throw badImage('a hard link points at nothing that is in it');
  return source;
}

/** Times are kept, because compiled Python knows its source by them. */
async function writeFile(path: string, entry: TarEntry): Promise<void> {
  const mode = entry.executable ? 0o755 : 0o644;
  const file = await open(path, 'wx', mode);
  try {
    for await (const chunk of entry.content) await file.writev([chunk]);
    await file.chmod(mode);
    await file.utimes(entry.modifiedSeconds, entry.modifiedSeconds);
  } finally {
    await file.close();
  }
}
