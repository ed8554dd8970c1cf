/** Copies of a store in PostgreSQL, by PostgreSQL's own programs, as of one moment. */
import { spawn } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import pg from 'pg';
import { AppError } from '#kernel/errors.ts';
import { type Database, type Reader, type Row, renderSql, type Sql } from '#kernel/sql.ts';

const INT8 = 20;

export type Dump = {
  /** Reads of the moment of the dump. */
  read: Database['read'];
  close(): Promise<void>;
};

/** Dumps a database into `target` (custom format); what is read afterwards is of the same snapshot. */
export async function dumpPostgres(url: string, target: string): Promise<Dump> {
  const types = new pg.TypeOverrides();
  types.setTypeParser(INT8, Number);
  const client = new pg.Client({ connectionString: url, types, application_name: 'fumehood-backup' });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('begin isolation level repeatable read, read only');
    const { rows } = await client.query<{ id: string }>('select pg_export_snapshot() as id');
    const snapshot = ['--snapshot', rows[0]?.id ?? ''];
    await runTool('pg_dump', ['--format=custom', '--no-owner', '--no-privileges', ...snapshot, '--file', target], url);
  } catch (error) {
    await client.end();
    throw error;
  }
  const all = async <T extends Row>(statement: Sql): Promise<T[]> => {
    const values = statement.values.map((value) => (value instanceof Uint8Array ? Buffer.from(value) : value));
    return (await client.query<T>({ text: renderSql(statement, 'postgres'), values })).rows;
  };
  const reader: Reader = {
    engine: 'postgres',
    all,
    get: async <T extends Row>(statement: Sql) => (await all<T>(statement))[0],
  };
  return { read: (body) => body(reader), close: () => client.end() };
}

/** Fills an empty database out of a dump, whole or not at all. Throws `conflict` when anything is in it. */
export async function restorePostgres(url: string, dump: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query("select 1 from pg_tables where schemaname = 'public' limit 1");
    if (rows.length > 0)
      throw new AppError('conflict', 'The database of database.url is not empty.', {
        details: { hint: 'Make an empty one with createdb, and name it in FUMEHOOD_DATABASE_URL.' },
      });
  } finally {
    await client.end();
  }
  const { pathname } = new URL(url);
  const into = ['--dbname', decodeURIComponent(pathname.slice(1)), '--no-owner', '--no-privileges'];
  await runTool('pg_restore', [...into, '--single-transaction', '--exit-on-error', dump], url);
}

/** The connection goes by the environment: what stands on a command line is seen by everybody. */
function environmentOf(url: string): NodeJS.ProcessEnv {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url);
  const named = {
    PGHOST: searchParams.get('host') ?? decodeURIComponent(hostname),
    PGPORT: port,
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: decodeURIComponent(pathname.slice(1)),
    PGSSLMODE: searchParams.get('sslmode') ?? '',
  };
  const given = Object.entries(named).filter(([, value]) => value !== '');
  return { PATH: process.env.PATH, HOME: process.env.HOME, ...Object.fromEntries(given) };
}

function runTool(name: string, args: string[], url: string): Promise<void> {
  const program = findTool(name);
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: environmentOf(url), stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = `${said}${text}`.slice(-2000);
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) return resolve();
      const why = said.trim().split('\n').at(-1) ?? '';
      reject(
        new AppError('unavailable', `${name} ended with ${code}: ${why}`, {
          details: { hint: `${name} must be at least as new as the server, and reach it as Fumehood does.` },
        }),
      );
    });
  });
}

function findTool(name: string): string {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name));
  const found = [...globSync(`/usr/lib/postgresql/*/bin/${name}`).sort().reverse(), ...onPath].find((file) =>
    existsSync(file),
  );
  if (found !== undefined) return found;
  throw new AppError('unavailable', `${name} is not installed; a store in PostgreSQL is copied with it.`, {
    details: { hint: 'apt-get install -y postgresql-client' },
  });
}
