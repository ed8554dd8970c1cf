/** A control plane in which one of everything was done, and hands on its database that leave no entry. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, joinSql, type Row, rawSql, sql } from '#kernel/sql.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { openPostgres } from '#src/database/postgres.ts';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

/** `key`: the column by which rows are put back where they cannot be taken out, because others refer to them. */
export type ByHand = { table: string; where: string; statement: string; key?: string };

export type TamperedWorld = {
  control: TestControlPlane;
  database: Database;
  officer: string;
  /** Done by hand: the statement, then `look`, then the rows of `table` where `where` holds are put back. */
  byHand(change: ByHand, look: () => Promise<void>): Promise<void>;
  /** What `audit verify` says: nothing, or the first finding. */
  verify(args?: string[]): Promise<string | undefined>;
  close(): Promise<void>;
};

const POLICY = 'package team\nimport rego.v1\ndefault allow := false\nallow if input.requested <= 2\n';

export async function openTamperedWorld(postgres: string | undefined): Promise<TamperedWorld> {
  const schema = postgres === undefined ? undefined : await schemaIn(postgres);
  const control = await startControlPlane(schema === undefined ? {} : { FUMEHOOD_DATABASE_URL: schema.url });
  const scratch = mkdtempSync(join(tmpdir(), 'fumehood-tampered-'));
  const officer = await doEverything(control, scratch);
  const database = await openDatabase(schema?.url ?? `sqlite:${join(control.home, 'state.db')}`);
  const verify = async (args: string[] = []): Promise<string | undefined> => {
    const done = await control.run(['audit', 'verify', ...args, '--json'], { token: officer });
    if (done.code === 0) return undefined;
    // A log that cannot go on refuses the very request to verify it, and says why.
    if (done.stdout === '') return done.stderr;
    return (JSON.parse(done.stdout) as { findings: { what: string }[] }).findings[0]?.what;
  };
  return {
    control,
    database,
    officer,
    verify,
    byHand: async ({ table, where, statement, key }, look) => {
      const from = sql`from ${rawSql(table)} where ${rawSql(where)}`;
      const before = await database.read((reader) => reader.all(sql`select * ${from}`));
      await database.transaction((tx) => tx.run(rawSql(statement)));
      try {
        await look();
      } finally {
        await database.transaction(async (tx) => {
          if (key === undefined) await tx.run(sql`delete ${from}`);
          for (const row of before) await tx.run(key === undefined ? insertOf(table, row) : updateOf(table, key, row));
        });
      }
    },
    close: async () => {
      rmSync(scratch, { recursive: true, force: true });
      await database.close();
      await control.close();
      await schema?.drop();
    },
  };
}

function insertOf(table: string, row: Row) {
  const names = rawSql(Object.keys(row).join(', '));
  const values = joinSql(
    Object.values(row).map((value) => sql`${value}`),
    ', ',
  );
  return sql`insert into ${rawSql(table)} (${names}) values (${values})`;
}

function updateOf(table: string, key: string, row: Row) {
  const cells = Object.entries(row).map(([name, value]) => sql`${rawSql(name)} = ${value}`);
  return sql`update ${rawSql(table)} set ${joinSql(cells, ', ')} where ${rawSql(key)} = ${row[key] ?? null}`;
}

async function doEverything(control: TestControlPlane, scratch: string): Promise<string> {
  const officer = await control.user('olga', 'officer');
  const token = await control.user('erin', 'engineer');
  await control.user('gone', 'engineer');
  await control.json(['user', 'delete', 'gone', '--yes']);
  const as = { token };
  const folder = join(scratch, 'data');
  mkdirSync(folder);
  writeFileSync(join(folder, 'rows.csv'), 'name\nx\n');
  writeFileSync(join(scratch, 'policy.rego'), POLICY);
  await control.json(['policy', 'apply', join(scratch, 'policy.rego'), '--name', 'team', '--for', 'gpu'], {
    token: officer,
  });
  await control.json(['dataset', 'add', 'customers', folder, '--tag', 'PII'], as);
  const { id } = await control.json<{ id: string }>(
    ['access', 'request', 'dataset', 'customers', '--purpose', 'to train'],
    as,
  );
  await control.json(['approval', 'approve', id, '--reason', 'it is needed'], { token: officer });
  await control.json(['secret', 'put', 'team/key', 'value=-'], { ...as, input: 'one' });
  await control.json(['secret', 'put', 'team/key', 'value=-'], { ...as, input: 'two' });
  const extra = await control.json<{ id: string }>(['token', 'create', '--name', 'extra'], as);
  await control.json(['token', 'revoke', extra.id, '--yes'], as);
  const made = await control.json<{ id: string }>(['sandbox', 'create', '--memory', '64m', '--disk', '64m'], as);
  await control.json(['sandbox', 'delete', made.id, '--yes'], as);
  await track(control.doors.mlflow ?? '', token);
  return officer;
}

async function track(door: string, token: string): Promise<void> {
  const ask = async (path: string, body: unknown, method = 'POST'): Promise<Record<string, unknown>> => {
    const response = await fetch(`${door}/api/2.0/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    return (await response.json()) as Record<string, unknown>;
  };
  const { run } = (await ask('mlflow/runs/create', { experiment_id: '0', run_name: 'first' })) as {
    run: { info: { run_id: string } };
  };
  const { run_id } = run.info;
  await ask(`mlflow-artifacts/artifacts/0/${run_id}/artifacts/model.bin`, 'weights', 'PUT');
  await ask(`mlflow-artifacts/artifacts/0/${run_id}/artifacts/gone.bin`, 'bytes', 'PUT');
  await ask(`mlflow-artifacts/artifacts/0/${run_id}/artifacts/gone.bin`, '', 'DELETE');
  await ask('mlflow/registered-models/create', { name: 'gpt' });
  const source = `mlflow-artifacts:/0/${run_id}/artifacts`;
  for (let count = 0; count < 2; count += 1) await ask('mlflow/model-versions/create', { name: 'gpt', source, run_id });
  await ask('mlflow/registered-models/rename', { name: 'gpt', new_name: 'gpt-2' });
}

async function schemaIn(url: string): Promise<{ url: string; drop(): Promise<void> }> {
  const admin = openPostgres({ url, connections: 1 });
  const schema = `tampered_${randomBytes(6).toString('hex')}`;
  await admin.transaction((tx) => tx.run(rawSql(`create schema ${schema}`)));
  const own = new URL(url);
  own.searchParams.set('options', `-c search_path=${schema}`);
  return {
    url: own.toString(),
    drop: async () => {
      await admin.transaction((tx) => tx.run(rawSql(`drop schema ${schema} cascade`)));
      await admin.close();
    },
  };
}
