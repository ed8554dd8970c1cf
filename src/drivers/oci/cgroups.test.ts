/** Files as the kernel's documentation of version 2 defines them (admin-guide/cgroup-v2), in a tree that is not the machine's. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import {
  cgroupControllers,
  cgroupFolders,
  cgroupVersion,
  freeze,
  isFrozen,
  killCgroup,
  processesOfCgroup,
  readCgroup,
  removeCgroup,
  swapIsAccounted,
  thaw,
} from './cgroups.ts';

const NAME = 'fumehood-0a1b/slot';

describe('control groups', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'fumehood-cgroup-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const write = (files: Record<string, string>): void => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(root, path, '..'), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  };
  const version2 = (files: Record<string, string> = {}): void =>
    write({
      'cgroup.controllers': 'cpuset cpu io memory hugetlb pids rdma misc\n',
      [`${NAME}/cpu.stat`]:
        'usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnr_periods 3\nnr_throttled 1\nthrottled_usec 9\n',
      [`${NAME}/memory.current`]: '1048576\n',
      [`${NAME}/memory.peak`]: '2097152\n',
      [`${NAME}/memory.events`]: 'low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n',
      [`${NAME}/pids.current`]: '7\n',
      [`${NAME}/cgroup.procs`]: '41\n42\n',
      [`${NAME}/cgroup.events`]: 'populated 1\nfrozen 0\n',
      [`${NAME}/cgroup.freeze`]: '0\n',
      [`${NAME}/cgroup.kill`]: '',
      ...files,
    });

  it('of version 2 are known by their root, with the controllers that it lists', () => {
    version2();
    assert.equal(cgroupVersion(root), 2);
    assert.ok(['cpu', 'memory', 'pids', 'io'].every((name) => cgroupControllers(root).includes(name)));
    assert.deepEqual(cgroupFolders(NAME, root), [join(root, NAME)]);
    assert.deepEqual(processesOfCgroup(NAME, root), [41, 42]);
  });

  it('of version 1 with version 2 beside them, without controllers, are of version 1', () => {
    write({ 'memory/x': '', 'pids/x': '', 'unified/cgroup.controllers': 'hugetlb\n' });
    assert.equal(cgroupVersion(root), 1);
  });

  it('of version 2 are read: time in microseconds, kills and not shortages', () => {
    version2();
    assert.deepEqual(readCgroup(NAME, root), {
      cpuSeconds: 2.5,
      memoryBytes: 1048576,
      memoryPeakBytes: 2097152,
      pids: 7,
      oomKills: 1,
    });
  });

  it('of a kernel that tells no peak have at least what is used now', () => {
    version2();
    rmSync(join(root, NAME, 'memory.peak'));
    assert.equal(readCgroup(NAME, root).memoryPeakBytes, 1048576);
  });

  it('of version 2 stand still when the kernel says so, and not when it was only asked', async () => {
    version2({ [`${NAME}/cgroup.freeze`]: '1\n' });
    assert.equal(isFrozen(NAME, root), false);
    const asked = freeze(NAME, root);
    writeFileSync(join(root, NAME, 'cgroup.events'), 'populated 1\nfrozen 1\n');
    await asked;
    assert.equal(isFrozen(NAME, root), true);
    thaw(NAME, root);
    assert.equal(readFileSync(join(root, NAME, 'cgroup.freeze'), 'utf8'), '0');
    assert.equal(isFrozen(NAME, root), false);
  });

  it('of version 2 are ended as a whole where the kernel can', () => {
    version2();
    assert.equal(killCgroup(NAME, root), true);
    assert.equal(readFileSync(join(root, NAME, 'cgroup.kill'), 'utf8'), '1');
    rmSync(join(root, NAME, 'cgroup.kill'));
    assert.equal(killCgroup(NAME, root), false);
  });

  it('count swap unless the machine was booted without', () => {
    version2();
    assert.equal(swapIsAccounted(root, 'quiet'), true);
    assert.equal(swapIsAccounted(root, 'quiet swapaccount=0'), false);
  });
});

const mounted = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].find((root) => cgroupVersion(root) === 2);

describe('control groups of version 2 of this kernel', {
  skip: mounted === undefined ? 'none is mounted' : false,
}, () => {
  const root = mounted ?? '';
  const name = `fumehood-test-${process.pid}`;
  afterEach(() => removeCgroup(name, root));

  it('are filled, frozen, thawed, read and ended by the files that we write', async () => {
    mkdirSync(join(root, name));
    const child = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    writeFileSync(join(root, name, 'cgroup.procs'), String(child.pid));
    assert.deepEqual(processesOfCgroup(name, root), [child.pid]);
    await freeze(name, root);
    assert.equal(isFrozen(name, root), true);
    const { cpuSeconds } = readCgroup(name, root);
    thaw(name, root);
    const deadline = performance.now() + 20_000;
    while (readCgroup(name, root).cpuSeconds <= cpuSeconds && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(readCgroup(name, root).cpuSeconds > cpuSeconds, 'it goes on');
    assert.equal(killCgroup(name, root), true);
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    while (processesOfCgroup(name, root).length > 0 && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    removeCgroup(name, root);
    assert.deepEqual(cgroupFolders(name, root), []);
  });
});
