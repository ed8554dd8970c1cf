/** The guarantees after `kill -9` of the control plane at random points under mixed load, over either store. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, type Sql, sql } from '#kernel/sql.ts';
import { openCheckpoint } from '#src/audit/checkpoint.ts';
import { appendLeaf, emptyFrontier, leafHash, rootOf } from '#src/audit/merkle.ts';
import { pathsOf } from '#src/drivers/oci/paths.ts';
import { leftOnHost } from '#src/escape/left-on-host.ts';
import { until } from '../faults/until.ts';
import { type Acknowledged, ARTIFACTS, ask, MLFLOW, placeOf, startLoad, urlOf } from './load.ts';
import { randomFrom } from './numbers.ts';
import { askS3, BUCKET } from './upload-parts.ts';
import { type CrashWorld, openCrashWorld } from './world.ts';

const LAST_LINES = 20;
const LEAST_LOAD_MS = 30;
const LOAD_SPREAD_MS = 500;
/** Reading the whole log again is what costs: it happens at every tenth point, and at the last. */
const VERIFY_EVERY = 10;
const TELL_EVERY = 50;
const SLOWEST_SETUP_MS = 300_000;
const SLOWEST_POINT_MS = 20_000;

type Published = { note: string; publicKey: string };

/** Registers the tests over one store: `postgres` is the URL of a database, else SQLite. */
export function describeKills(options: { store: string; postgres?: string; points: number; seed: number }): void {
  const { store, points, seed } = options;
  const timeout = SLOWEST_SETUP_MS + points * SLOWEST_POINT_MS;
  describe(`${store}: after each of ${points} kills (seed ${seed})`, { timeout }, () => {
    let world: CrashWorld;
    const published: Published[] = [];
    before(async () => {
      console.log(`${store}: seed ${seed}, ${points} points`);
      world = await openCrashWorld(options.postgres);
    });
    after(() => world?.close());
    afterEach((context) => {
      if (!('passed' in context) || context.passed !== false) return;
      const log = readFileSync(join(world.control.home, 'control.log'), 'utf8').trimEnd().split('\n');
      console.log(`the end of the control plane's log:\n${log.slice(-LAST_LINES).join('\n')}`);
    });

    test('the control plane comes back, its log verifies, and sandboxes go on', { timeout }, async () => {
      const random = randomFrom(seed);
      for (let point = 1; point <= points; point += 1) {
        const load = startLoad(await placeOf(world.control, world.tokens), world.targets, world.seen);
        // However slow the machine is, each kind of work was acknowledged before some kill.
        if (point === 1) await until('some of each kind is acknowledged', async () => didEach(world.seen));
        await sleep(LEAST_LOAD_MS + random() * LOAD_SPREAD_MS);
        published.push(...publishedIn(world.control.home));
        process.kill(world.pid(), 'SIGKILL');
        await load.stop();
        const up = await world.control.run(['up', '--detach']);
        assert.equal(up.code, 0, `point ${point}: ${up.stderr}`);
        await assertSandboxes(world, point);
        if (point % VERIFY_EVERY !== 0 && point !== points) continue;
        const verified = await world.control.run(['audit', 'verify'], { token: world.tokens.officer });
        assert.equal(verified.code, 0, `point ${point}: ${verified.stdout}${verified.stderr}`);
        if (point % TELL_EVERY === 0) console.log(`${store}: point ${point}: ${figures(world.seen)}`);
      }
    });
    test('what ran in a sandbox goes on: the command whose client was cut off, and what uses a door', async () => {
      const files = ['ticks', 'beats'] as const;
      for (const file of files) {
        const { length } = await world.lines(file);
        while ((await world.lines(file)).length === length) await sleep(100);
      }
    });
    test('every acknowledged write is there', { timeout }, async () => {
      await assertAcknowledged(world, points);
      console.log(`${store}: ${points} points, acknowledged and there: ${figures(world.seen)}`);
    });
    test('no act is without an entry, and no entry without its act', () =>
      world.inStore((database) => assertEntries(world, database)));
    test('the log is consistent with every checkpoint that was published before a kill', () =>
      world.inStore((database) => assertCheckpoints(published, database)));
    test('nothing is left when all is deleted', () => assertNothingLeft(world));
  });
}

const countOf = (many: unknown[] | Set<string> | Map<string, string>): number =>
  Array.isArray(many) ? many.length : many.size;

const didEach = (seen: Acknowledged): boolean => Object.values(seen).every((many) => countOf(many) > 0);

/** How much of each kind was acknowledged. */
const figures = (seen: Acknowledged): string =>
  Object.entries(seen)
    .map(([kind, many]) => `${kind} ${countOf(many)}`)
    .join(', ');

function publishedIn(home: string): Published[] {
  const read = (name: string): string => readFileSync(join(home, 'audit', name), 'utf8');
  return existsSync(join(home, 'audit', 'checkpoint'))
    ? [{ note: read('checkpoint'), publicKey: read('public-key').trim() }]
    : [];
}

type Listed = { id: string; state: string };

async function list({ control, tokens }: CrashWorld): Promise<Listed[]> {
  const answer = await ask(`${urlOf(control)}/api/v1/sandboxes?limit=1000`, tokens.engineer, 'GET');
  assert.ok(answer?.ok);
  return answer.body.items as Listed[];
}

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
  const { seen, targets, tokens } = world;
  const { run, key } = targets;
  assert.ok(didEach(seen) && seen.requestIds.length > points, 'the load did something');
  const { doors, url } = await placeOf(world.control, tokens);
  const read = (address: string) => ask(address, tokens.engineer, 'GET');
  const history = await read(`${doors.mlflow}${MLFLOW}/metrics/get-history?run_id=${run.id}&metric_key=m`);
  assert.ok(history?.ok);
  const steps = new Set((history.body.metrics as { step: number }[]).map((one) => one.step));
  assert.deepEqual(
    seen.steps.filter((step) => !steps.has(step)),
    [],
  );
  await forEach(seen.artifacts, async ([path, content]) => {
    assert.equal((await read(`${doors.mlflow}${ARTIFACTS}/${path}`))?.body.text, content, path);
  });
  await forEach(seen.secrets, async ([name, value]) => {
    const secret = await read(`${doors.vault}/v1/secret/data/${name}`);
    assert.ok(secret?.ok, name);
    assert.deepEqual((secret.body.data as { data: unknown }).data, { value }, name);
  });
  await forEach(seen.uploads, async ([name, content]) => {
    assert.equal((await askS3(doors.s3 ?? '', key, 'GET', `/${BUCKET}/${name}`))?.text, content, name);
  });
  const ran = new Set(await world.lines('execs'));
  assert.deepEqual(
    seen.execs.filter((word) => !ran.has(word)),
    [],
  );
  await forEach(seen.approved, async (id) => {
    assert.equal((await read(`${url}/api/v1/access-requests/${id}`))?.body.state, 'approved');
  });
}

const READERS = 16;

/** Looks at all of them, several at a time. */
async function forEach<T>(things: Iterable<T>, look: (thing: T) => Promise<void>): Promise<void> {
  const rest = [...things];
  const reader = async (): Promise<void> => {
    for (let one = rest.pop(); one !== undefined; one = rest.pop()) await look(one);
  };
  await Promise.all(Array.from({ length: READERS }, reader));
}

async function assertEntries({ seen, targets }: CrashWorld, database: Database): Promise<void> {
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
      await count(sql`run_metrics where run_id = ${targets.run.id}`),
      await count(sql`audit_entries where action = 'run.log' and outcome = 'ok' and object_id = ${targets.run.id}`),
    );
    assert.equal(
      await count(sql`objects where bucket = 'mlflow'`),
      await count(sql`audit_entries where action = 'object.write' and outcome = 'ok' and object_id like 'mlflow/%'`),
    );
    const uploads = await reader.all<{ key: string; n: number }>(sql`select object_id as key, count(*) as n
      from audit_entries where action = 'object.write' and outcome = 'ok' and object_id like ${`${BUCKET}/%`} group by object_id`);
    // Begun, sent, completed: an object is there after the third, and not before.
    assert.equal(await count(sql`objects where bucket = ${BUCKET}`), uploads.filter(({ n }) => Number(n) === 3).length);
    assert.ok((await entries('sandbox.exec')) >= seen.execs.length);
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
  const stateDir = join(control.home, 'driver');
  assert.deepEqual(leftOnHost({ stateDir, folder: control.home }), []);
  assert.deepEqual(globSync(`/sys/fs/cgroup/{,*/}${pathsOf(stateDir).cgroupParent}`), []);
}
