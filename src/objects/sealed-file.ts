/** Where the frames of one blob go: a file that is made when there is more than one small frame. */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { SMALL_BLOB_BYTES } from './blob.ts';
import { freeNow } from './free-now.ts';
import type { FreeSpace } from './free-space.ts';

export type SealedFile = {
  /** Takes over the parts of a frame. It is written while the next one is made; a failure comes out at the next call. */
  write(parts: Buffer[], last: boolean): Promise<void>;
  /** The whole when it is small; then there is no file. */
  small(): Buffer | undefined;
  sync(): Promise<void>;
  close(): Promise<void>;
};

const SYNC_EVERY_BYTES = 16 * 1024 * 1024;

export function createSealedFile(path: string, space: FreeSpace): SealedFile {
  let file: FileHandle | undefined;
  let small: Buffer | undefined;
  let unsynced = 0;
  let writing: Promise<unknown> = Promise.resolve();
  let syncing: Promise<unknown> = Promise.resolve();
  return {
    write: async (parts, last) => {
      const length = parts.reduce((sum, part) => sum + part.length, 0);
      await space(length);
      if (last && file === undefined && length <= SMALL_BLOB_BYTES) {
        small = Buffer.concat(parts);
        return;
      }
      await writing;
      const target = file ?? (await open(path, 'wx', 0o600));
      file = target;
      writing = writeAll(target, parts, length);
      writing.catch(() => undefined);
      unsynced += length;
      if (unsynced < SYNC_EVERY_BYTES) return;
      // The disk begins while the rest arrives.
      unsynced = 0;
      const written = writing;
      syncing = syncing.then(() => written).then(() => target.datasync());
      syncing.catch(() => undefined);
    },
    small: () => small,
    sync: async () => {
      await writing;
      await syncing;
      await file?.datasync();
      await syncFolder(join(path, '..'));
    },
    close: async () => {
      await Promise.allSettled([writing, syncing]);
      await file?.close();
    },
  };
}

async function writeAll(file: FileHandle, parts: Buffer[], length: number): Promise<void> {
  let { bytesWritten } = await file.writev(parts);
  if (bytesWritten < length) {
    const rest = Buffer.concat(parts).subarray(bytesWritten);
    for (let at = 0; at < rest.length; at += bytesWritten) ({ bytesWritten } = await file.write(rest, at));
  }
  for (const part of parts) freeNow(part);
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
