/** Slots on disk: an id range, a workspace and a root to run in, each used by one sandbox and then destroyed; a pool of ready ones of the usual size. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { AppError } from '#kernel/errors.ts';
import { yieldLongTurn } from '#kernel/long-turn.ts';
import type { Helper } from './helper-client.ts';
import type { IdRanges } from './id-ranges.ts';
import { type Paths, slotPaths } from './paths.ts';
import { CALM_MS, type Shelf } from './restock.ts';
import { SANDBOX_UID } from './root-skeleton.ts';
import { createUsualRoot } from './usual-root.ts';

/** A mounted workspace that belongs to the sandbox user of one id range, with an empty root beside it. */
export type Workspace = { slot: string; path: string; firstId: number };

export type Workspaces = Shelf & {
  take(sizeBytes: number): Promise<Workspace>;
  /** Unmounts and removes the workspace; the root stays for whoever removes the slot. */
  release(slot: string): Promise<void>;
  want(count: number, sizeBytes: number): void;
  ready(): Workspace[];
};

/** One inode for so many bytes, and a floor, so that a small workspace still holds many small files. */
const BYTES_PER_INODE = 16 * 1024;
const FEWEST_INODES = 4096;
export function createWorkspaces(deps: { paths: Paths; helper: Helper; ranges: IdRanges }): Workspaces {
  const { paths, helper, ranges } = deps;
  const usualRoot = createUsualRoot(paths.roots);
  const pool = new Map<number, Workspace[]>();
  let wanted = { count: 0, sizeBytes: 0 };

  const make = async (sizeBytes: number): Promise<Workspace> => {
    // Many that are asked for at once each touch some files here.
    await yieldLongTurn();
    const slot = randomBytes(8).toString('hex');
    const firstId = ranges.take(`${paths.homeId} ${slot}`);
    const own = slotPaths(paths, slot);
    try {
      mkdirSync(own.workspace, { mode: 0o700 });
      const inodes = Math.max(FEWEST_INODES, Math.floor(sizeBytes / BYTES_PER_INODE));
      mkdirSync(own.bundle, { mode: 0o711 });
      await helper.ask('workspace', {
        image: own.image,
        sizeBytes,
        inodes,
        target: own.workspace,
        owner: firstId + SANDBOX_UID,
        root: { source: usualRoot(), target: own.bundle },
      });
      return { slot, path: own.workspace, firstId };
    } catch (error) {
      await release(slot).catch(() => undefined);
      rmSync(own.bundle, { recursive: true, force: true });
      ranges.free(firstId);
      if (error instanceof AppError) throw error;
      throw new AppError('unavailable', 'A workspace could not be made on this host.', {
        details: { hint: 'Run "fumehood doctor": loop devices, mkfs.ext4 and disk space are looked at there.' },
        cause: error,
      });
    }
  };
  const release = async (slot: string): Promise<void> => {
    const own = slotPaths(paths, slot);
    await helper.ask('release_workspace', { image: own.image, target: own.workspace });
  };

  return {
    take: async (sizeBytes) => pool.get(sizeBytes)?.shift() ?? (await make(sizeBytes)),
    release,
    want: (count, sizeBytes) => {
      wanted = { count, sizeBytes };
    },
    ready: () => [...pool.values()].flat(),
    calmMs: CALM_MS,
    lacks: () => (pool.get(wanted.sizeBytes)?.length ?? 0) < wanted.count,
    addOne: async () => {
      const { sizeBytes } = wanted;
      const workspace = await make(sizeBytes);
      pool.set(sizeBytes, [...(pool.get(sizeBytes) ?? []), workspace]);
    },
  };
}
