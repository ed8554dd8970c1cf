import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { AppError } from '#kernel/errors.ts';
import type { FileChange, FileInfo, Files } from '../driver.ts';
import type { FakeSandbox } from './fake-world.ts';

const missing = (path: string): AppError => new AppError('not_found', `In the sandbox: no such file: ${path}.`);

/** Files in memory; only /workspace and /tmp can be written. */
export function createFakeFiles(sandbox: FakeSandbox, nowMs: () => number): Files {
  const { files, folders, watches } = sandbox;
  const tell = (path: string, kind: FileChange['kind']): void => {
    for (const watch of watches) if (path.startsWith(`${watch.folder}/`)) watch.onChange({ path, kind });
  };
  const at = (path: string): string => posix.resolve('/workspace', path);
  const writable = (path: string): string => {
    const full = at(path);
    if (!/^\/(workspace|tmp)(\/|$)/.test(full))
      throw new AppError('denied', `In the sandbox: read-only file system: ${full}.`);
    return full;
  };
  const infoOf = (path: string): FileInfo => {
    const file = files.get(path);
    const name = posix.basename(path);
    if (file !== undefined)
      return { name, kind: 'file', sizeBytes: file.content.length, mode: file.mode, modifiedMs: file.modifiedMs };
    if (folders.has(path)) return { name, kind: 'directory', sizeBytes: 0, mode: 0o755, modifiedMs: 0 };
    throw missing(path);
  };
  return {
    read: async (path) => {
      const file = files.get(at(path));
      if (file === undefined) throw missing(path);
      return Readable.from([file.content]);
    },
    write: async (path, content, options) => {
      const full = writable(path);
      if (!folders.has(posix.dirname(full))) throw missing(posix.dirname(full));
      const bytes = await buffer(content);
      if (bytes.length > sandbox.options.diskBytes)
        throw new AppError('invalid', 'In the sandbox: no space left on device.');
      const kind = files.has(full) ? 'modified' : 'created';
      files.set(full, { content: bytes, mode: options?.mode ?? 0o644, modifiedMs: nowMs() });
      tell(full, kind);
      return { sizeBytes: bytes.length };
    },
    list: async (path) => {
      const full = at(path);
      if (!folders.has(full)) throw missing(full);
      return [...files.keys(), ...folders]
        .filter((one) => one !== full && posix.dirname(one) === full)
        .sort()
        .map(infoOf);
    },
    stat: async (path) => infoOf(at(path)),
    remove: async (path, options) => {
      const full = writable(path);
      infoOf(full);
      const below = [...files.keys(), ...folders].filter((one) => one.startsWith(`${full}/`));
      if (below.length > 0 && options?.recursive !== true)
        throw new AppError('conflict', `In the sandbox: ${full} is not empty.`);
      for (const one of [full, ...below]) {
        files.delete(one);
        folders.delete(one);
        tell(one, 'deleted');
      }
    },
    makeDirectory: async (path) => {
      const full = writable(path);
      if (!folders.has(full)) tell(full, 'created');
      folders.add(full);
    },
    watch: async (path, watch) => {
      const folder = at(path);
      if (infoOf(folder).kind !== 'directory')
        throw new AppError('invalid', `In the sandbox: not a directory: ${folder}.`);
      const own = { ...watch, folder };
      watches.add(own);
      return () => watches.delete(own);
    },
  };
}
