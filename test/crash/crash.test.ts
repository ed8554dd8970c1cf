/** `kill -9` of the control plane at random points under mixed load: what was acknowledged is there, and nothing else is without its entry. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { openCheckpoint } from '#src/audit/checkpoint.ts';
import { appendLeaf, emptyFrontier, leafHash, rootOf } from '#src/audit/merkle.ts';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';
import { type Acknowledged, ARTIFACTS, ask, MLFLOW, nothing, placeOf, startLoad } from './load.ts';

const POINTS = Number(process.env.FUMEHOOD_CRASH_POINTS ?? 20);
const SEED = Number(process.env.FUMEHOOD_CRASH_SEED ?? Date.now() % 1_000_000);

/** Numbers from 0 to 1 out of a seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

let control: TestControlPlane;
let tokens: { engineer: string; officer: string };
let run = { id: '', experiment: '0' };
const seen: Acknowledged = nothing();
const checkpoints: { note: string; publicKey: string }[] = [];

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

before(async () => {
  console.log(`seed ${SEED}, ${POINTS} points`);
  control = await startControlPlane({ FUMEHOOD_QUOTA_DEFAULTS_SANDBOXES: '40' });
  tokens = { engineer: await control.user('erin', 'engineer'), officer: await control.user('olga', 'officer') };
  const folder = await mkdtemp(join(tmpdir(), 'fumehood-crash-'));
  await writeFile(join(folder, 'rows.csv'), 'name\nx\n');
  await control.json(['dataset', 'add', 'customers', folder, '--tag', 'PII'], { token: tokens.engineer });
  await rm(folder, { recursive: true });
  await control.json(['sandbox', 'create', '--name', 'ticker', '--memory', '128m', '--disk', '64m', '--ttl', '30m'], {
    token: tokens.engineer,
  });
  const start = ['sandbox', 'exec', 'ticker', '--', 'sh', '-c', 'setsid python3 -c "$0" > /dev/null 2>&1 &', TICKER];
  assert.equal((await control.run(start, { token: tokens.engineer })).code, 0);
  const place = await placeOf(control, tokens);
  const made = await ask(`${place.doors.mlflow}${MLFLOW}/runs/create`, tokens.engineer, 'POST', { experiment_id: '0' });
  assert.ok(made?.ok);
  run = { id: (made.body.run as { info: { run_id: string } }).info.run_id, experiment: '0' };
});

after(async () => control?.close());

const ticks = async (): Promise<number> => {
  const done = await control.run(['sandbox', 'exec', 'ticker', '--', 'cat', '/workspace/ticks'], {
    token: tokens.engineer,
  });
  return done.stdout.split('\n').length;
};

test(`after each of ${POINTS} kills the control plane comes back with all that it had acknowledged`, {
  timeout: 900_000,
}, async () => {
  const random = randomFrom(SEED);
  let before = await ticks();
  for (let point = 0; point < POINTS; point += 1) {
    const load = startLoad(await placeOf(control, tokens), run, seen);
    await new Promise((resolve) => setTimeout(resolve, 100 + random() * 1200));
    const note = join(control.home, 'audit', 'checkpoint');
    if (existsSync(note))
      checkpoints.push({
        note: readFileSync(note, 'utf8'),
        publicKey: readFileSync(join(control.home, 'audit', 'public-key'), 'utf8').trim(),
      });
    process.kill(await pidOf(), 'SIGKILL');
    await load.stop();
    const up = await control.run(['up', '--detach']);
    assert.equal(up.code, 0, `point ${point}: ${up.stderr}`);
    await assertSandboxes(point);
    const verified = await control.run(['audit', 'verify'], { token: tokens.officer });
    assert.equal(verified.code, 0, `point ${point}: ${verified.stdout}${verified.stderr}`);
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  const now = await ticks();
  assert.ok(now > before, 'the sandbox that ran through it all goes on logging through its door');
  before = now;
});

async function pidOf(): Promise<number> {
  return (JSON.parse(readFileSync(join(control.home, 'control.json'), 'utf8')) as { pid: number }).pid;
}

async function assertSandboxes(point: number): Promise<void> {
  const { items } = await control.json<{ items: { id: string; state: string }[] }>(
    ['sandbox', 'list', '--limit', '200'],
    {
      token: tokens.engineer,
    },
  );
  const states = new Map(items.map((one) => [one.id, one.state]));
  for (const id of seen.created)
    if (!seen.deleted.has(id)) {
      // A deletion that was under way may have been made; a creation that was acknowledged is not lost in another way.
      const state = states.get(id) ?? 'deleted';
      assert.ok(['running', 'deleted', 'deleting'].includes(state), `point ${point}: ${id} is ${state}`);
    }
  for (const id of seen.deleted)
    assert.ok(!states.has(id) || states.get(id) === 'deleted', `point ${point}: ${id} was deleted`);
}

test('every acknowledged write is there', async () => {
  assert.ok(seen.steps.length > POINTS && seen.artifacts.size > 0 && seen.secrets.size > 0, 'the load did something');
  assert.ok(seen.created.size > 0 && seen.approved.size > 0);
  const { doors, url } = await placeOf(control, tokens);
  const history = await ask(
    `${doors.mlflow}${MLFLOW}/metrics/get-history?run_id=${run.id}&metric_key=m`,
    tokens.engineer,
    'GET',
  );
  assert.ok(history?.ok);
  const steps = new Set((history.body.metrics as { step: number }[]).map((one) => one.step));
  assert.deepEqual(
    seen.steps.filter((step) => !steps.has(step)),
    [],
  );
  for (const [path, content] of seen.artifacts)
    assert.equal((await ask(`${doors.mlflow}${ARTIFACTS}/${path}`, tokens.engineer, 'GET'))?.body.text, content, path);
  for (const [name, value] of seen.secrets) {
    const read = await ask(`${doors.vault}/v1/secret/data/${name}`, tokens.engineer, 'GET');
    assert.ok(read?.ok, name);
    assert.deepEqual((read.body.data as { data: unknown }).data, { value }, name);
  }
  for (const id of seen.approved)
    assert.equal((await ask(`${url}/api/v1/access-requests/${id}`, tokens.engineer, 'GET'))?.body.state, 'approved');
});

test('no act is without an entry, and no entry without its act', async () => {
  const database = new DatabaseSync(join(control.home, 'state.db'), { readOnly: true });
  try {
    const known = new Set(
      database
        .prepare('select request_id from audit_entries')
        .all()
        .map((row) => row.request_id),
    );
    assert.deepEqual(
      seen.requestIds.filter((id) => !known.has(id)),
      [],
    );
    const count = (text: string, ...values: string[]): number => Number(database.prepare(text).get(...values)?.n);
    const entries = (action: string, object: string): number =>
      count(
        `select count(*) as n from audit_entries where action = ? and object_id = ? and outcome = 'ok'`,
        action,
        object,
      );
    assert.equal(count('select count(*) as n from run_metrics where run_id = ?', run.id), entries('run.log', run.id));
    const written = count(`select count(*) as n from audit_entries where action = 'object.write' and outcome = 'ok'`);
    assert.equal(count(`select count(*) as n from objects where bucket = 'mlflow'`), written);
    const approvals = count(
      `select count(*) as n from audit_entries where action = 'approval.approve' and outcome = 'ok'`,
    );
    assert.equal(count(`select count(*) as n from approvals where state = 'approved'`), approvals);
  } finally {
    database.close();
  }
});

test('the log is consistent with every checkpoint that was published before a kill', async () => {
  assert.ok(checkpoints.length > 0);
  const database = new DatabaseSync(join(control.home, 'state.db'), { readOnly: true });
  try {
    const roots = new Map<number, Buffer>();
    let frontier = emptyFrontier();
    for (const { leaf } of database.prepare('select leaf from audit_entries order by seq').iterate()) {
      frontier = appendLeaf(frontier, leafHash(String(leaf)), () => undefined);
      roots.set(frontier.size, rootOf(frontier));
    }
    for (const { note, publicKey } of checkpoints) {
      const { size, root } = openCheckpoint(note, publicKey);
      assert.ok(roots.get(size)?.equals(root), `the checkpoint of ${size} entries`);
    }
  } finally {
    database.close();
  }
});

test('nothing is left when all is deleted', async () => {
  const id = createHash('sha256').update(join(control.home, 'driver')).digest('hex').slice(0, 12);
  const { items } = await control.json<{ items: { id: string; state: string }[] }>(
    ['sandbox', 'list', '--limit', '200'],
    { token: tokens.engineer },
  );
  for (const { id: sandbox, state } of items)
    if (state !== 'deleted')
      assert.equal((await control.run(['sandbox', 'delete', sandbox, '--yes'], { token: tokens.engineer })).code, 0);
  const down = await control.run(['down', '--yes']);
  assert.equal(down.code, 0, down.stdout + down.stderr);
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(id));
  assert.deepEqual(mounts, []);
  const loops = execFileSync('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'], { encoding: 'utf8' });
  assert.ok(!loops.includes(control.home), loops);
  // What has ended waits as a zombie until the machine's first process looks after it.
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => readOf(pid, 'cgroup').includes(id) && !/^State:\tZ/m.test(readOf(pid, 'status')));
  assert.deepEqual(processes.map(describe), []);
  for (const folder of ['net', 'sb', 'ws', 'agent']) {
    const path = join('/run/fumehood', id, folder);
    assert.deepEqual(existsSync(path) ? readdirSync(path) : [], [], path);
  }
});

const describe = (pid: string): string =>
  `${pid}: ${readOf(pid, 'cmdline').replaceAll('\0', ' ')} in ${readOf(pid, 'cgroup')}`;

function readOf(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
