/** The runtime, the helper and what the kernel has of a sandbox fail under a control plane: it says so in time, keeps nothing half, and goes on. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClaims } from '#src/drivers/oci/claims.ts';
import { pathsOf, slotPaths } from '#src/drivers/oci/paths.ts';
import { leftOnHost } from '#src/escape/left-on-host.ts';
import { type Finished, makeHome, startIn, type TestControlPlane } from '../control-plane.ts';
import { coverRunc, type FakeRuntime, type OwnMounts, openOwnMounts } from './own-mounts.ts';
import { until } from './until.ts';

const SMALL = ['--memory', '64m', '--disk', '32m'];

type Sandbox = { id: string; state: string; reason: string };

describe('a control plane whose runtime, helper or sandboxes fail', { skip: process.getuid?.() !== 0 }, () => {
  let mounts: OwnMounts;
  let runc: FakeRuntime;
  let control: TestControlPlane;
  before(async () => {
    mounts = await openOwnMounts();
    runc = coverRunc(mounts);
    control = await startIn(await makeHome({ FUMEHOOD_SANDBOX_START_TIMEOUT: '3s' }, mounts.within));
  });
  after(async () => {
    try {
      await control?.close();
      assert.deepEqual(leftOnHost({ stateDir: join(control.home, 'driver'), folder: control.home }), []);
    } finally {
      runc?.close();
      mounts?.close();
    }
  });

  const create = (...more: string[]): Promise<Finished> => control.run(['sandbox', 'create', ...SMALL, ...more]);
  const made = (name: string): Promise<Sandbox> =>
    control.json<Sandbox>(['sandbox', 'create', '--name', name, ...SMALL]);
  const get = (id: string): Promise<Sandbox> => control.json<Sandbox>(['sandbox', 'get', id]);
  const used = async (): Promise<number> => {
    const { used } = await control.json<{ used: Record<string, number> }>(['quota', 'get']);
    return Math.max(...Object.values(used));
  };
  const works = async (id: string): Promise<void> => {
    const done = await control.run(['sandbox', 'exec', id, '--', 'echo', 'works']);
    assert.equal(done.stdout, 'works\n', done.stderr);
  };
  /** Refused with a reason and what to do, and nothing is kept of it. */
  const assertRefused = async (refused: Finished, reason: RegExp): Promise<void> => {
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, reason);
    assert.match(refused.stderr, /what to do: \S/);
    await until('nothing is used', async () => (await used()) === 0);
  };
  const helperPid = (): number => {
    const parent = (JSON.parse(readFileSync(join(control.home, 'control.json'), 'utf8')) as { pid: number }).pid;
    const found = readdirSync('/proc').find((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return line.includes('fumehood_helper') && readFileSync(`/proc/${pid}/stat`, 'utf8').includes(`) S ${parent} `);
      } catch {
        return false;
      }
    });
    return Number(found);
  };
  const pathsFor = (id: string) => {
    const paths = pathsOf(join(control.home, 'driver'));
    return slotPaths(paths, createClaims(paths).ofSandbox(id)?.slot ?? 'none');
  };
  const agentPid = (id: string): number => Number(readFileSync(pathsFor(id).pidFile, 'utf8'));
  const ends = async (id: string, reason: RegExp): Promise<void> => {
    await until(`${id} is ended`, async () => (await get(id)).state === 'deleted');
    assert.match((await get(id)).reason, reason);
    assert.equal(await used(), 0, 'its quota is given back');
  };

  it('refuses sandboxes when the runtime fails, and makes them again when it works', async () => {
    runc.behave('fails');
    await assertRefused(await create(), /runc could not start the sandbox|cannot be used on this host/);
    runc.behave('works');
    await until('it works again', async () => (await create('--name', 'again')).code === 0);
    await control.run(['sandbox', 'delete', 'again', '--yes']);
  });

  it('ends a runtime that hangs, in time, and keeps nothing of what it began', async () => {
    runc.behave('hangs-at-run');
    await assertRefused(await create(), /runc did not end within 3 s/);
    runc.behave('works');
    const { id } = await made('after');
    await works(id);
    await control.run(['sandbox', 'delete', id, '--yes']);
  });

  it('ends a sandbox also when the runtime hangs at it', async () => {
    const { id } = await made('stuck');
    runc.behave('hangs-at-delete');
    const done = await control.run(['sandbox', 'delete', id, '--yes']);
    runc.behave('works');
    assert.equal(done.code, 0, done.stderr);
    assert.equal(await used(), 0);
  });

  it('settles by itself what could not be written down, because the store failed in the middle of a start', async () => {
    runc.behave('hangs-at-run');
    const creating = create();
    const states = async (): Promise<string[]> =>
      (await control.json<{ items: Sandbox[] }>(['sandbox', 'list'])).items.map(({ state }) => state);
    await until('it is starting', async () => (await states()).includes('starting'));
    const [store, aside] = [join(control.home, 'state.db'), join(control.home, 'aside.db')];
    renameSync(store, aside);
    try {
      const refused = await creating;
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, /state store .* was removed/);
    } finally {
      renameSync(aside, store);
      runc.behave('works');
    }
    await until('its quota is given back', async () => (await used()) === 0);
    assert.deepEqual(await states(), []);
  });

  it('says that the runtime is missing, and takes it up when it is there', async () => {
    runc.remove();
    await assertRefused(await create(), /cannot be run|cannot be used on this host/);
    runc.putBack();
    await until('it works again', async () => (await create('--name', 'back')).code === 0);
    await control.run(['sandbox', 'delete', 'back', '--yes']);
  });

  it('starts the helper anew when it is killed under load, and doors and sandboxes go on', async () => {
    const { id } = await made('kept');
    for (let kill = 0; kill < 3; kill += 1) {
      const before = helperPid();
      const load = Array.from({ length: 3 }, () => create());
      await sleep(60 + 90 * kill);
      if (before > 0) process.kill(before, 'SIGKILL');
      for (const one of await Promise.all(load)) {
        if (one.code !== 0) assert.match(one.stderr, /network helper ended/);
        else await control.run(['sandbox', 'delete', /^id\s+(\S+)/m.exec(one.stdout)?.[1] ?? '', '--yes']);
      }
      await works(id);
    }
    const door = [
      'python3',
      '-c',
      'import urllib.request as u; print(u.urlopen("http://localhost:5000/health").status)',
    ];
    const asked = await control.run(['sandbox', 'exec', id, '--', ...door]);
    assert.equal(asked.stdout, '200\n', asked.stderr);
    await control.run(['sandbox', 'delete', id, '--yes']);
    await until('nothing is used', async () => (await used()) === 0);
  });

  it('ends a helper that hangs, and starts it anew', async () => {
    const first = await made('first');
    await control.run(['sandbox', 'delete', first.id, '--yes']);
    process.kill(helperPid(), 'SIGSTOP');
    await assertRefused(await create(), /network helper ended/);
    const { id } = await made('anew');
    await works(id);
    await control.run(['sandbox', 'delete', id, '--yes']);
  });

  it('notices that an agent was killed: the sandbox is ended, with its reason, and its quota given back', async () => {
    const ids = await Promise.all(['a', 'b', 'c'].map(async (name) => (await made(name)).id));
    const running = ids.map((id) => control.run(['sandbox', 'exec', id, '--', 'sleep', '1000']));
    await sleep(500);
    for (const id of ids) process.kill(agentPid(id), 'SIGKILL');
    for (const one of await Promise.all(running)) assert.equal(one.code, 125, one.stderr);
    for (const id of ids) await until(`${id} is ended`, async () => (await get(id)).state === 'deleted');
    for (const id of ids) await ends(id, /its first process has ended/);
  });

  it('ends a sandbox whose control group is taken away: none goes on without its limits', async () => {
    const { id } = await made('loose');
    mounts.shell(
      `for group in /sys/fs/cgroup/*/*/"$1" /sys/fs/cgroup/*/"$1"; do
        [ -d "$group" ] || continue
        root=\${group%/*/*}
        for pid in $(cat "$group/cgroup.procs"); do echo $pid > "$root/cgroup.procs" || true; done
        rmdir "$group" || true
      done`,
      basename(pathsFor(id).cgroup),
    );
    await ends(id, /its control group was removed/);
  });

  it("ends a sandbox whose agent's socket is removed", async () => {
    const { id } = await made('deaf');
    rmSync(pathsFor(id).socket);
    await ends(id, /its agent's socket was removed/);
  });

  it('finds the network of a sandbox again whose pin was unmounted, after a restart', async () => {
    const { id } = await made('unpinned');
    const { network } = JSON.parse(readFileSync(pathsFor(id).claim, 'utf8')) as { network: string };
    mounts.shell('umount "$1"', network);
    process.kill(await control.pid(), 'SIGKILL');
    await control.json(['up', '--detach']);
    assert.equal((await get(id)).state, 'running');
    const door = [
      'python3',
      '-c',
      'import urllib.request as u; print(u.urlopen("http://localhost:5000/health").status)',
    ];
    const asked = await control.run(['sandbox', 'exec', id, '--', ...door]);
    assert.equal(asked.stdout, '200\n', asked.stderr);
    await control.run(['sandbox', 'delete', id, '--yes']);
  });
});
