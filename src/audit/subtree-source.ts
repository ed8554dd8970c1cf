import type { Reader } from '#kernel/sql.ts';
import { selectLeafHashes, selectSubtrees } from './audit-store.ts';
import { nodeHash, type SubtreeSource } from './merkle.ts';

const TILE_HEIGHT = 8;

/** Subtree hashes out of the store: leaves and every eighth height are rows, those in between are made from up to 256 of them. */
export function storedSubtrees(reader: Reader): SubtreeSource {
  return async (height, position) => {
    const level = Math.floor(height / TILE_HEIGHT);
    const width = 2 ** (height % TILE_HEIGHT);
    const from = position * width;
    let hashes =
      level === 0
        ? await selectLeafHashes(reader, from, from + width)
        : await selectSubtrees(reader, level, from, from + width);
    if (hashes.length !== width)
      throw new Error(`the audit store lacks hashes of level ${level} from ${from} to ${from + width}`);
    while (hashes.length > 1) {
      hashes = Array.from({ length: hashes.length / 2 }, (_, index) =>
        nodeHash(hashes[2 * index] as Buffer, hashes[2 * index + 1] as Buffer),
      );
    }
    return hashes[0] as Buffer;
  };
}

/** Whether a subtree of this height is one that is stored, and at which level. */
export const storedLevel = (height: number): number | undefined =>
  height % TILE_HEIGHT === 0 ? height / TILE_HEIGHT : undefined;
