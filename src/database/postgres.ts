import pg from 'pg';
import { AppError } from '#kernel/errors.ts';
import { type Database, type Reader, type Row, renderSql, type Sql, type SqlValue, type Tx } from '#kernel/sql.ts';

const INT8 = 20;
const NUMERIC = 1700;

/** Opens a PostgreSQL database by URL; BIGINT and NUMERIC come back as numbers. */
export function openPostgres(options: { url: string; connections?: number }): Database {
  const types = new pg.TypeOverrides();
  types.setTypeParser(INT8, Number);
  types.setTypeParser(NUMERIC, Number);
  const pool = new pg.Pool({ connectionString: options.url, max: options.connections ?? 8, types });
  // A connection that is lost while idle is simply replaced; the next statement reports what matters.
  pool.on('error', () => undefined);
  let tail: Promise<unknown> = Promise.resolve();
  return {
    engine: 'postgres',
    transaction: (body) => {
      const result = tail.then(() => withClient(pool, (client) => transact(client, body)));
      tail = result.catch(() => undefined);
      return result;
    },
    read: (body) => withClient(pool, (client) => body(readerOf(client))),
    close: async () => {
      await tail;
      await pool.end();
    },
  };
}

async function withClient<T>(pool: pg.Pool, body: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  let client: pg.PoolClient;
  try {
    client = await pool.connect();
  } catch (error) {
    throw new AppError('unavailable', 'The state store cannot be reached.', { cause: error });
  }
  let broken = false;
  const onError = () => {
    broken = true;
  };
  client.on('error', onError);
  try {
    return await body(client);
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}

async function query<T extends Row>(client: pg.PoolClient, statement: Sql): Promise<pg.QueryResult<T>> {
  const values: (SqlValue | Buffer)[] = statement.values.map((value) =>
    value instanceof Uint8Array ? Buffer.from(value) : value,
  );
  return client.query<T>({ text: renderSql(statement, 'postgres'), values });
}

function readerOf(client: pg.PoolClient): Reader {
  return {
    engine: 'postgres',
    all: async <T extends Row>(statement: Sql) => (await query<T>(client, statement)).rows,
    get: async <T extends Row>(statement: Sql) => (await query<T>(client, statement)).rows[0],
  };
}

function txOf(client: pg.PoolClient): Tx {
  return {
    ...readerOf(client),
    run: async (statement) => (await query(client, statement)).rowCount ?? 0,
    savepoint: async (body) => {
      await client.query('savepoint act');
      try {
        const result = await body();
        await client.query('release act');
        return result;
      } catch (error) {
        await client.query('rollback to act; release act');
        throw error;
      }
    },
  };
}

async function transact<T>(client: pg.PoolClient, body: (tx: Tx) => Promise<T>): Promise<T> {
  await client.query('begin');
  try {
    const result = await body(txOf(client));
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}
