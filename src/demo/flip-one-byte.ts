import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Flips one bit in the middle of the first file of entries of an exported log; gives the file's path within it. */
export function flipOneByte(
  folder: string,
  files: { read: (path: string) => Buffer; write: (path: string, content: Buffer) => void },
): string {
  const entries = readdirSync(join(folder, 'tile', 'entries'), { recursive: true, withFileTypes: true }).find((one) =>
    one.isFile(),
  );
  if (entries === undefined) throw new Error(`no entries in ${folder}`);
  const path = join(entries.parentPath, entries.name);
  const content = files.read(path);
  const middle = Math.floor(content.length / 2);
  content.writeUInt8(content.readUInt8(middle) ^ 1, middle);
  files.write(path, content);
  return path.slice(folder.length + 1);
}
