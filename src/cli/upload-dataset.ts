import { createReadStream, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { at } from './api-client.ts';
import type { Context } from './command.ts';
import { counted } from './fetch-files.ts';

/** Sends a file, or every file of a folder, and makes them a version: whole or not at all. */
export async function addDataset(context: Context, name: string, source: string, tags: string[]): Promise<object> {
  const files = filesOf(source);
  const { id } = await context.api.send<{ id: string }>('POST', at('datasets', name, 'uploads'), { body: { tags } });
  const total = files.reduce((sum, { file }) => sum + statSync(file).size, 0);
  const { add, end } = context.out.progress(`Sending ${files.length} file(s) of "${name}"`, total);
  try {
    for (const { file, path } of files)
      await context.api.upload('PUT', at('dataset-uploads', id, 'files', ...path.split('/')), {
        content: counted(createReadStream(file), add),
      });
    const added = await context.api.send('POST', at('dataset-uploads', id, 'finish'));
    end('done');
    return added;
  } catch (error) {
    end('failed');
    await context.api.send('DELETE', at('dataset-uploads', id)).catch(() => undefined);
    throw error;
  }
}

/** The regular files at or below a path, by name; anything else in a folder is an error, since it could not be the same elsewhere. */
export function filesOf(source: string): { file: string; path: string }[] {
  const info = look(source);
  if (info.isFile()) return [{ file: source, path: basename(source) }];
  if (!info.isDirectory()) throw new AppError('invalid', `"${source}" is neither a file nor a folder.`);
  const found: { file: string; path: string }[] = [];
  const walk = (folder: string, prefix: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const file = join(folder, entry.name);
      if (entry.isDirectory()) walk(file, `${prefix}${entry.name}/`);
      else if (entry.isFile()) found.push({ file, path: `${prefix}${entry.name}` });
      else throw new AppError('invalid', `"${file}" is neither a file nor a folder.`);
    }
  };
  walk(source, '');
  if (found.length === 0) throw new AppError('invalid', `"${source}" holds no file.`);
  return found;
}

function look(path: string) {
  try {
    return statSync(path);
  } catch (error) {
    throw new AppError('invalid', `"${path}" cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}
