import { type Database, sql } from '#kernel/sql.ts';
import { listMigrations } from './migrate.ts';

/** The newest migration of a store; 0 for an empty one. */
export async function schemaVersionOf(database: Pick<Database, 'read'>): Promise<number> {
  const row = await database
    .read((reader) =>
      reader.get<{ version: number | null }>(sql`select max(version) as version from schema_migrations`),
    )
    .catch(() => undefined);
  return row?.version ?? 0;
}

export type Step = { version: number; name: string };

/** What a store has and this program does not know, and the other way round. */
export async function compareSchema(database: Database): Promise<{ unknown: Step[]; pending: Step[] }> {
  const known = listMigrations().map(({ version, name }) => ({ version, name }));
  const applied = await database
    .read((reader) => reader.all<Step>(sql`select version, name from schema_migrations order by version`))
    .catch(() => []);
  const has = (steps: readonly Step[], version: number): boolean => steps.some((step) => step.version === version);
  return {
    unknown: applied.filter((step) => !has(known, step.version)),
    pending: known.filter((step) => !has(applied, step.version)),
  };
}
