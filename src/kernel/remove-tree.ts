import { lstat, readdir, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Removes a file or a folder with all that is in it; nothing there is nothing to do. One thing after the other: `rm` of Node begins with all of
 * a folder at once, and holds up the event loop where there are thousands.
 */
export async function removeTree(path: string): Promise<void> {
  const found = await unlessMissing(lstat(path));
  if (found === undefined) return;
  if (!found.isDirectory()) return unlessMissing(unlink(path));
  for (const entry of (await unlessMissing(readdir(path, { withFileTypes: true }))) ?? []) {
    const below = join(path, entry.name);
    if (entry.isDirectory()) await removeTree(below);
    else await unlessMissing(unlink(below));
  }
  await unlessMissing(rmdir(path));
}

const unlessMissing = async <T>(work: Promise<T>): Promise<T | undefined> => {
  try {
    return await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};
