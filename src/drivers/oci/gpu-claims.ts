/** Which GPU belongs to whom, one file each, on the whole host: no two sandboxes share one, whatever home they are of. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export type GpuClaims = {
  /** Takes one by its UUID; false when it is somebody's. */
  take(uuid: string, owner: string): boolean;
  /** Frees all of an owner. */
  free(owner: string): void;
  /** Frees one of an owner. */
  drop(uuid: string, owner: string): void;
  /** Owners of this prefix with what they have. */
  owned(prefix: string): { owner: string; uuid: string }[];
};

export function createGpuClaims(folder: string): GpuClaims {
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  const owned: GpuClaims['owned'] = (prefix) =>
    readdirSync(folder).flatMap((uuid) => {
      const owner = ownerOf(join(folder, uuid));
      return owner?.startsWith(prefix) === true ? [{ owner, uuid }] : [];
    });
  const drop: GpuClaims['drop'] = (uuid, owner) => {
    if (ownerOf(join(folder, uuid)) === owner) rmSync(join(folder, uuid), { force: true });
  };
  return {
    take: (uuid, owner) => {
      try {
        writeFileSync(join(folder, uuid), owner, { flag: 'wx', mode: 0o600 });
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
        throw error;
      }
    },
    free: (owner) => {
      for (const { uuid } of owned(owner)) drop(uuid, owner);
    },
    drop,
    owned,
  };
}

/** Undefined for one that was freed in the meantime. */
function ownerOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
