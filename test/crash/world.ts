/** A control plane to be killed: its people, a sandbox that lives through it all, and a look into its store. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, rawSql } from '#kernel/sql.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';
import type { AccessKey } from '../sign-s3.ts';
import { type Acknowledged, ask, MLFLOW, nothing, placeOf, type Targets, type Tokens } from './load.ts';
import { askS3, BUCKET } from './upload-parts.ts';

export type CrashWorld = {
  control: TestControlPlane;
  tokens: Tokens;
  targets: Targets;
  seen: Acknowledged;
  /** Lines that the long-lived sandbox has written of one kind. */
  lines(file: 'ticks' | 'beats' | 'execs'): Promise<string[]>;
  pid(): number;
  /** Reads the store; only while no load runs. */
  inStore<T>(look: (database: Database) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

/** Counts in /workspace/ticks what a sandbox could log through its own door, for as long as it lives. */
const TICKER = `
import json, time, urllib.request
made = urllib.request.urlopen(urllib.request.Request("http://localhost:5000${MLFLOW}/runs/create",
    json.dumps({"experiment_id": "0", "run_name": "ticker"}).encode(), {"content-type": "application/json"}))
run = json.load(made)["run"]["info"]["run_id"]
step = 0
while True:
    step += 1
    body = {"run_id": run, "key": "tick", "value": step, "timestamp": 1, "step": step}
    try:
        urllib.request.urlopen(urllib.request.Request("http://localhost:5000${MLFLOW}/runs/log-metric",
            json.dumps(body).encode(), {"content-type": "application/json"}), timeout=20).read()
        with open("/workspace/ticks", "a") as file:
            file.write(f"{run} {step}\\n")
    except OSError:
        pass
    time.sleep(0.05)
`;

/** A command whose client is there when the control plane dies. */
const BEATS = 'while :; do echo beat >> /workspace/beats; echo beat; sleep 0.1; done';

const CLI = join(import.meta.dirname, '../../src/cli/main.ts');

/** Starts one over SQLite, or over a schema of its own in a PostgreSQL database. */
export async function openCrashWorld(postgres?: string): Promise<CrashWorld> {
  const store = postgres === undefined ? undefined : await schemaIn(postgres);
  const control = await startControlPlane({
    FUMEHOOD_QUOTA_DEFAULTS_SANDBOXES: '40',
    ...(store === undefined ? {} : { FUMEHOOD_DATABASE_URL: store.url }),
  });
  try {
    return await populate(control, store);
  } catch (error) {
    await control.close();
    await store?.drop();
    throw error;
  }
}

type Store = { url: string; drop(): Promise<void> };

async function schemaIn(url: string): Promise<Store> {
  const { openPostgres } = await import('#src/database/postgres.ts');
  const admin = openPostgres({ url, connections: 1 });
  const schema = `crash_${randomBytes(6).toString('hex')}`;
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

async function populate(control: TestControlPlane, store: Store | undefined): Promise<CrashWorld> {
  const tokens = { engineer: await control.user('erin', 'engineer'), officer: await control.user('olga', 'officer') };
  const as = { token: tokens.engineer };
  const folder = await mkdtemp(join(tmpdir(), 'fumehood-crash-'));
  await writeFile(join(folder, 'rows.csv'), 'name\nx\n');
  await control.json(['dataset', 'add', 'customers', folder, '--tag', 'PII'], as);
  await rm(folder, { recursive: true });
  await control.json(['sandbox', 'create', '--name', 'ticker', '--memory', '128m', '--disk', '64m', '--ttl', '6h'], as);
  const start = ['sandbox', 'exec', 'ticker', '--', 'sh', '-c', 'setsid python3 -c "$0" > /dev/null 2>&1 &', TICKER];
  assert.equal((await control.run(start, as)).code, 0);
  const beating = await beat(control.home, tokens.engineer);
  const place = await placeOf(control, tokens);
  const made = await ask(`${place.doors.mlflow}${MLFLOW}/runs/create`, tokens.engineer, 'POST', { experiment_id: '0' });
  assert.ok(made?.ok);
  const issued = await ask(`${place.url}/api/v1/access-keys`, tokens.engineer, 'POST', { ttlSeconds: 12 * 3600 });
  assert.ok(issued?.ok);
  const key = issued.body as AccessKey;
  assert.ok((await askS3(place.doors.s3 ?? '', key, 'PUT', `/${BUCKET}`))?.ok);
  const url = store?.url ?? `sqlite:${join(control.home, 'state.db')}`;
  return {
    control,
    tokens,
    targets: {
      run: { id: (made.body.run as { info: { run_id: string } }).info.run_id, experiment: '0' },
      key,
      sandbox: 'ticker',
    },
    seen: nothing(),
    lines: async (file) => {
      const done = await control.run(['sandbox', 'exec', 'ticker', '--', 'cat', `/workspace/${file}`], as);
      assert.equal(done.code, 0, done.stderr);
      return done.stdout.trimEnd().split('\n');
    },
    pid: () => (JSON.parse(readFileSync(join(control.home, 'control.json'), 'utf8')) as { pid: number }).pid,
    inStore: async (look) => {
      const database = await openDatabase(url);
      try {
        return await look(database);
      } finally {
        await database.close();
      }
    },
    close: async () => {
      beating.kill();
      await control.close();
      await store?.drop();
    },
  };
}

/** Starts the command and resolves when its output has come. */
function beat(home: string, token: string) {
  const child = spawn(process.execPath, [CLI, 'sandbox', 'exec', 'ticker', '--', 'sh', '-c', BEATS], {
    env: { ...process.env, FUMEHOOD_HOME: home, FUMEHOOD_TOKEN: token },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return new Promise<typeof child>((resolve, reject) => {
    child.stdout.once('data', () => resolve(child));
    child.once('exit', (code) => reject(new Error(`the command of the long-lived sandbox ended with ${code}`)));
  });
}
