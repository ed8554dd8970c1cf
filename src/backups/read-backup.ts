/** Reads a backup into a folder, and finds out whether it is whole: every file by its digest, every blob that the store names, the log by its checkpoint. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError } from '#kernel/errors.ts';
import type { Database } from '#kernel/sql.ts';
import { verifyStore } from '#src/audit/verify-log.ts';
import { listMigrations } from '#src/database/migrate.ts';
import { openStore } from '#src/database/open-database.ts';
import { sealedSize } from '#src/objects/frame.ts';
import {
  blobIdOf,
  blobPath,
  DIGESTS,
  DUMP,
  damaged,
  isPathOfBackup,
  KEYS,
  MANIFEST,
  Manifest,
  STORE,
} from './backup.ts';
import { readTar } from './tar.ts';
import { everyBlobFile } from './write-backup.ts';

export type ReadBackup = {
  manifest: Manifest;
  keys: Buffer | undefined;
  /** Checks the log and the blobs of a store that a dump was restored into; one in a file is checked already. */
  check: (store: Database) => Promise<void>;
};

const LARGEST_IN_MEMORY = 2 ** 30;

type Found = { sums: Map<string, { sum: string; sizeBytes: number }>; small: Map<string, Buffer> };

/**
 * Reads the whole archive. The store is written into `folder`, all else too with `keepFiles`. Throws `integrity` with the first thing that is
 * not as it was written, `conflict` when a newer program wrote it.
 */
export async function readBackup(
  file: string,
  folder: string,
  options: { keepFiles: boolean; onBytes: (bytes: number) => void },
): Promise<ReadBackup> {
  const found: Found = { sums: new Map(), small: new Map() };
  for await (const { path, sizeBytes, content } of readTar(openFile(file, options.onBytes))) {
    if (!isPathOfBackup(path)) throw damaged(`it holds ${JSON.stringify(path)}, which is no part of a backup`);
    if (found.sums.has(path) || found.small.has(path)) throw damaged(`it holds ${path} twice`);
    if ([DIGESTS, MANIFEST, KEYS].includes(path)) found.small.set(path, await inMemory(path, sizeBytes, content));
    else {
      const target = path === STORE || options.keepFiles ? join(folder, path) : undefined;
      found.sums.set(path, { sum: await take(content, target), sizeBytes });
    }
  }
  const manifest = manifestOf(found);
  const check = (store: Database): Promise<void> => checkStore(store, manifest, found);
  if (!found.sums.has(manifest.engine === 'sqlite' ? STORE : DUMP)) throw damaged('it has no store');
  if (manifest.engine === 'sqlite') await checkFile(join(folder, STORE), check);
  return { manifest, keys: found.small.get(KEYS), check };
}

async function* openFile(file: string, onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
  if (!existsSync(file) || !statSync(file).isFile())
    throw new AppError('invalid', `"${file}" is no file.`, {
      details: { hint: 'Name a file that "backup create" wrote.' },
    });
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
    onBytes((chunk as Buffer).length);
    yield chunk as Buffer;
  }
}

async function inMemory(path: string, sizeBytes: number, content: AsyncIterable<Buffer>): Promise<Buffer> {
  if (sizeBytes > LARGEST_IN_MEMORY) throw damaged(`${path} is too large`);
  const parts: Buffer[] = [];
  for await (const bytes of content) parts.push(bytes);
  return Buffer.concat(parts);
}

/** The SHA-256 of a content, which is written to `target` on the way. */
async function take(content: AsyncGenerator<Buffer>, target: string | undefined): Promise<string> {
  const sum = createHash('sha256');
  const summed = (async function* () {
    for await (const bytes of content) {
      sum.update(bytes);
      yield bytes;
    }
  })();
  if (target === undefined) for await (const _ of summed);
  else {
    mkdirSync(join(target, '..'), { recursive: true, mode: 0o700 });
    await pipeline(Readable.from(summed), createWriteStream(target, { flags: 'wx', mode: 0o600, flush: true }));
  }
  return sum.digest('hex');
}

function manifestOf(found: Found): Manifest {
  const [text, list] = [found.small.get(MANIFEST), found.small.get(DIGESTS)];
  if (text === undefined || list === undefined) throw damaged('it has no manifest: it was cut');
  let manifest: Manifest;
  try {
    manifest = Manifest.parse(JSON.parse(text.toString('utf8')));
  } catch {
    throw damaged('its manifest is not in its form, or of a newer Fumehood');
  }
  if (createHash('sha256').update(list).digest('hex') !== manifest.digests)
    throw damaged('the list of digests is not the one that its manifest names');
  const listed = list.toString('utf8').split('\n').filter(Boolean);
  for (const line of listed) {
    const [sum, path = ''] = line.split('  ');
    if (found.sums.get(path)?.sum !== sum) throw damaged(`${path} is missing or was changed`);
  }
  if (listed.length !== found.sums.size) throw damaged('it holds files that are not in its list');
  const newest = listMigrations().at(-1)?.version ?? 0;
  if (manifest.schema > newest)
    throw new AppError(
      'conflict',
      `The backup is of a newer Fumehood (${manifest.program}, schema ${manifest.schema}); this one knows ${newest}.`,
      { details: { hint: `Restore it with Fumehood ${manifest.program} or a newer one.` } },
    );
  return manifest;
}

async function checkFile(path: string, check: (store: Database) => Promise<void>): Promise<void> {
  const store = await openStore(`sqlite:${path}`);
  try {
    await check(store);
  } finally {
    await store.close();
    for (const end of ['-wal', '-shm']) rmSync(path + end, { force: true });
  }
}

/** The store: its log up to the checkpoint of the manifest, and every blob that it names, with its size. */
async function checkStore(store: Database, manifest: Manifest, { sums }: Found): Promise<void> {
  const log = await verifyStore({ database: store, publicKey: manifest.log.publicKey });
  if (!log.ok) throw damaged(`its log does not verify: ${log.findings[0]?.what ?? ''}`);
  if (log.size !== manifest.log.size || log.root !== manifest.log.root)
    throw damaged(`its log has ${log.size} entries and another root than its manifest says`);
  let named = 0;
  for await (const { blobId, sizeBytes } of everyBlobFile(store, manifest.schema)) {
    const there = sums.get(blobPath(blobId));
    if (there?.sizeBytes !== sealedSize(sizeBytes))
      throw damaged(`blob ${blobId}, which its store names, is not whole`);
    named += 1;
  }
  const held = [...sums.keys()].filter((one) => blobIdOf(one) !== undefined).length;
  if (named !== held) throw damaged(`it holds ${held - named} blob(s) that its store does not name`);
}
