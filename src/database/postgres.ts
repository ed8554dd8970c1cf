import pg from 'pg';
import { AppError } from '#kernel/errors.ts';
import { type Database, type Reader, type Row, renderSql, type Sql, type SqlValue, type Tx } from '#kernel/sql.ts';
import { isLost, postgresFault, unknownOutcome } from './postgres-fault.ts';

const INT8 = 20;
const NUMERIC = 1700;
const STATEMENT_MS = 20_000;
/** The server ends a statement first, so that the connection can be used again. */
const SERVER_LEAD = 0.8;

/**
 * Opens a PostgreSQL database by URL; BIGINT and NUMERIC come back as numbers. Nothing waits for the server without an end: neither a connection
 * nor a statement takes longer than `timeoutMs`, and the server gives up a transaction whose client is silent.
 */
export function openPostgres(options: { url: string; connections?: number; timeoutMs?: number }): Database {
  const pool = openPool(options.url, options.connections ?? 8, options.timeoutMs ?? STATEMENT_MS);
  let tail: Promise<unknown> = Promise.resolve();
  const read: Database['read'] = (body) => withClient(pool, (client) => body(readerOf(client)));
  return {
    engine: 'postgres',
    transaction: (body, onCommitted) => {
      const result = tail.then(async () => {
        const answer = await withClient(pool, (client) => transact(client, body));
        onCommitted?.();
        return answer;
      });
      tail = result.catch(() => undefined);
      return result;
    },
    read,
    peek: read,
    close: async () => {
      await tail;
      await pool.end();
    },
  };
}

function openPool(url: string, connections: number, timeoutMs: number): pg.Pool {
  const types = new pg.TypeOverrides();
  types.setTypeParser(INT8, Number);
  types.setTypeParser(NUMERIC, Number);
  const serverMs = Math.floor(timeoutMs * SERVER_LEAD);
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    types,
    application_name: 'fumehood',
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    statement_timeout: serverMs,
    lock_timeout: serverMs,
    idle_in_transaction_session_timeout: timeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  // A connection that is lost while idle is simply replaced; the next statement reports what matters.
  pool.on('error', () => undefined);
  return pool;
}

/** A connection of the pool; `lost` once nothing more can be asked over it. */
type Client = { query: pg.PoolClient['query']; lost: boolean };

async function withClient<T>(pool: pg.Pool, body: (client: Client) => Promise<T>): Promise<T> {
  let found: pg.PoolClient;
  try {
    found = await pool.connect();
  } catch (error) {
    throw postgresFault(error) ?? new AppError('unavailable', 'The state store cannot be reached.', { cause: error });
  }
  const client: Client = { query: found.query.bind(found) as pg.PoolClient['query'], lost: false };
  const onError = () => {
    client.lost = true;
  };
  found.on('error', onError);
  try {
    return await body(client);
  } finally {
    found.release(client.lost);
    if (!client.lost) found.off('error', onError);
  }
}

async function query<T extends Row>(client: Client, statement: Sql | string): Promise<pg.QueryResult<T>> {
  try {
    if (typeof statement === 'string') return await client.query<T>(statement);
    const values: (SqlValue | Buffer)[] = statement.values.map((value) =>
      value instanceof Uint8Array ? Buffer.from(value) : value,
    );
    return await client.query<T>({ text: renderSql(statement, 'postgres'), values });
  } catch (error) {
    if (isLost(error)) client.lost = true;
    throw postgresFault(error) ?? error;
  }
}

function readerOf(client: Client): Reader {
  return {
    engine: 'postgres',
    all: async <T extends Row>(statement: Sql) => (await query<T>(client, statement)).rows,
    get: async <T extends Row>(statement: Sql) => (await query<T>(client, statement)).rows[0],
  };
}

function txOf(client: Client): Tx {
  return {
    ...readerOf(client),
    run: async (statement) => (await query(client, statement)).rowCount ?? 0,
    savepoint: async (body) => {
      await query(client, 'savepoint act');
      try {
        const result = await body();
        await query(client, 'release act');
        return result;
      } catch (error) {
        if (!client.lost) await query(client, 'rollback to act; release act');
        throw error;
      }
    },
  };
}

async function transact<T>(client: Client, body: (tx: Tx) => Promise<T>): Promise<T> {
  try {
    await query(client, 'begin');
    const result = await body(txOf(client));
    await commit(client);
    return result;
  } catch (error) {
    // Without a connection the server rolls back by itself.
    if (!client.lost) await query(client, 'rollback').catch(() => undefined);
    throw error;
  }
}

async function commit(client: Client): Promise<void> {
  if (client.lost) throw new AppError('unavailable', 'The state store was lost before the commit.');
  let done: pg.QueryResult;
  try {
    done = await query(client, 'commit');
  } catch (error) {
    throw client.lost ? unknownOutcome(error) : error;
  }
  // A transaction in which a statement failed ends in a rollback, and the server calls that a success.
  if (done.command !== 'COMMIT') throw new AppError('unavailable', 'The state store rolled the transaction back.');
}
