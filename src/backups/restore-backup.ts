/** Out of a backup comes a home again: in an empty folder, verified before it takes its name. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { openKeyFile } from '#kernel/key-file.ts';
import type { Database } from '#kernel/sql.ts';
import { createSigner, openCheckpoint } from '#src/audit/checkpoint.ts';
import { loadLogKey, logKeyPath, logOriginPath } from '#src/audit/log-key.ts';
import { restorePostgres } from '#src/database/dump-postgres.ts';
import { openStore } from '#src/database/open-database.ts';
import { openBlobFolder } from '#src/objects/blob-folder.ts';
import { selectBlobPage } from '#src/objects/object-store.ts';
import { DUMP, damaged, type Manifest, STORE } from './backup.ts';
import { readBackup } from './read-backup.ts';
import { openKeys, writeKeys } from './sealed-keys.ts';

/** Tells the next start that this home was restored: what ran then does not run here. */
export const RESTORED = 'restored.json';

export type RestoreRequest = {
  file: string;
  home: string;
  /** The empty database to restore into, for a backup of a store in PostgreSQL. */
  databaseUrl: string | undefined;
  /** Asked for only when the backup holds keys. */
  passphrase: () => Promise<string>;
  onBytes: (bytes: number) => void;
};

/** Restores into `home`, which must be empty or not there. Nothing is left of it when anything does not fit. */
export async function restoreBackup(request: RestoreRequest): Promise<{ manifest: Manifest; withKeys: boolean }> {
  const { file, home } = request;
  refuseUsed(home);
  const partial = `${home}.restoring-${process.pid}`;
  mkdirSync(partial, { recursive: true, mode: 0o700 });
  try {
    const { manifest, keys, check } = await readBackup(file, partial, { keepFiles: true, onBytes: request.onBytes });
    const url = storeUrl(manifest, partial, request.databaseUrl);
    if (keys !== undefined) {
      writeKeys(partial, await openKeys(keys, await request.passphrase()));
    }
    if (manifest.engine === 'postgres') await fillDatabase(url, join(partial, DUMP), check);
    if (keys !== undefined) await checkWithKeys(partial, url, manifest);
    const { size, root, checkpoint, publicKey } = manifest.log;
    mkdirSync(join(partial, 'keys'), { recursive: true, mode: 0o700 });
    writeFileSync(logOriginPath(partial), `${openCheckpoint(checkpoint, publicKey).origin}\n`, { mode: 0o600 });
    writeFileSync(join(partial, RESTORED), JSON.stringify({ size, root, createdAt: manifest.createdAt }), {
      mode: 0o600,
    });
    if (existsSync(home)) rmdirSync(home);
    renameSync(partial, home);
    return { manifest, withKeys: keys !== undefined };
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw error;
  }
}

function storeUrl({ engine }: Manifest, home: string, databaseUrl: string | undefined): string {
  if (engine === 'sqlite') return `sqlite:${join(home, STORE)}`;
  if (databaseUrl !== undefined) return databaseUrl;
  throw new AppError(
    'invalid',
    'The backup is of a store in PostgreSQL, and database.url names none to restore it into.',
    {
      details: { hint: 'Make an empty database, and set FUMEHOOD_DATABASE_URL=postgres://…' },
    },
  );
}

async function fillDatabase(url: string, dump: string, check: (store: Database) => Promise<void>): Promise<void> {
  await restorePostgres(url, dump);
  rmSync(dump);
  const store = await openStore(url);
  try {
    await check(store);
  } finally {
    await store.close();
  }
}

function refuseUsed(home: string): void {
  if (!existsSync(home) || readdirSync(home).length === 0) return;
  throw new AppError('conflict', `"${home}" is not empty.`, {
    details: { hint: 'Name a home that is empty or not there; nothing is ever restored over another one.' },
  });
}

/** The key of the log is the one that signed it, and every blob opens and has the digest that its row names. */
async function checkWithKeys(home: string, url: string, { log, schema }: Manifest): Promise<void> {
  const { origin } = openCheckpoint(log.checkpoint, log.publicKey);
  if (createSigner(origin, loadLogKey(logKeyPath(home), { logIsEmpty: false })).publicKey !== log.publicKey)
    throw damaged('the key of the log in it is not the one that signed the log');
  const keys = await openKeyFile({ folder: join(home, 'keys'), keyName: 'fumehood', hasData: true });
  const vault = await openBlobFolder({ folder: join(home, 'objects'), keys, clock: { nowMs: Date.now } });
  const store = await openStore(url);
  try {
    let after = '';
    for (;;) {
      const blobs = schema < 41 ? [] : await store.read((reader) => selectBlobPage(reader, after, 500));
      for (const blob of blobs) for await (const _ of vault.read(blob));
      const last = blobs.at(-1);
      if (last === undefined) return;
      after = last.blobId;
    }
  } finally {
    await store.close();
  }
}
