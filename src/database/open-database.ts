import type { Database } from '#kernel/sql.ts';
import { migrate } from './migrate.ts';

/** Opens the state store by URL (`sqlite:/path` or `postgres://…`) and brings it to this program's version. */
export async function openDatabase(url: string, options: { timeoutMs?: number } = {}): Promise<Database> {
  const database = await openStore(url, options);
  try {
    await migrate(database);
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}

/** Opens a store as it is, whatever its version. */
export async function openStore(url: string, options: { timeoutMs?: number } = {}): Promise<Database> {
  if (url.startsWith('sqlite:')) return (await import('./sqlite.ts')).openSqlite({ path: url.slice('sqlite:'.length) });
  return (await import('./postgres.ts')).openPostgres({ url, ...options });
}
