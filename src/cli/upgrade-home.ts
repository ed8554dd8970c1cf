import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import type { Database } from '#kernel/sql.ts';
import { loadConfig } from '#src/config/load-config.ts';
import { migrate } from '#src/database/migrate.ts';
import { openStore } from '#src/database/open-database.ts';
import { compareSchema, type Step, schemaVersionOf } from '#src/database/schema-version.ts';
import type { Context } from './command.ts';
import { createBackup, readHome } from './create-backup.ts';
import { VERSION } from './version.ts';

export type Upgrade = {
  program: string;
  schema: number;
  pending: Step[];
  /** Migrations that a newer program made: this one must not touch the store. */
  unknown: Step[];
  backup: string | null;
};

type Asking = Pick<Context, 'home' | 'env' | 'out' | 'api'>;

/** What an upgrade would do; undefined when the home has no store yet. */
export async function checkUpgrade(context: Pick<Context, 'home' | 'env'>): Promise<Upgrade | undefined> {
  return withStore(context, async (store) => ({
    program: VERSION,
    schema: await schemaVersionOf(store),
    ...(await compareSchema(store)),
    backup: null,
  }));
}

/** Brings the store of a home that this process has locked to this program's version, after a backup that stays in the home. */
export async function upgradeLocked(context: Asking): Promise<Upgrade | undefined> {
  const found = await checkUpgrade(context);
  if (found === undefined || (found.pending.length === 0 && found.unknown.length === 0)) return found;
  refuseNewer(found);
  if (found.schema === 0) return found;
  const backup = await backupBefore(context, found.schema);
  await withStore(context, (store) => migrate(store));
  return { ...found, backup };
}

/** A store that a newer program has moved on is refused: nothing leads back but a backup. */
export function refuseNewer({ unknown, schema }: Upgrade): void {
  const [first] = unknown;
  if (first === undefined) return;
  throw new AppError(
    'conflict',
    `The store was made by a newer Fumehood: it has migration ${first.version}, "${first.name}", which ${VERSION} does not know.`,
    {
      details: {
        hint: `Run the newer Fumehood again, or restore a backup that was made before schema ${schema}: fumehood backup restore FILE --home DIR.`,
      },
    },
  );
}

/** The keys stay out of it: they lie beside it. */
async function backupBefore(context: Asking, schema: number): Promise<string> {
  const folder = join(context.home, 'backups');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const target = join(folder, `schema-${schema}-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}Z.tar`);
  const { file } = await createBackup(context, target, undefined, () => readHome(context, { locked: true }));
  return file;
}

async function withStore<T>({ home, env }: Pick<Context, 'home' | 'env'>, work: (store: Database) => Promise<T>) {
  const { settings } = loadConfig({ home, env, cwd: process.cwd() });
  const url = settings['database.url'];
  if (url === undefined && !existsSync(join(home, 'state.db'))) return undefined;
  const store = await openStore(url ?? `sqlite:${join(home, 'state.db')}`);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
