/** Objects leave a part of their disk free: the store and the log mostly lie on it too, and go on when somebody writes without an end. */
import { statfs } from 'node:fs/promises';

/** Asked before bytes are written to the disk. Rejects as a full disk does (`ENOSPC`) when what is to stay free would be used. */
export type FreeSpace = (bytes: number) => Promise<void>;

/** The disk is looked at again when a part of what is kept may have been written, or after so long. */
const LOOK_EVERY_PART = 1 / 16;
const LOOK_EVERY_MS = 1000;
/** Of a small disk no more than this part is kept. */
const MOST_OF_A_DISK = 0.05;

/** For the disk on which `folder` lies, of which `keepBytes` stay free, or a twentieth of it if that is less. */
export function createFreeSpace(folder: string, keepBytes: number): FreeSpace {
  if (keepBytes === 0) return async () => undefined;
  let left = 0;
  let lookedAt = Number.NEGATIVE_INFINITY;
  return async (bytes) => {
    if (bytes > left || performance.now() - lookedAt > LOOK_EVERY_MS) {
      const { bsize, blocks, bavail } = await statfs(folder);
      const kept = Math.min(keepBytes, blocks * bsize * MOST_OF_A_DISK);
      const free = bavail * bsize - kept;
      if (bytes > free)
        throw Object.assign(new Error('what is left of the disk is kept free'), { code: 'ENOSPC', syscall: 'write' });
      left = Math.min(free, Math.max(bytes, kept * LOOK_EVERY_PART));
      lookedAt = performance.now();
    }
    left -= bytes;
  };
}
