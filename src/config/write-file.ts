/** Changes one key of a file of configuration; comments, order and everything else in it stay. */
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Document, isMap, isScalar, parseDocument, type YAMLMap } from 'yaml';
import { AppError } from '#kernel/errors.ts';
import { KEYS, type Key, type KeyName, quantityOf } from './schema.ts';

/** Checks a value as it was typed and writes it; a file that is not there is made, for its owner alone. Throws `invalid`. */
export function setInFile(path: string, name: KeyName, typed: string): void {
  const { schema }: Key = KEYS[name];
  const parsed = schema.safeParse(typed);
  if (!parsed.success)
    throw new AppError('invalid', `${name}: ${parsed.error.issues[0]?.message ?? 'is not valid'}`, {
      details: { hint: `See "fumehood config explain ${name}".` },
    });
  // Sizes and times stay as they were written, all else has the type that YAML has for it.
  const value = quantityOf(name) === undefined ? parsed.data : typed;
  change(path, (document) => {
    const place = placeOf(document, name) ?? name.split('.');
    try {
      document.setIn(place, value);
    } catch (cause) {
      throw new AppError('conflict', `${path} holds something else where ${name} would stand.`, {
        details: { hint: 'Look at the file, or name another with --file.' },
        cause,
      });
    }
  });
}

/** Takes a key out; false when the file does not have it. */
export function unsetInFile(path: string, name: KeyName): boolean {
  let found = false;
  change(path, (document) => {
    const place = placeOf(document, name);
    if (place !== undefined) found = document.deleteIn(place);
  });
  return found;
}

function change(path: string, work: (document: Document) => void): void {
  const before = textOf(path);
  const document = parseDocument(before?.text ?? '', { uniqueKeys: true });
  const [broken] = document.errors;
  if (broken !== undefined || (document.contents !== null && !isMap(document.contents)))
    throw new AppError('invalid', `${path} does not hold keys and values.`, {
      details: { hint: `Correct it, or name another with --file.` },
    });
  work(document);
  const text = document.contents === null ? '' : document.toString();
  if (text === before?.text) return;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    chmodSync(`${path}.new`, before?.mode ?? 0o600);
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw new AppError('invalid', `${path} cannot be written (${(error as NodeJS.ErrnoException).code}).`, {
      details: { hint: 'Run it as who owns that file, or name another with --file.' },
      cause: error,
    });
  }
}

function textOf(path: string): { text: string; mode: number } | undefined {
  try {
    return { text: readFileSync(path, 'utf8'), mode: statSync(path).mode & 0o777 };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new AppError('invalid', `${path} cannot be read (${code}).`, {
      details: { hint: 'Run it as who owns that file, or name another with --file.' },
    });
  }
}

/** Where a key stands, nested or dotted. */
function placeOf(document: Document, name: string): string[] | undefined {
  const find = (map: YAMLMap, prefix: string, place: string[]): string[] | undefined => {
    for (const { key, value } of map.items) {
      if (!isScalar(key)) continue;
      const here = `${prefix}${String(key.value)}`;
      const inner = [...place, String(key.value)];
      if (here === name) return inner;
      const below = isMap(value) ? find(value, `${here}.`, inner) : undefined;
      if (below !== undefined) return below;
    }
    return undefined;
  };
  return isMap(document.contents) ? find(document.contents, '', []) : undefined;
}
