/** Workspaces on disk: made by the helper, each used by one sandbox and then destroyed; a pool of ready ones of the usual size. */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import type { Helper } from './helper-client.ts';
import type { IdRanges } from './id-ranges.ts';
import type { Paths } from './paths.ts';
import { SANDBOX_UID } from './root-skeleton.ts';

/** A mounted workspace that belongs to the sandbox user of one id range. */
export type Workspace = { slot: string; path: string; firstId: number };

export type Workspaces = {
  take(sandboxId: string, sizeBytes: number): Promise<Workspace>;
  release(slot: string): Promise<void>;
  fill(count: number, sizeBytes: number): Promise<void>;
  ready(): Workspace[];
};

/** One inode for so many bytes, and a floor, so that a small workspace still holds many small files. */
const BYTES_PER_INODE = 16 * 1024;
const FEWEST_INODES = 4096;

export function createWorkspaces(deps: { paths: Paths; helper: Helper; ranges: IdRanges }): Workspaces {
  const { paths, helper, ranges } = deps;
  const pool = new Map<number, Workspace[]>();
  let wanted = { count: 0, sizeBytes: 0 };

  const make = async (sizeBytes: number): Promise<Workspace> => {
    const slot = randomBytes(8).toString('hex');
    const firstId = ranges.take(`${paths.homeId} ${slot}`);
    const path = join(paths.mounts, slot);
    mkdirSync(path, { mode: 0o700 });
    try {
      const inodes = Math.max(FEWEST_INODES, Math.floor(sizeBytes / BYTES_PER_INODE));
      await helper.ask('workspace', {
        image: join(paths.images, `${slot}.img`),
        sizeBytes,
        inodes,
        target: path,
        owner: firstId + SANDBOX_UID,
      });
      return { slot, path, firstId };
    } catch (error) {
      await release(slot).catch(() => undefined);
      ranges.free(firstId);
      if (error instanceof AppError) throw error;
      throw new AppError('unavailable', 'A workspace could not be made on this host.', {
        details: { hint: 'Run "fumehood doctor": loop devices, mkfs.ext4 and disk space are looked at there.' },
        cause: error,
      });
    }
  };
  const release = async (slot: string): Promise<void> => {
    await helper.ask('release_workspace', {
      image: join(paths.images, `${slot}.img`),
      target: join(paths.mounts, slot),
    });
  };
  const refill = async (): Promise<void> => {
    while ((pool.get(wanted.sizeBytes)?.length ?? 0) < wanted.count) {
      const workspace = await make(wanted.sizeBytes);
      pool.set(wanted.sizeBytes, [...(pool.get(wanted.sizeBytes) ?? []), workspace]);
    }
  };

  return {
    take: async (_sandboxId, sizeBytes) => {
      const workspace = pool.get(sizeBytes)?.shift() ?? (await make(sizeBytes));
      refill().catch(() => undefined);
      return workspace;
    },
    release,
    fill: async (count, sizeBytes) => {
      wanted = { count, sizeBytes };
      await refill();
    },
    ready: () => [...pool.values()].flat(),
  };
}
