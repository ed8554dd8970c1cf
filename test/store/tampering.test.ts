import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type ByHand, openTamperedWorld, type TamperedWorld } from './tampered-world.ts';

type Change = ByHand & { title: string; finds: RegExp };

const KEYS: Record<string, string> = { users: 'name', tokens: 'id' };

const set = (table: string, where: string, to: string, finds: RegExp): Change => ({
  ...(KEYS[table] === undefined ? {} : { key: KEYS[table] }),
  title: `${table}: ${to}`,
  table,
  where,
  statement: `update ${table} set ${to} where ${where}`,
  finds,
});
const drop = (table: string, where: string, finds: RegExp): Change => ({
  title: `${table}: a row deleted`,
  table,
  where,
  statement: `delete from ${table} where ${where}`,
  finds,
});
const CHANGED = /is not as entry \d+ left it: it was changed in the database without an entry/;
const GONE = /which entry \d+ left in the database, is gone/;
const UNKNOWN = /stands in the database, but no entry says that it was made/;

const OF_THE_LOG: Change[] = [
  {
    title: 'an entry edited',
    table: 'audit_entries',
    where: 'seq = 5',
    statement: `update audit_entries set leaf = replace(leaf, '"ok"', '"no"') where seq = 5`,
    finds: /entry 5 was changed/,
  },
  drop('audit_entries', 'seq = 5', /entry 5 is missing/),
  drop(
    'audit_entries',
    'seq >= 8',
    /entries 8 to \d+ are gone|the newest checkpoint is of \d+ entries, the store has 8/,
  ),
  {
    title: 'two entries that changed places',
    table: 'audit_entries',
    where: 'seq in (4, 5)',
    statement: 'update audit_entries set seq = case seq when 4 then -5 else -4 end where seq in (4, 5)',
    finds: /entry 4 is missing/,
  },
  {
    title: 'an entry inserted behind the others',
    table: 'audit_entries',
    where: 'seq = 100000',
    statement: `insert into audit_entries (seq, leaf, leaf_hash, time_ms, actor_id, action, object_kind, object_id, outcome, request_id)
      select 100000, leaf, leaf_hash, time_ms, actor_id, action, object_kind, object_id, outcome, request_id from audit_entries where seq = 3`,
    finds: /under no checkpoint|the newest checkpoint is of \d+ entries, the store has 100001/,
  },
  set('audit_entries', 'seq = 6', "outcome = 'denied'", /columns by which entry 6 is found are not its own/),
  set('audit_entries', 'seq = 6', "actor_opening = replace(actor_opening, 'o', '0')", /personal values beside entry 6/),
  set('audit_checkpoints', 'size = 7', "note = replace(note, '7', '8')", /the checkpoint after entry 6/),
];

const OF_THE_ROWS: Change[] = [
  set('users', "name = 'erin'", `roles = '["officer"]'`, CHANGED),
  set('users', "name = 'gone'", 'deleted_ms = null, disabled = 0', CHANGED),
  {
    title: 'users: one that no act made',
    table: 'users',
    where: "name = 'eve'",
    statement:
      "insert into users (name, roles, team, disabled, created_ms, deleted_ms) select 'eve', roles, team, disabled, created_ms, deleted_ms from users where name = 'operator'",
    finds: UNKNOWN,
  },
  set('tokens', 'revoked_ms is not null', 'revoked_ms = null', CHANGED),
  set('tokens', "user_name = 'erin'", "user_name = 'operator'", CHANGED),
  set('approvals', "state = 'approved'", 'until_ms = until_ms + 1000', CHANGED),
  set('approvals', "state = 'approved'", "requester = 'olga'", CHANGED),
  set('policy_versions', "name = 'team'", 'removed = 1', CHANGED),
  drop('policy_versions', "name = 'team'", GONE),
  set('dataset_versions', "name = 'customers'", "digest = 'sha256:0'", CHANGED),
  drop('dataset_tags', "tag = 'PII'", GONE),
  set('objects', "object_key like '%model.bin'", "content_type = 'text/x'", CHANGED),
  {
    title: 'object_contents: another digest',
    table: 'object_contents',
    where: '1 = 1',
    statement: "update object_contents set digest = 'sha256:0'",
    finds: CHANGED,
  },
  drop('objects', "object_key like '%model.bin'", GONE),
  set('secrets', "path like '%team/key'", 'current_version = 1', CHANGED),
  drop('secret_versions', 'version = 1', GONE),
  set('runs', "name = 'first'", "owner = 'olga'", CHANGED),
  drop('runs', "name = 'first'", GONE),
  set('model_versions', 'version = 2', "source = 'elsewhere'", CHANGED),
  {
    title: 'model_versions: another number',
    table: 'model_versions',
    where: 'version > 1',
    statement: 'update model_versions set version = 3 where version = 2',
    finds: UNKNOWN,
  },
  set('sandboxes', '1 = 1', "spec = replace(spec, 'runc', 'crun')", CHANGED),
  set('sandboxes', '1 = 1', "state = 'stopped'", CHANGED),
];

const { FUMEHOOD_TEST_POSTGRES: postgres } = process.env;
for (const url of postgres === undefined ? [undefined] : [undefined, postgres]) {
  describe(`"audit verify" on ${url === undefined ? 'SQLite' : 'PostgreSQL'}`, () => {
    let world: TamperedWorld;
    before(async () => {
      world = await openTamperedWorld(url);
    });
    after(() => world.close());

    it('finds nothing where nothing was touched, and says how many rows it compared', async () => {
      const found = await world.control.json<{ ok: boolean; rows: number }>(['audit', 'verify'], {
        token: world.officer,
      });
      assert.equal(found.ok, true);
      assert.ok(found.rows >= 15, `only ${found.rows} rows`);
    });

    for (const { title, finds, ...change } of [...OF_THE_LOG, ...OF_THE_ROWS]) {
      it(`finds and names it: ${title}`, async () => {
        await world.byHand(change, async () => assert.match((await world.verify()) ?? 'no finding', finds));
      });
    }

    it('finds a tile or a bundle of entries that was edited where they are published', async () => {
      const status = `${world.control.url}/api/v1/status`;
      const headers = { authorization: `Bearer ${world.officer}` };
      for (let count = 0; count < 260; count += 1) await (await fetch(status, { headers })).arrayBuffer();
      assert.equal(await world.verify(), undefined);
      for (const file of ['tile/0/000', 'tile/entries/000']) {
        const path = join(world.control.home, 'audit', file);
        const bytes = readFileSync(path);
        const changed = Buffer.from(bytes);
        changed.writeUInt8(changed.readUInt8(40) ^ 1, 40);
        writeFileSync(path, changed);
        assert.match((await world.verify()) ?? 'no finding', /published tiles: entry [01] /, file);
        writeFileSync(path, bytes);
      }
    });

    it('finds that the log was cut before a checkpoint that somebody kept, and that it is another log', async () => {
      const kept = join(world.control.home, 'kept');
      const now = readFileSync(join(world.control.home, 'audit', 'checkpoint'), 'utf8');
      writeFileSync(kept, now);
      assert.equal(await world.verify(['--checkpoint', kept]), undefined);
      writeFileSync(kept, now.replace(/\n\d+\n/, '\n999999\n'));
      assert.match((await world.verify(['--checkpoint', kept])) ?? '', /does not carry this key's signature/);
    });

    it('finds nothing wrong again after all that was put back', async () => {
      assert.equal(await world.verify(), undefined);
    });
  });
}

it('an older store that was put back is not started on, and the published log stays as evidence', async (t) => {
  const world = await openTamperedWorld(undefined);
  t.after(() => world.close());
  const { home, run } = world.control;
  const files = ['state.db', 'state.db-wal', 'state.db-shm'];
  const must = async (args: string[]): Promise<void> => {
    const done = await run(args);
    assert.equal(done.code, 0, `${args.join(' ')}: ${done.stdout}${done.stderr}`);
  };
  const stop = () => must(['down', '--yes']);
  const start = () => must(['up', '--detach']);
  const put = (from: string, to: string): void => {
    for (const file of files) {
      rmSync(join(home, `${to}${file}`), { force: true });
      const kept = join(home, `${from}${file}`);
      if (existsSync(kept)) copyFileSync(kept, join(home, `${to}${file}`));
    }
  };
  await stop();
  put('', 'old-');
  await start();
  await world.control.user('later', 'engineer');
  assert.equal(await world.verify(), undefined);
  await stop();
  put('', 'new-');
  const published = readFileSync(join(home, 'audit', 'checkpoint'), 'utf8');
  put('old-', '');
  const refused = await run(['up', '--detach']);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /entries of the audit log, and \d+ were published in .* it is an older store/);
  assert.equal(readFileSync(join(home, 'audit', 'checkpoint'), 'utf8'), published);
  put('new-', '');
  await start();
  assert.equal(await world.verify(), undefined);
});
