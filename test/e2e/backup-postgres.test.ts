/** A home whose store is in PostgreSQL: backed up while it runs, restored into an empty database. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { startPostgres } from '#src/cli/private-postgres.ts';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

const PASSPHRASE = 'a heron stands in the shallows';

let folder = '';
let postgres: Awaited<ReturnType<typeof startPostgres>>;
let control: TestControlPlane;
const database = (name: string): string => postgres.url.replace(/\/postgres$/, `/${name}`);
before(
  async () => {
    folder = mkdtempSync(join(tmpdir(), 'fumehood-backup-pg-'));
    postgres = await startPostgres({ folder, say: () => undefined });
    const client = new pg.Client({ connectionString: postgres.url });
    await client.connect();
    for (const name of ['first', 'again']) await client.query(`create database ${name}`);
    await client.end();
    control = await startControlPlane({ FUMEHOOD_DATABASE_URL: database('first') });
  },
  { timeout: 300_000 },
);
after(async () => {
  await control.close();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('store, objects, secrets and log are restored into an empty database, and into no other', {
  timeout: 180_000,
}, async () => {
  mkdirSync(join(folder, 'data'));
  writeFileSync(join(folder, 'data/large.bin'), Buffer.alloc(200_000, 7));
  await control.json(['dataset', 'add', 'stuff', join(folder, 'data'), '--tag', 'public']);
  await control.json(['secret', 'put', 'team/db', 'password=-'], { input: 'hunter2' });
  const officer = await control.user('olga', 'officer');
  const file = join(folder, 'pg.tar');
  await control.json(['backup', 'create', file], { input: PASSPHRASE });
  const verified = await control.json<{ log: string; objects: number }>(['backup', 'verify', file]);
  assert.deepEqual([verified.log, verified.objects], ['verified when it is restored', 1]);
  const home = join(folder, 'elsewhere');
  const restore = (env: Record<string, string>) =>
    control.run(['backup', 'restore', file, '--home', home], { input: PASSPHRASE, env });
  assert.equal((await restore({ FUMEHOOD_DATABASE_URL: database('first') })).code, 6, 'a database in use');
  assert.equal((await restore({ FUMEHOOD_DATABASE_URL: '' })).code, 2, 'no database');
  const again = { FUMEHOOD_DATABASE_URL: database('again') };
  const done = await restore(again);
  assert.equal(done.code, 0, done.stderr);
  const at = { env: { ...again, FUMEHOOD_HOME: home } };
  try {
    await control.json(['up', '--detach'], at);
    assert.ok((await control.json<{ ok: boolean }>(['audit', 'verify'], { ...at, token: officer })).ok);
    assert.equal((await control.run(['secret', 'get', 'team/db', 'password'], at)).stdout.trim(), 'hunter2');
    const rotated = await control.json<{ rewrapped: number }>(['key', 'rotate', '--yes'], at);
    assert.ok(rotated.rewrapped >= 2);
  } finally {
    await control.run(['down', '--yes'], at);
  }
});
