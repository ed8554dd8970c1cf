/** Ranges of 65,536 host ids, one a sandbox on the whole host: no two live sandboxes share an id, whatever home they are of. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';

export const RANGE_SIZE = 65_536;
const FIRST_ID = 0x10000000;
const MOST_RANGES = 8_192;

export type IdRanges = {
  /** Takes a free range for an owner; gives its first host id. */
  take(owner: string): number;
  free(firstId: number): void;
  /** Owners of this prefix with their ranges. */
  owned(prefix: string): { owner: string; firstId: number }[];
};

export function createIdRanges(folder: string): IdRanges {
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  let next = 0;
  return {
    take: (owner) => {
      for (let tried = 0; tried < MOST_RANGES; tried += 1) {
        const index = next;
        next = (next + 1) % MOST_RANGES;
        try {
          writeFileSync(join(folder, String(index)), owner, { flag: 'wx', mode: 0o600 });
          return FIRST_ID + index * RANGE_SIZE;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        }
      }
      throw new AppError('unavailable', `All ${MOST_RANGES} ranges of user ids are taken.`, {
        details: { hint: 'Delete sandboxes that are not needed.' },
      });
    },
    free: (firstId) => rmSync(join(folder, String((firstId - FIRST_ID) / RANGE_SIZE)), { force: true }),
    owned: (prefix) =>
      readdirSync(folder).flatMap((name) => {
        const owner = ownerOf(join(folder, name));
        return owner?.startsWith(prefix) === true ? [{ owner, firstId: FIRST_ID + Number(name) * RANGE_SIZE }] : [];
      }),
  };
}

/** Undefined for a range that another home has freed in the meantime. */
function ownerOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
