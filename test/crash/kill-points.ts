/** The guarantees after `kill -9` of the control plane at random points under mixed load, over either store. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, type Sql, sql } from '#kernel/sql.ts';
import { openCheckpoint } from '#src/audit/checkpoint.ts';
import { appendLeaf, emptyFrontier, leafHash, rootOf } from '#src/audit/merkle.ts';
import { leftOnHost } from '#src/escape/left-on-host.ts';
import { ARTIFACTS, ask, MLFLOW, placeOf, startLoad } from './load.ts';
import { randomFrom } from './numbers.ts';
import { type CrashWorld, openCrashWorld } from './world.ts';

type Published = { note: string; publicKey: string };

/** Registers the tests over one store: `postgres` is the URL of a database, else SQLite. */
export function describeKills(options: { store: string; postgres?: string; points: number; seed: number }): void {
  const { store, points, seed } = options;
  describe(`${store}: after each of ${points} kills (seed ${seed})`, { timeout: 900_000 }, () => {
    let world: CrashWorld;
    const published: Published[] = [];
    before(async () => {
      console.log(`${store}: seed ${seed}, ${points} points`);
      world = await openCrashWorld(options.postgres);
    });
    after(() => world?.close());

    test('the control plane comes back, its log verifies, and sandboxes go on', async () => {
      const random = randomFrom(seed);
      for (let point = 0; point < points; point += 1) {
        const load = startLoad(await placeOf(world.control, world.tokens), world.run, world.seen);
        await sleep(100 + random() * 1200);
        published.push(...publishedIn(world.control.home));
        process.kill(world.pid(), 'SIGKILL');
        await load.stop();
        const up = await world.control.run(['up', '--detach']);
        assert.equal(up.code, 0, `point ${point}: ${up.stderr}`);
        await assertSandboxes(world, point);
        const verified = await world.control.run(['audit', 'verify'], { token: world.tokens.officer });
        assert.equal(verified.code, 0, `point ${point}: ${verified.stdout}${verified.stderr}`);
      }
    });
    test('what ran in a sandbox goes on: the command whose client was cut off, and what uses a door', async () => {
      const [ticks, beats] = [await world.lines('ticks'), await world.lines('beats')];
      await sleep(1000);
      assert.ok((await world.lines('ticks')) > ticks);
      assert.ok((await world.lines('beats')) > beats);
    });
    test('every acknowledged write is there', () => assertAcknowledged(world, points));
    test('no act is without an entry, and no entry without its act', () =>
      world.inStore((database) => assertEntries(world, database)));
    test('the log is consistent with every checkpoint that was published before a kill', () =>
      world.inStore((database) => assertCheckpoints(published, database)));
    test('nothing is left when all is deleted', () => assertNothingLeft(world));
  });
}

function publishedIn(home: string): Published[] {
  const read = (name: string): string => readFileSync(join(home, 'audit', name), 'utf8');
  return existsSync(join(home, 'audit', 'checkpoint'))
    ? [{ note: read('checkpoint'), publicKey: read('public-key').trim() }]
    : [];
}

type Listed = { id: string; state: string };

const list = async ({ control, tokens }: CrashWorld): Promise<Listed[]> =>
  (await control.json<{ items: Listed[] }>(['sandbox', 'list', '--limit', '200'], { token: tokens.engineer })).items;

async function assertSandboxes(world: CrashWorld, point: number): Promise<void> {
  const { seen } = world;
  const states = new Map((await list(world)).map((one) => [one.id, one.state]));
  for (const id of seen.created)
    if (!seen.deleted.has(id)) {
      // A deletion that was under way may have been made; a creation that was acknowledged is not lost in another way.
      const state = states.get(id) ?? 'deleted';
      assert.ok(['running', 'deleted', 'deleting'].includes(state), `point ${point}: ${id} is ${state}`);
    }
  for (const id of seen.deleted)
    assert.ok(!states.has(id) || states.get(id) === 'deleted', `point ${point}: ${id} was deleted`);
}

async function assertAcknowledged(world: CrashWorld, points: number): Promise<void> {
  const { seen, run, tokens } = world;
  assert.ok(seen.steps.length > points && seen.artifacts.size > 0 && seen.secrets.size > 0, 'the load did something');
  assert.ok(seen.created.size > 0 && seen.approved.size > 0);
  const { doors, url } = await placeOf(world.control, tokens);
  const read = (address: string) => ask(address, tokens.engineer, 'GET');
  const history = await read(`${doors.mlflow}${MLFLOW}/metrics/get-history?run_id=${run.id}&metric_key=m`);
  assert.ok(history?.ok);
  const steps = new Set((history.body.metrics as { step: number }[]).map((one) => one.step));
  assert.deepEqual(
    seen.steps.filter((step) => !steps.has(step)),
    [],
  );
  for (const [path, content] of seen.artifacts)
    assert.equal((await read(`${doors.mlflow}${ARTIFACTS}/${path}`))?.body.text, content, path);
  for (const [name, value] of seen.secrets) {
    const secret = await read(`${doors.vault}/v1/secret/data/${name}`);
    assert.ok(secret?.ok, name);
    assert.deepEqual((secret.body.data as { data: unknown }).data, { value }, name);
  }
  for (const id of seen.approved)
    assert.equal((await read(`${url}/api/v1/access-requests/${id}`))?.body.state, 'approved');
}

async function assertEntries({ seen, run }: CrashWorld, database: Database): Promise<void> {
  await database.read(async (reader) => {
    const rows = await reader.all<{ request_id: string }>(sql`select request_id from audit_entries`);
    const known = new Set(rows.map((row) => row.request_id));
    assert.deepEqual(
      seen.requestIds.filter((id) => !known.has(id)),
      [],
    );
    const count = async (from: Sql): Promise<number> =>
      Number((await reader.get<{ n: number }>(sql`select count(*) as n from ${from}`))?.n);
    const entries = (action: string): Promise<number> =>
      count(sql`audit_entries where action = ${action} and outcome = 'ok'`);
    assert.equal(
      await count(sql`run_metrics where run_id = ${run.id}`),
      await count(sql`audit_entries where action = 'run.log' and outcome = 'ok' and object_id = ${run.id}`),
    );
    assert.equal(await count(sql`objects where bucket = 'mlflow'`), await entries('object.write'));
    assert.equal(await count(sql`secret_versions`), await entries('secret.write'));
    assert.equal(await count(sql`approvals where state = 'approved'`), await entries('approval.approve'));
    assert.equal(await count(sql`sandboxes`), await entries('sandbox.create'));
  });
}

async function assertCheckpoints(published: Published[], database: Database): Promise<void> {
  assert.ok(published.length > 0);
  const leaves = await database.read((reader) =>
    reader.all<{ leaf: string }>(sql`select leaf from audit_entries order by seq`),
  );
  const roots = new Map<number, Buffer>();
  let frontier = emptyFrontier();
  for (const { leaf } of leaves) {
    frontier = appendLeaf(frontier, leafHash(leaf), () => undefined);
    roots.set(frontier.size, rootOf(frontier));
  }
  for (const { note, publicKey } of published) {
    const { size, root } = openCheckpoint(note, publicKey);
    assert.ok(roots.get(size)?.equals(root), `the checkpoint of ${size} entries`);
  }
}

async function assertNothingLeft(world: CrashWorld): Promise<void> {
  const { control, tokens } = world;
  for (const { id, state } of await list(world))
    if (state !== 'deleted')
      assert.equal((await control.run(['sandbox', 'delete', id, '--yes'], { token: tokens.engineer })).code, 0);
  const { used } = await control.json<{ used: Record<string, number> }>(['quota', 'get'], { token: tokens.engineer });
  assert.deepEqual([...new Set(Object.values(used))], [0], 'the quota of what is gone is given back');
  const down = await control.run(['down', '--yes']);
  assert.equal(down.code, 0, down.stdout + down.stderr);
  assert.deepEqual(leftOnHost({ stateDir: join(control.home, 'driver'), folder: control.home }), []);
}
