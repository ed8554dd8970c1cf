import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '#kernel/clock.ts';
import { AppError } from '#kernel/errors.ts';
import type { Log } from '#kernel/log.ts';
import type { Database, Reader } from '#kernel/sql.ts';
import {
  selectCheckpoint,
  selectEntryRows,
  selectLatestCheckpoint,
  selectLeafHashes,
  selectSubtrees,
} from './audit-store.ts';
import { bundlePath, encodeBundle, levelsOf, TILE_WIDTH, tilePath, tilesOfLevel } from './tiles.ts';

/** The folder is at most a second behind the store; publishing more often would compete with commits for the disk. */
const PUBLISH_WITHIN_MS = 1000;
const RETRY_MS = 5000;

export type TilePublisher = {
  /** Something was committed: publish within `delayMs`. */
  notify(): void;
  /** Publishes what is not yet there; resolves when the folder shows the newest checkpoint. */
  flush(): Promise<void>;
  /** How many entries the folder shows, and since when (ms) something that it does not show waits; undefined: nothing does. */
  state(): { published: number; waitingSinceMs: number | undefined };
  close(): Promise<void>;
};

/** Keeps the folder of tiles in step with the store: entries and tiles first, the checkpoint last, each file whole or not there. */
export function createTilePublisher(deps: {
  database: Database;
  folder: string;
  publicKey: string;
  log: Log;
  clock: Clock;
  delayMs?: number;
}): TilePublisher {
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let running: Promise<void> = Promise.resolve();
  let published: number | undefined;
  let waitingSinceMs: number | undefined;
  const publish = async (): Promise<void> => {
    const sinceMs = waitingSinceMs;
    waitingSinceMs = undefined;
    try {
      published ??= await publishedSize(deps);
      published = await publishTo(deps, deps.folder, published);
    } catch (error) {
      waitingSinceMs = sinceMs;
      throw error;
    }
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    running = running.catch(() => undefined).then(publish);
    return running;
  };
  const failed = (error: unknown): void =>
    deps.log('error', 'the tiles of the audit log could not be written; they are tried again', { error });
  const later = (delayMs: number): void => {
    if (closed) return;
    timer ??= setTimeout(() => {
      flush().catch((error) => {
        failed(error);
        later(RETRY_MS);
      });
    }, delayMs);
  };
  return {
    flush,
    state: () => ({ published: published ?? 0, waitingSinceMs }),
    notify: () => {
      waitingSinceMs ??= deps.clock.nowMs();
      later(deps.delayMs ?? PUBLISH_WITHIN_MS);
    },
    close: async () => {
      closed = true;
      // What is committed is safe without its tiles: the next start writes them.
      await flush().catch(failed);
    },
  };
}

/** Writes the tree into `folder`, from what is there (`from` entries) to the newest checkpoint; gives its size. */
export async function publishTo(
  deps: { database: Database; publicKey: string },
  folder: string,
  from: number,
): Promise<number> {
  const latest = await deps.database.read((reader) => selectLatestCheckpoint(reader));
  if (latest === undefined || (latest.size === from && from > 0)) return from;
  await writeWhole(join(folder, 'public-key'), `${deps.publicKey}\n`);
  for (let level = 0; level < levelsOf(latest.size); level += 1) {
    const first = Math.floor(Math.floor(from / TILE_WIDTH ** level) / TILE_WIDTH);
    for (const { index, width } of tilesOfLevel(level, latest.size).slice(first)) {
      await deps.database.read((reader) => writeTile(reader, folder, level, index, width));
    }
  }
  await writeWhole(join(folder, 'checkpoint'), latest.note);
  return latest.size;
}

async function writeTile(reader: Reader, folder: string, level: number, index: number, width: number): Promise<void> {
  const start = index * TILE_WIDTH;
  const hashes =
    level === 0
      ? await selectLeafHashes(reader, start, start + width)
      : await selectSubtrees(reader, level, start, start + width);
  await writeWhole(join(folder, tilePath(level, index, width)), Buffer.concat(hashes));
  if (level === 0) {
    const rows = await selectEntryRows(reader, start, start + width);
    await writeWhole(join(folder, bundlePath(index, width)), encodeBundle(rows.map((row) => row.leaf)));
  }
  if (width < TILE_WIDTH) return;
  await rm(join(folder, `${tilePath(level, index, width)}.p`), { recursive: true, force: true });
  if (level === 0) await rm(join(folder, `${bundlePath(index, width)}.p`), { recursive: true, force: true });
}

/** How many entries the folder shows. A folder that shows another log than the store's is left as it is: it is the evidence. */
async function publishedSize(deps: { database: Database; folder: string }): Promise<number> {
  const note = await readFile(join(deps.folder, 'checkpoint'), 'utf8').catch(() => undefined);
  const size = Number(note?.split('\n')[1]);
  if (note === undefined || !Number.isSafeInteger(size) || size <= 0) return 0;
  if ((await deps.database.read((reader) => selectCheckpoint(reader, size))) === note) return size;
  throw new AppError(
    'integrity',
    `The published checkpoint of ${size} entries is not in the store: an older store was put back, or another one.`,
    { details: { hint: 'Run "fumehood audit verify", and keep the folder "audit" of the home as evidence.' } },
  );
}

/** A file appears with all its bytes on the disk, or not at all. */
async function writeWhole(path: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
