import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { type Database, rawSql, sql, type Tx } from '#kernel/sql.ts';

type Migration = { version: number; name: string; text: string; digest: string };

const FOLDER = join(import.meta.dirname, 'migrations');

/** The migrations of this program, by version: `NNN-name.sql`, portable but for `{{blob}}` and `{{bytewise}}`. */
export function listMigrations(folder: string = FOLDER): Migration[] {
  return readdirSync(folder)
    .filter((file) => /^\d{3}-[a-z0-9-]+\.sql$/.test(file))
    .sort()
    .map((file) => {
      const text = readFileSync(join(folder, file), 'utf8');
      return {
        version: Number(file.slice(0, 3)),
        name: file.slice(4, -4),
        text,
        digest: createHash('sha256').update(text).digest('hex'),
      };
    });
}

/** Brings the store to this program's version, all in one transaction. Refuses a store made by a newer or a different program. */
export async function migrate(database: Database, folder: string = FOLDER): Promise<void> {
  const wanted = listMigrations(folder);
  await database.transaction(async (tx) => {
    // Two first openings at once: the second waits here and then finds everything made.
    if (tx.engine === 'postgres') await tx.all(rawSql('select pg_advisory_xact_lock(3863, 1)'));
    await tx.run(
      rawSql(
        'create table if not exists schema_migrations (version bigint primary key, name text not null, digest text not null)',
      ),
    );
    const rows = await tx.all<{ version: number; name: string; digest: string }>(
      sql`select version, name, digest from schema_migrations`,
    );
    const applied = new Map(rows.map((row) => [row.version, row]));
    refuseForeignStore(wanted, applied);
    for (const migration of wanted) if (!applied.has(migration.version)) await apply(tx, migration);
  });
}

function refuseForeignStore(wanted: Migration[], applied: Map<number, { name: string; digest: string }>): void {
  for (const [version, row] of applied) {
    const known = wanted.find((migration) => migration.version === version);
    if (known === undefined) {
      throw new AppError(
        'conflict',
        `The state store was made by a newer Fumehood (it has migration ${version}, "${row.name}").`,
        {
          details: { hint: 'Run the version of Fumehood that made it, or use another FUMEHOOD_HOME.' },
        },
      );
    }
    if (known.digest !== row.digest) {
      throw new AppError(
        'conflict',
        `The state store was made by another build of Fumehood (migration ${version}, "${row.name}", differs).`,
        {
          details: { hint: 'Run the build that made it, or use another FUMEHOOD_HOME.' },
        },
      );
    }
  }
}

async function apply(tx: Tx, migration: Migration): Promise<void> {
  const text = migration.text
    .replaceAll('{{blob}}', tx.engine === 'sqlite' ? 'blob' : 'bytea')
    // Text that is compared and ordered by its UTF-8 bytes on both engines, whatever the database's locale.
    .replaceAll('{{bytewise}}', tx.engine === 'sqlite' ? 'collate binary' : 'collate "C"')
    .replace(/--[^\n]*/g, '');
  for (const statement of text.split(';')) {
    if (statement.trim() !== '') await tx.run(rawSql(statement));
  }
  await tx.run(
    sql`insert into schema_migrations (version, name, digest) values (${migration.version}, ${migration.name}, ${migration.digest})`,
  );
}
