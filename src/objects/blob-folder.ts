import { chmod, mkdir, readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#kernel/clock.ts';
import { neighbouringHex } from '#kernel/ids.ts';
import type { KeyProvider } from '#kernel/key-provider.ts';
import type { BlobVault } from './blob.ts';
import { createBlobOwners } from './blob-owners.ts';
import { digestChunks } from './digest-chunks.ts';
import { createDigestThreads } from './digest-threads.ts';
import { createFrameMemory } from './frame-memory.ts';
import { createFreeSpace } from './free-space.ts';
import { readBlob } from './read-blob.ts';
import { syncFolder } from './sealed-file.ts';
import { writeBlob } from './write-blob.ts';

type Deps = {
  folder: string;
  keys: KeyProvider;
  clock: Clock /** What blobs leave free of their disk. */;
  keepFreeBytes?: number;
};

const BLOB_ID = /^[0-9a-f]{32}$/;
const REMOVED_AT_ONCE = 8;
const FAN_OUT = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, '0'));

/** Opens (or makes) the folder of blobs, 0700: one encrypted file a blob, in 256 subfolders. */
export async function openBlobFolder(deps: Deps): Promise<BlobVault> {
  await mkdir(deps.folder, { recursive: true, mode: 0o700 });
  await chmod(deps.folder, 0o700);
  await Promise.all(FAN_OUT.map((name) => mkdir(join(deps.folder, name), { recursive: true, mode: 0o700 })));
  await syncFolder(deps.folder);
  const space = createFreeSpace(deps.folder, deps.keepFreeBytes ?? 0);
  const writing = { keys: deps.keys, threads: createDigestThreads(), memory: createFrameMemory(), space };
  const pathOf = (blobId: string): string => join(deps.folder, blobId.slice(0, 2), blobId);
  const doomed: string[] = [];
  let removing = 0;
  const removeDoomed = async (): Promise<void> => {
    removing += 1;
    // What cannot be removed now is unnamed, and so is removed by a later sweep.
    for (let blobId = doomed.pop(); blobId !== undefined; blobId = doomed.pop())
      await unlink(pathOf(blobId)).catch(() => undefined);
    removing -= 1;
  };
  // A data set lets go of thousands at once.
  const owners = createBlobOwners((blobId) => {
    doomed.push(blobId);
    if (removing < REMOVED_AT_ONCE) void removeDoomed();
  });
  const read: BlobVault['read'] = async function* (blob, span) {
    const reading = owners.reading(blob.blobId);
    try {
      yield* readBlob({ keys: deps.keys, path: pathOf(blob.blobId) }, blob, span);
    } finally {
      reading.end();
    }
  };

  return {
    keyName: deps.keys.keyName,
    write: async (body, options = {}) => {
      const blobId = neighbouringHex();
      owners.begin(blobId);
      try {
        const blob = await writeBlob({ ...writing, path: pathOf(blobId) }, blobId, body, options);
        if (blob.sealed !== undefined) owners.settle(blobId);
        return blob;
      } catch (error) {
        owners.discard(blobId);
        throw error;
      }
    },
    keep: (blobIds) => {
      for (const blobId of blobIds) owners.settle(blobId);
    },
    discard: (blobIds) => {
      for (const blobId of blobIds) owners.discard(blobId);
    },
    read,
    digest: (blobs, algorithms) => {
      async function* chunks(): AsyncGenerator<Buffer> {
        for (const blob of blobs) yield* read(blob);
      }
      return digestChunks(writing, chunks(), algorithms);
    },
    hold: owners.hold,
    sweep: async (options) => {
      let removed = 0;
      const before = deps.clock.nowMs() - options.graceMs;
      for (const name of FAN_OUT) {
        const found = (await readdir(join(deps.folder, name))).filter((file) => BLOB_ID.test(file));
        const named = found.length === 0 ? new Set<string>() : await options.namedAmong(found);
        for (const blobId of found) {
          if (named.has(blobId) || owners.isOwned(blobId)) continue;
          const file = await stat(pathOf(blobId)).catch(() => undefined);
          if (file === undefined || file.mtimeMs > before) continue;
          owners.discard(blobId);
          removed += 1;
        }
      }
      return removed;
    },
  };
}
