/** The client's side of an export: out of bundles of entries come tiles, checkpoint and key, as an offline verifier reads them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { appendLeaf, emptyFrontier, leafHash } from './merkle.ts';
import { bundlePath, decodeBundle, levelsOf, TILE_WIDTH, tilePath, tilesOfLevel } from './tiles.ts';

export type ExportHead = { size: number; checkpoint: string; publicKey: string };

export type ExportWriter = { bundle(from: number, bytes: Buffer): void; finish(): void };

/** Writes an export into `folder`; hashes are made from the entries, so a lie about them shows at verification. */
export function createExportWriter(folder: string, head: ExportHead): ExportWriter {
  const hashes = new Map<string, Buffer>();
  let frontier = emptyFrontier();
  const put = (path: string, content: Buffer | string): void => {
    const whole = join(folder, path);
    mkdirSync(dirname(whole), { recursive: true });
    writeFileSync(whole, content);
  };
  return {
    bundle: (from, bytes) => {
      const entries = decodeBundle(bytes) ?? [];
      put(bundlePath(from / TILE_WIDTH, entries.length), bytes);
      for (const entry of entries) {
        const hash = leafHash(entry);
        hashes.set(`0/${frontier.size}`, hash);
        frontier = appendLeaf(frontier, hash, ({ height, position, hash: subtree }) => {
          if (height % 8 === 0) hashes.set(`${height / 8}/${position}`, subtree);
        });
      }
    },
    finish: () => {
      for (let level = 0; level < levelsOf(head.size); level += 1) {
        for (const { index, width } of tilesOfLevel(level, head.size)) {
          const row = Array.from(
            { length: width },
            (_, at) => hashes.get(`${level}/${index * TILE_WIDTH + at}`) ?? Buffer.alloc(32),
          );
          put(tilePath(level, index, width), Buffer.concat(row));
        }
      }
      put('checkpoint', head.checkpoint);
      put('public-key', `${head.publicKey}\n`);
    },
  };
}
