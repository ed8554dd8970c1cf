/** The file of an SQLite store, looked at from outside: before it is opened, and before each commit. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { AppError } from '#kernel/errors.ts';

const HEADER_BYTES = 100;
const MAGIC = 'SQLite format 3\0';

type Seen = { dev: number; ino: number; size: number };

function look(path: string): Seen | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/**
 * Refuses a file that lacks pages which its own header counts (sqlite.org/fileformat.html 1.3). Beside a write-ahead log with content nothing
 * is said: SQLite brings the file up from that.
 */
export function refuseTruncated(path: string): void {
  const size = look(path)?.size ?? 0;
  if (size === 0 || (look(`${path}-wal`)?.size ?? 0) > 0) return;
  const header = Buffer.alloc(HEADER_BYTES);
  const file = openSync(path, 'r');
  try {
    readSync(file, header, 0, HEADER_BYTES, 0);
  } finally {
    closeSync(file);
  }
  if (header.toString('latin1', 0, MAGIC.length) !== MAGIC) return;
  const pageBytes = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
  const wanted = pageBytes * header.readUInt32BE(28);
  if (size >= wanted) return;
  throw new AppError('integrity', `The state store ${path} is cut off: ${size} bytes where there were ${wanted}.`, {
    details: { hint: 'Restore it from a backup; nothing is written to it as it is.' },
  });
}

/** Refuses to go on when the open file is no longer the one at its path: what is committed to it would be lost at the next start. */
export function watchFile(path: string): () => void {
  const opened = look(path);
  return () => {
    const now = look(path);
    if (now !== undefined && opened !== undefined && now.ino === opened.ino && now.dev === opened.dev) return;
    const what = now === undefined ? 'was removed' : 'was replaced by another file';
    throw new AppError('unavailable', `The state store ${path} ${what} while Fumehood had it open.`, {
      details: {
        hint: 'Put the file back where it was; or stop Fumehood, and start it on the store that you mean.',
      },
    });
  };
}
