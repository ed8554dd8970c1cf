import { readFileSync } from 'node:fs';
import { isMap, isScalar, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import { AppError } from '#kernel/errors.ts';

/** A value as a file gives it, and where. */
export type FileValue = { key: string; value: unknown; line: number };

/** Reads a YAML file of nested or dotted keys; an empty list when it is not there. Throws with file and line when it is not YAML. */
export function readConfigFile(path: string, isKey: (key: string) => boolean): FileValue[] {
  const text = readText(path);
  if (text === undefined) return [];
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [broken] = document.errors;
  if (broken !== undefined) {
    const line = lines.linePos(broken.pos[0]).line;
    throw wrong(path, line, `is not YAML (${broken.message.split('\n')[0]})`);
  }
  if (document.contents === null) return [];
  if (!isMap(document.contents)) throw wrong(path, 1, 'must hold keys and values');
  const found: FileValue[] = [];
  collect(document.contents, '', { path, lines, isKey, found });
  return found;
}

type Walk = { path: string; lines: LineCounter; isKey: (key: string) => boolean; found: FileValue[] };

function collect(map: YAMLMap, prefix: string, walk: Walk): void {
  for (const { key: name, value } of map.items) {
    const offset = isScalar(name) ? (name.range?.[0] ?? 0) : 0;
    const line = walk.lines.linePos(offset).line;
    const key = `${prefix}${isScalar(name) ? String(name.value) : '?'}`;
    if (walk.isKey(key)) {
      const plain: unknown = value === null ? null : (value as { toJSON(): unknown }).toJSON();
      walk.found.push({ key, value: plain ?? undefined, line });
    } else if (isMap(value)) collect(value, `${key}.`, walk);
    else walk.found.push({ key, value: undefined, line });
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw wrong(path, 1, `cannot be read (${code})`);
  }
}

/** The error for a file of configuration, at a line. */
export function wrong(path: string, line: number, message: string, hint?: string): AppError {
  return new AppError('invalid', `${path}:${line}: ${message}`, {
    details: { hint: hint ?? `Correct line ${line} of ${path}.` },
  });
}
