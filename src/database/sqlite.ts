import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { AppError } from '#kernel/errors.ts';
import { type Database, type Reader, type Row, renderSql, type Sql, type Tx } from '#kernel/sql.ts';

/** Opens (or makes) an SQLite file: WAL, synchronous=FULL so that a commit is durable, LIKE case-sensitive as in PostgreSQL. */
export function openSqlite(options: { path: string }): Database {
  const writer = connect(options.path);
  const reader = options.path === ':memory:' ? writer : connect(options.path);
  const write = statementsOf(writer);
  const tx: Tx = { engine: 'sqlite', ...write, savepoint: (body) => savepoint(writer, body) };
  const read: Reader = { engine: 'sqlite', ...statementsOf(reader) };
  let tail: Promise<unknown> = Promise.resolve();
  return {
    engine: 'sqlite',
    transaction: (body) => {
      const result = tail.then(() => transact(writer, () => body(tx)));
      tail = result.catch(() => undefined);
      return result;
    },
    read: (body) => body(read),
    close: async () => {
      await tail;
      reader.close();
      if (writer !== reader) writer.close();
    },
  };
}

function connect(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec(`pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on;
    pragma busy_timeout = 5000; pragma case_sensitive_like = on; pragma temp_store = memory; pragma cache_size = -32768;
    pragma mmap_size = 268435456;`);
  return database;
}

function statementsOf(database: DatabaseSync): Omit<Tx, 'engine' | 'savepoint'> {
  const prepared = new Map<string, StatementSync>();
  const prepare = (statement: Sql): StatementSync => {
    const text = renderSql(statement, 'sqlite');
    let found = prepared.get(text);
    if (found === undefined) {
      if (prepared.size > 2000) prepared.clear();
      found = database.prepare(text);
      prepared.set(text, found);
    }
    return found;
  };
  return {
    all: async <T extends Row>(statement: Sql) => prepare(statement).all(...statement.values) as T[],
    get: async <T extends Row>(statement: Sql) => prepare(statement).get(...statement.values) as T | undefined,
    run: async (statement: Sql) => Number(prepare(statement).run(...statement.values).changes),
  };
}

async function transact<T>(database: DatabaseSync, body: () => Promise<T>): Promise<T> {
  try {
    database.exec('begin immediate');
  } catch (error) {
    throw new AppError('unavailable', 'The state store cannot be written now.', { cause: error });
  }
  try {
    const result = await body();
    database.exec('commit');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('rollback');
    throw error;
  }
}

/** Savepoints nest: the name is reused, SQLite releases and rolls back to the innermost of that name. */
async function savepoint<T>(database: DatabaseSync, body: () => Promise<T>): Promise<T> {
  database.exec('savepoint act');
  try {
    const result = await body();
    database.exec('release act');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('rollback to act; release act');
    throw error;
  }
}
