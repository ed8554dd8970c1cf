/** Paths of an image, resolved as its root would: no name, no `..` and no symbolic link leads out of the folder that is the root. */
import { lstatSync, mkdirSync, readlinkSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';

const MOST_LINKS = 40;
const DEEPEST = 128;
const LONGEST_NAME = 255;

export const badImage = (what: string, hint = 'Build it anew, or use another image.'): AppError =>
  new AppError('invalid', `The image cannot be used: ${what}.`, { details: { hint } });

const shown = (name: string): string => name.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);

/** The parts of a name as it stands in a layer; throws for one that is absolute, climbs or is too deep. */
export function partsOf(name: string): string[] {
  if (name.startsWith('/')) throw badImage(`"${shown(name)}" is an absolute name`);
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw badImage(`"${shown(name)}" climbs out of its folder`);
  if (parts.length > DEEPEST || parts.some((part) => Buffer.byteLength(part) > LONGEST_NAME))
    throw badImage(`"${shown(name)}" is too deep or too long`);
  return parts;
}

/** What stands at a path itself, no link followed; undefined for nothing. */
export const look = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false });

/**
 * The real folder below `root` that these parts name; links are followed inside the root only. Missing folders are made when `make` is
 * set; else undefined. Nothing else may write below the root meanwhile.
 */
export function resolveFolder(root: string, parts: readonly string[], make: boolean): string | undefined {
  const todo = [...parts];
  let at: string[] = [];
  let links = 0;
  for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      at = at.slice(0, -1);
      continue;
    }
    const path = join(root, ...at, part);
    const found = look(path);
    if (found === undefined) {
      if (!make) return undefined;
      mkdirSync(path, { mode: 0o755 });
      at.push(part);
    } else if (found.isDirectory()) {
      at.push(part);
    } else if (found.isSymbolicLink()) {
      links += 1;
      if (links > MOST_LINKS) throw badImage(`"${shown(part)}" is a circle of links`);
      const target = readlinkSync(path);
      if (target.startsWith('/')) at = [];
      todo.unshift(...target.split('/'));
    } else {
      if (!make) return undefined;
      throw badImage(`"${shown(part)}" is a file where a folder must be`);
    }
    if (at.length > DEEPEST) throw badImage('its folders are too deep');
  }
  return join(root, ...at);
}

/** The real path of a file that an absolute path names inside the root, links followed; undefined when there is none. */
export function resolveFile(root: string, path: string): string | undefined {
  let parts = path.split('/').filter((part) => part !== '');
  for (let links = 0; links <= MOST_LINKS; links += 1) {
    const name = parts.at(-1);
    const folder = resolveFolder(root, parts.slice(0, -1), false);
    if (name === undefined || folder === undefined) return undefined;
    const real = join(folder, name);
    const found = look(real);
    if (found === undefined || found.isDirectory()) return undefined;
    if (!found.isSymbolicLink()) return real;
    const target = readlinkSync(real);
    const from = target.startsWith('/') ? [] : folder.slice(root.length).split('/');
    parts = [...from, ...target.split('/')].filter((part) => part !== '' && part !== '.');
    if (parts.at(-1) === '..') return undefined;
  }
  return undefined;
}
