/** Every place that the control plane writes to is full once, each on a file system of its own: what was acknowledged stays, and it goes on by itself. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Finished, makeHome, startIn, type TestControlPlane } from '../control-plane.ts';
import { type OwnMounts, openOwnMounts } from './own-mounts.ts';
import { until } from './until.ts';

const MLFLOW = '/api/2.0/mlflow';
const ARTIFACTS = '/api/2.0/mlflow-artifacts/artifacts';
const MOST_TRIES = 3000;

type Answer = { status: number; text: string };

describe('a control plane on full disks', { skip: process.getuid?.() !== 0 }, () => {
  let mounts: OwnMounts;
  let control: TestControlPlane;
  let disk: string;
  let engineer: string;
  let run: string;
  before(async () => {
    mounts = await openOwnMounts();
    const home = await makeHome({}, mounts.within);
    disk = mkdtempSync(join(tmpdir(), 'fumehood-disk-'));
    mounts.shell(
      `mount -t tmpfs -o size=24m,mode=700 none "$1"
      for part in objects audit environments; do
        mkdir "$1/$part"; mount -t tmpfs -o size=8m,mode=700 none "$1/$part"
      done
      mkdir "$1/driver"; mount --bind "$2" "$1/driver"`,
      home.home,
      disk,
    );
    control = await startIn(home);
    engineer = await control.user('erin', 'engineer');
    const made = await ask('mlflow', 'POST', `${MLFLOW}/runs/create`, { experiment_id: '0' });
    run = (JSON.parse(made.text) as { run: { info: { run_id: string } } }).run.info.run_id;
  });
  after(async () => {
    try {
      await control?.close();
    } finally {
      mounts?.close();
      rmSync(disk, { recursive: true, force: true });
    }
  });

  const ask = async (door: string, method: string, path: string, body?: unknown): Promise<Answer> => {
    const answer = await fetch(`${door === 'api' ? control.url : control.doors[door]}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${engineer}`,
        'x-vault-token': engineer,
        'content-type': typeof body === 'string' ? 'application/octet-stream' : 'application/json',
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    });
    return { status: answer.status, text: await answer.text() };
  };
  const fill = (folder: string): void =>
    void mounts.shell(
      'dd if=/dev/zero of="$1/filler" bs=64k 2>/dev/null || true; dd if=/dev/zero of="$1/filler2" bs=1 2>/dev/null || true',
      join(control.home, folder),
    );
  const makeRoom = (folder: string): void =>
    void mounts.shell('rm -f "$1"/filler "$1"/filler2', join(control.home, folder));
  const put = async (): Promise<{ name: string; answer: Answer }> => {
    const name = randomBytes(6).toString('hex');
    return {
      name,
      answer: await ask('vault', 'POST', `/v1/secret/data/${name}`, { data: { value: 'x'.repeat(2000) } }),
    };
  };
  const isThere = async (name: string): Promise<boolean> =>
    (await ask('vault', 'GET', `/v1/secret/data/${name}`)).status === 200;
  const pid = (): number =>
    (JSON.parse(mounts.shell('cat "$1"', join(control.home, 'control.json'))) as { pid: number }).pid;
  const verify = async (): Promise<void> => {
    const done: Finished = await control.run(['audit', 'verify']);
    assert.equal(done.code, 0, done.stdout + done.stderr);
  };

  it('of the store: answers 503 and why at every door, keeps what it acknowledged, and goes on when there is room', async () => {
    fill('.');
    const kept: string[] = [];
    let refused: { name: string; answer: Answer } | undefined;
    for (let tries = 0; tries < MOST_TRIES && refused === undefined; tries += 1) {
      const one = await put();
      if (one.answer.status === 200) kept.push(one.name);
      else refused = one;
    }
    assert.equal(refused?.answer.status, 503);
    assert.match(refused?.answer.text ?? '', /no space left for the state store/);
    const elsewhere = await Promise.all([
      ask('mlflow', 'POST', `${MLFLOW}/runs/log-metric`, { run_id: run, key: 'm', value: 1, timestamp: 1, step: 1 }),
      ask('mlflow', 'PUT', `${ARTIFACTS}/0/${run}/artifacts/full.txt`, 'content'),
      ask('api', 'POST', '/api/v1/access-requests', { dataset: 'none', purpose: 'p', until: '1d' }),
      ask('api', 'POST', '/api/v1/sandboxes', { memory: '64m', disk: '32m' }),
      ask('api', 'GET', '/api/v1/sandboxes'),
    ]);
    for (const answer of elsewhere) assert.equal(answer.status, 503, answer.text);
    makeRoom('.');
    const again = await put();
    assert.equal(again.answer.status, 200, again.answer.text);
    for (const name of kept) assert.ok(await isThere(name), name);
    assert.ok(!(await isThere(refused?.name ?? '')), 'what was refused is not there');
    const items = JSON.parse((await ask('api', 'GET', '/api/v1/sandboxes')).text) as { items: unknown[] };
    assert.deepEqual(items.items, []);
    await verify();
  });

  it('of the store, and killed then: does not start, says why, and starts when there is room', async () => {
    const { name } = await put();
    fill('.');
    process.kill(pid(), 'SIGKILL');
    const up = await control.run(['up', '--detach']);
    if (up.code === 0) assert.ok(await isThere(name), 'with the room of its log it may start');
    else assert.match(up.stderr, /space/);
    makeRoom('.');
    await until('it starts', async () => (await control.run(['up', '--detach'])).code === 0);
    Object.assign(
      control,
      await control.json<{ url: string; doors: Record<string, string> }>(['status', '--json=url,doors']),
    );
    assert.ok(await isThere(name));
    await verify();
  });

  it('of the objects: refuses the upload, keeps nothing of it, and all else goes on', async () => {
    const upload = (key: string, bytes: number): Promise<Answer> =>
      ask('mlflow', 'PUT', `${ARTIFACTS}/0/${run}/artifacts/${key}`, 'y'.repeat(bytes));
    fill('objects');
    const refused = await upload('big', 300_000);
    assert.equal(refused.status, 503, refused.text);
    assert.match(refused.text, /for objects: there is no space left/);
    assert.equal((await ask('mlflow', 'GET', `${ARTIFACTS}/0/${run}/artifacts/big`)).status, 404);
    assert.equal((await put()).answer.status, 200);
    makeRoom('objects');
    assert.equal((await upload('big', 300_000)).status, 200);
    assert.equal((await ask('mlflow', 'GET', `${ARTIFACTS}/0/${run}/artifacts/big`)).text.length, 300_000);
    await verify();
  });

  it("of the log's tiles: acts go on in the store, and the tiles follow by themselves when there is room", async () => {
    fill('audit');
    const names: string[] = [];
    for (let n = 0; n < 20; n += 1) {
      const { name, answer } = await put();
      assert.equal(answer.status, 200, answer.text);
      names.push(name);
    }
    const published = (): number => Number(mounts.shell('sed -n 2p "$1"', join(control.home, 'audit/checkpoint')));
    const before = published();
    makeRoom('audit');
    await until('the tiles follow', async () => published() > before);
    for (const name of names) assert.ok(await isThere(name));
    await verify();
  });

  it('of the environments: says so, and makes them when there is room', async () => {
    const file = join(disk, 'requirements.txt');
    mounts.shell('printf "six==1.17.0\\n" > "$1"', file);
    const create = (): Promise<Finished> => control.run(['environment', 'create', 'small', '--requirements', file]);
    fill('environments');
    const refused = await create();
    assert.equal(refused.code, 1, refused.stdout + refused.stderr);
    assert.match(refused.stderr, /for environments: there is no space left/);
    makeRoom('environments');
    const made = await create();
    assert.equal(made.code, 0, made.stderr);
  });

  it('of a workspace: its own writer is told, and nobody else notices', async () => {
    for (const name of ['full', 'other'])
      await control.json(['sandbox', 'create', '--name', name, '--memory', '64m', '--disk', '16m']);
    const fillIt = ['sh', '-c', 'dd if=/dev/zero of=/workspace/big bs=1M count=64'];
    const filled = await control.run(['sandbox', 'exec', 'full', '--', ...fillIt]);
    assert.notEqual(filled.code, 0);
    assert.match(filled.stderr, /No space left on device/);
    const beside = await control.run([
      'sandbox',
      'exec',
      'other',
      '--',
      'sh',
      '-c',
      'dd if=/dev/zero of=/workspace/a bs=1M count=8 && echo fine',
    ]);
    assert.match(beside.stdout, /fine/);
    assert.equal((await put()).answer.status, 200);
    const freed = await control.run([
      'sandbox',
      'exec',
      'full',
      '--',
      'sh',
      '-c',
      'rm big && echo x > more && cat more',
    ]);
    assert.equal(freed.stdout, 'x\n', freed.stderr);
  });

  it('of the workspaces together: no sandbox is made, and one is when there is room', async () => {
    mounts.shell('mount -t tmpfs -o size=1m,mode=700 none "$1"', join(control.home, 'driver/workspaces'));
    mounts.shell('dd if=/dev/zero of="$1/filler" bs=4k 2>/dev/null || true', join(control.home, 'driver/workspaces'));
    const create = (): Promise<Finished> =>
      control.run(['sandbox', 'create', '--name', 'late', '--memory', '64m', '--disk', '24m']);
    const refused = await create();
    assert.equal(refused.code, 1, refused.stdout + refused.stderr);
    assert.match(refused.stderr, /workspace could not be made/);
    mounts.shell('umount "$1"', join(control.home, 'driver/workspaces'));
    const made = await create();
    assert.equal(made.code, 0, made.stderr);
  });

  it('of the host under a workspace that is not full: its writer is told, nobody else notices, and it is deleted as any other', async () => {
    const images = join(control.home, 'driver/workspaces');
    // The host's disk is one in memory here, which control groups of version 2 count for whoever writes to it.
    const create = (name: string): Promise<Finished> =>
      control.run(['sandbox', 'create', '--name', name, '--memory', '256m', '--disk', '96m']);
    const within = (name: string, script: string): Promise<Finished> =>
      control.run(['sandbox', 'exec', name, '--', 'sh', '-c', script]);
    mounts.shell('mount -t tmpfs -o size=48m,mode=700 none "$1"', images);
    assert.equal((await create('thin')).code, 0);
    const written = await within('thin', 'dd if=/dev/zero of=/workspace/big bs=1M count=80 conv=fsync');
    assert.notEqual(written.code, 0, 'more was written than the host has');
    assert.match(written.stderr, /Input\/output error|Read-only file system|No space left/);
    assert.match((await within('other', 'echo here > /workspace/b && cat /workspace/b')).stdout, /here/);
    assert.equal((await put()).answer.status, 200);
    const gone = await control.run(['sandbox', 'delete', 'thin', '--yes']);
    assert.equal(gone.code, 0, gone.stderr);
    assert.equal((await create('again')).code, 0, 'its room is free again');
    const fits = await within('again', 'dd if=/dev/zero of=/workspace/small bs=1M count=8 conv=fsync && echo fits');
    assert.match(fits.stdout, /fits/, fits.stderr);
    assert.equal((await control.run(['sandbox', 'delete', 'again', '--yes'])).code, 0);
    mounts.shell('umount "$1"', images);
    await verify();
  });
});
