/** A backup as a stream: the store as of one commit, the blobs that it names, their digests, and the manifest. */
import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import type { Database } from '#kernel/sql.ts';
import { selectLatestCheckpoint } from '#src/audit/audit-store.ts';
import { openCheckpoint } from '#src/audit/checkpoint.ts';
import { dumpPostgres } from '#src/database/dump-postgres.ts';
import { openStore } from '#src/database/open-database.ts';
import { schemaVersionOf } from '#src/database/schema-version.ts';
import { snapshotSqlite } from '#src/database/snapshot.ts';
import { type BlobFile, selectBlobFiles } from '#src/objects/blob-file-store.ts';
import { sealedSize } from '#src/objects/frame.ts';
import { blobPath, DIGESTS, DUMP, FORMAT, MANIFEST, type Manifest, STORE } from './backup.ts';
import { padding, tarHead } from './tar.ts';

export type BackupSource = {
  home: string;
  /** The store, when it is in PostgreSQL. */
  databaseUrl: string | undefined;
  /** The verifier key of the log. */
  publicKey: string;
  program: string;
  nowMs: number;
  /** No blob is removed until the returned function is called. */
  hold: () => () => void;
};

/** How copies of the store begin while a backup is made; what a crash left of them is removed at the next start. */
export const COPY_PREFIX = '.backup-';

/** The bytes of a backup, but for its end: sealed keys may follow. Returns its manifest. */
export async function* writeBackup(source: BackupSource): AsyncGenerator<Buffer, Manifest> {
  const release = source.hold();
  const copy = join(source.home, `${COPY_PREFIX}${process.pid}-${source.nowMs}`);
  let store: StoreCopy | undefined;
  try {
    store = await copyStore(source, copy);
    return yield* entriesOf(source, copy, store);
  } finally {
    await store?.close();
    for (const end of ['', '-wal', '-shm']) await rm(copy + end, { force: true });
    release();
  }
}

type StoreCopy = Pick<Database, 'read' | 'close'>;

/** Copies the store into a file; what is read from the copy is of the same moment. */
async function copyStore({ home, databaseUrl }: BackupSource, copy: string): Promise<StoreCopy> {
  if (databaseUrl !== undefined) return dumpPostgres(databaseUrl, copy);
  await snapshotSqlite(join(home, STORE), copy);
  return openStore(`sqlite:${copy}`);
}

async function* entriesOf(source: BackupSource, copy: string, store: StoreCopy): AsyncGenerator<Buffer, Manifest> {
  const latest = await store.read(selectLatestCheckpoint);
  if (latest === undefined) throw new AppError('conflict', 'There is nothing to back up: the log is empty.');
  const schema = await schemaVersionOf(store);
  const digests: string[] = [];
  const add = async function* (path: string, file: string, sizeBytes: number): AsyncGenerator<Buffer> {
    digests.push(`${yield* fileEntry({ path, file, sizeBytes }, source.nowMs)}  ${path}\n`);
  };
  const engine = source.databaseUrl === undefined ? 'sqlite' : 'postgres';
  yield* add(engine === 'sqlite' ? STORE : DUMP, copy, statSync(copy).size);
  const blobs = { count: 0, bytes: 0 };
  for await (const { blobId, sizeBytes } of everyBlobFile(store, schema)) {
    const sealed = sealedSize(sizeBytes);
    yield* add(blobPath(blobId), join(source.home, blobPath(blobId)), sealed);
    blobs.count += 1;
    blobs.bytes += sealed;
  }
  const list = Buffer.from(digests.join(''));
  yield* bytesEntry(DIGESTS, list, source.nowMs);
  const { publicKey, program, nowMs } = source;
  const { size, root } = openCheckpoint(latest.note, publicKey);
  const manifest: Manifest = {
    format: FORMAT,
    program,
    createdAt: new Date(nowMs).toISOString(),
    engine,
    schema,
    log: { size, root: root.toString('base64'), checkpoint: latest.note, publicKey },
    blobs,
    digests: createHash('sha256').update(list).digest('hex'),
  };
  yield* bytesEntry(MANIFEST, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`), nowMs);
  return manifest;
}

/** Every blob that lies in a file of its own, by id. */
export async function* everyBlobFile(store: Pick<Database, 'read'>, schema: number): AsyncGenerator<BlobFile> {
  let after = '';
  for (;;) {
    const page = await store.read((reader) => selectBlobFiles(reader, { after, limit: 1000, schema }));
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = last.blobId;
  }
}

/** One small file of the archive. */
export function* bytesEntry(path: string, bytes: Buffer, nowMs: number): Generator<Buffer> {
  yield tarHead(path, bytes.length, nowMs);
  yield bytes;
  yield padding(bytes.length);
}

/** One file of the archive; returns its SHA-256 in hex. A file that is not as large as it must be ends the backup. */
async function* fileEntry(
  { path, file, sizeBytes }: { path: string; file: string; sizeBytes: number },
  nowMs: number,
): AsyncGenerator<Buffer, string> {
  const sum = createHash('sha256');
  yield tarHead(path, sizeBytes, nowMs);
  let read = 0;
  for await (const chunk of createReadStream(file).on('error', () => undefined)) {
    const bytes = chunk as Buffer;
    read += bytes.length;
    if (read > sizeBytes) break;
    sum.update(bytes);
    yield bytes;
  }
  if (read !== sizeBytes)
    throw new AppError('integrity', `"${path}" is not as large as the store says: stored bytes were changed.`, {
      details: { hint: 'Restore it from an older backup; "fumehood audit verify" tells what else was changed.' },
    });
  yield padding(sizeBytes);
  return sum.digest('hex');
}
