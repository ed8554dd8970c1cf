/** What the walls around gVisor's own kernel must hold, seen from the host; the attacks of the suite run on it with FUMEHOOD_TEST_RUNTIME=runsc. */
import assert from 'node:assert/strict';
import { chownSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Handle } from '#src/drivers/driver.ts';
import { gvisorFolders, makeGvisorFolders, takeSocket } from '#src/drivers/oci/gvisor.ts';
import { runtimeCheck } from '#src/drivers/oci/runtime-check.ts';
import { networkOf } from '#src/escape/arena.ts';
import { openSealedWorld, type SealedWorld } from '#src/escape/sealed-world.ts';

const { works, check } = await runtimeCheck('runsc');
const skip = works ? false : `runsc cannot be used here: ${check.found}`;

describe('a sandbox on gVisor', { skip }, () => {
  let world: SealedWorld;
  let sandbox: Handle;
  let other: Handle;
  before(async () => {
    world = await openSealedWorld({ runtime: 'runsc' });
    [sandbox, other] = await Promise.all([world.start('gvisor'), world.start('gvisor-other')]);
  });
  after(async () => {
    assert.deepEqual(await world.close(), [], 'something was left on the host');
  });
  const python = async (program: string, where = sandbox): Promise<string> => {
    const ended = await world.python(where, program);
    assert.equal(ended.exitCode, 0, ended.stderr);
    return ended.stdout.trim();
  };
  const dataOf = (handle: Handle) => handle.data as { pid: number; socket: string; claim: { firstId: number } };
  const folderOf = (handle: Handle): string => join(dataOf(handle).socket, '..', '..');

  it('has a kernel of its own, whose process is nobody on the host and lives in the sealed network', async () => {
    assert.match(await python('import os; print(os.uname().release)'), /gvisor/);
    const { pid, claim } = dataOf(sandbox);
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    assert.equal(/^Uid:\t(\d+)/m.exec(status)?.[1], String(claim.firstId));
    assert.match(status, /^Seccomp:\t2$/m);
    assert.equal(lstatSync(networkOf(sandbox)).ino, Number(/\d+/.exec(await linkOf(`/proc/${pid}/ns/net`))?.[0]));
  });

  it('speaks through its doors as itself, and reaches nothing else', async () => {
    const said =
      'import socket; s = socket.create_connection(("127.0.0.1", 5000), 5); s.sendall(b"hi"); print(s.recv(100).decode())';
    assert.equal(await python(said), `you are ${sandbox.sandboxId}`);
    assert.equal(await python(said, other), `you are ${other.sandboxId}`);
    const tried = `
import os, socket
for address in os.environ["HOST_ADDRESSES"].split() + ["127.0.0.1"]:
    try:
        socket.create_connection((address, int(os.environ["HOST_PORT"])), 3); print("reached", address)
    except OSError as error:
        print(error.errno)
`;
    assert.doesNotMatch(await python(tried), /reached/);
  });

  it("lets nobody in it reach the agent's socket, take it away or put another in its place", async () => {
    const tried = `
import os, errno
for act in (lambda: os.listdir("/fumehood/socket"), lambda: os.unlink("/fumehood/socket/agent"), lambda: os.rename("/fumehood/socket", "/fumehood/x"),
            lambda: os.symlink("/etc", "/fumehood/socket/agent2"), lambda: __import__("socket").socket(1).connect("/fumehood/socket/agent")):
    try:
        act(); print("done")
    except OSError as error:
        print(errno.errorcode[error.errno])
`;
    assert.match(await python(tried), /^((EACCES|EROFS|EPERM|EBUSY)\n?)+$/);
  });

  it('opens no socket of the host that lies in its workspace', async () => {
    const path = join(gvisorFolders(folderOf(sandbox)).files, 'host.sock');
    const server: Server = createServer((socket) => socket.end('reached'));
    await new Promise<void>((resolve) => server.listen(path, resolve));
    chownSync(path, dataOf(sandbox).claim.firstId + 1000, 0);
    try {
      const tried =
        'import socket\ns = socket.socket(1)\ntry:\n    s.connect("/workspace/host.sock"); print(s.recv(9))\nexcept OSError as error: print(error.errno)';
      assert.match(await python(tried), /^\d+$/);
    } finally {
      await new Promise((resolve) => server.close(resolve));
      rmSync(path, { force: true });
    }
  });

  it('tells of the machine what is its own: ids, firmware, devices', async () => {
    const seen =
      'import os; print(open("/proc/sys/kernel/random/boot_id").read().strip(), os.listdir("/sys/firmware"), os.path.exists("/dev/kvm"))';
    const [own = '', ...rest] = (await python(seen)).split(' ');
    const [another = ''] = (await python(seen, other)).split(' ');
    assert.notEqual(own, readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
    assert.notEqual(own, another);
    assert.equal(rest.join(' '), '[] False');
  });

  it('gets no more processor time than it may, as the host counts it', async () => {
    const slow = await world.start('gvisor-slow', { cpus: 0.2 });
    const usedBefore = (await world.driver.stats(slow)).cpuSeconds;
    const started = performance.now();
    await python(
      'import os, time\nend = time.time() + 3\nfor _ in range(2): os.fork()\nwhile time.time() < end: pass',
      slow,
    );
    const used = (await world.driver.stats(slow)).cpuSeconds - usedBefore;
    assert.ok(used < 0.2 * ((performance.now() - started) / 1000) + 0.15, `${used} s`);
    assert.deepEqual(await world.destroy(slow), []);
  });

  it('ends when its memory is used up, alone', async () => {
    const greedy = await world.start('gvisor-greedy', { memoryBytes: 128 * 2 ** 20 });
    await assert.rejects(world.python(greedy, 'b = bytearray(1 << 30)'), { code: 'unavailable' });
    for (let tries = 0; tries < 100 && (await world.driver.inspect(greedy)).state !== 'gone'; tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal((await world.driver.inspect(greedy)).state, 'gone');
    assert.equal(await python('print("alive")', other), 'alive');
    assert.deepEqual(await world.destroy(greedy), []);
  });

  it('is given up when something else stands where its agent should listen', async () => {
    const workspace = join(world.folder, 'workspace');
    mkdirSync(workspace);
    makeGvisorFolders(workspace, 0);
    writeFileSync(join(world.folder, 'target'), '');
    symlinkSync(join(world.folder, 'target'), join(gvisorFolders(workspace).socket, 'agent'));
    const { pid } = dataOf(sandbox);
    const gofer = [pid, ...siblings(pid)];
    await assert.rejects(
      takeSocket(workspace, () => gofer, 5000),
      { code: 'unavailable' },
    );
  });
});

const linkOf = async (path: string): Promise<string> => (await import('node:fs/promises')).readlink(path);

/** Processes in the control group of one: what serves its files is among them. */
function siblings(pid: number): number[] {
  const path = /^\d+:memory:(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1];
  const folder = path === undefined ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory';
  const own = path ?? /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? '';
  return readFileSync(join(folder, own, 'cgroup.procs'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map(Number);
}
