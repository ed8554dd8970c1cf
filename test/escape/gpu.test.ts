/** Attacks on GPUs: without a grant, beyond one, and on what the tenant before left in the memory. Each needs an NVIDIA GPU, and is skipped without. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Handle } from '#src/drivers/driver.ts';
import { cgroupFolders } from '#src/drivers/oci/cgroups.ts';
import { findGpus } from '#src/drivers/oci/gpu-host.ts';
import { ociDriver } from '#src/drivers/oci/oci-driver.ts';
import { pathsOf, slotPaths } from '#src/drivers/oci/paths.ts';
import { openSealedWorld, type SealedWorld, startOptions } from '#src/escape/sealed-world.ts';

const GIB = 2 ** 30;
const CUDA = readFileSync(join(import.meta.dirname, 'cuda.py'), 'utf8');
const host = findGpus();

/** Fills what can be had of the memory, and all shared memory of the processors, with the pattern. Prints how many bytes. */
const FILL = `
cuda = Cuda()
got = cuda.allocate_all()
for at, size in got:
    cuda.fill(at, size)
cuda.fill_shared()
print(sum(size for _, size in got), flush=True)
`;

/** Searches what it is given, and has written nothing to. Prints how many bytes, words of the pattern, words that are not zero; the same of shared memory. */
const SEARCH = `
cuda = Cuda()
shared = cuda.count_shared()
got = cuda.allocate_all()
counts = [cuda.count(at, size) for at, size in got]
print(sum(size for _, size in got), *(sum(one) for one in zip(*counts)), *shared, flush=True)
`;

/** The same search by whom all of it belongs to: one context gets its own small pieces and its own shared memory back as they were. */
const CONTROL = `
cuda = Cuda()
size = 1 << 16
pieces = [cuda.allocate(size) for _ in range(64)]
for at in pieces:
    cuda.fill(at, size)
    cuda.free(at)
again = [cuda.allocate(size) for _ in range(64)]
cuda.fill_shared()
print(sum(cuda.count(at, size)[0] for at in again), cuda.count_shared()[0])
`;

describe('a GPU', { skip: host.gpus.length === 0 ? 'this needs an NVIDIA GPU' : false }, () => {
  let world: SealedWorld;
  let serial = 0;
  const running: Handle[] = [];
  before(async () => {
    world = await openSealedWorld({ gpus: true });
    const { capabilities, checks } = await world.driver.probe();
    assert.ok(capabilities.includes('gpu'), JSON.stringify(checks.filter(({ id }) => id.startsWith('gpu'))));
  });
  afterEach(async () => {
    for (const handle of running.splice(0)) await end(handle);
  });
  after(async () => {
    assert.deepEqual(await world.close(), [], 'something was left on the host');
  });

  const start = async (change: object = {}): Promise<Handle> => {
    serial += 1;
    const options = { ...startOptions(`gpu-${serial}`, { mlflow: 5000 }, {}), memoryBytes: 4 * GIB, gpus: 1 };
    const handle = await world.driver.start({ ...options, ...change });
    running.push(handle);
    return handle;
  };
  const end = async (handle: Handle): Promise<void> => assert.deepEqual(await world.driver.destroy(handle), []);
  const cuda = (handle: Handle, program: string) => world.python(handle, `${CUDA}\n${program}`, { timeoutMs: 120_000 });
  const numbers = async (handle: Handle, program: string): Promise<number[]> => {
    const { exitCode, stdout, stderr } = await cuda(handle, program);
    assert.equal(exitCode, 0, stderr);
    return stdout.trim().split(' ').map(Number);
  };
  const command = async (handle: Handle, ...argv: string[]): Promise<string> => {
    const exec = await (await world.driver.session(handle)).exec({ argv });
    exec.stdin.end();
    const [stdout, stderr] = await Promise.all([text(exec.stdout), text(exec.stderr)]);
    assert.equal((await exec.result).exitCode, 0, stderr);
    return stdout;
  };
  const groupOf = (handle: Handle): string => {
    const { slot } = (handle.data as { claim: { slot: string } }).claim;
    return slotPaths(pathsOf(join(world.folder, 'state')), slot).cgroup;
  };
  const totalBytes = (): number => {
    const query = ['--query-gpu=memory.total', '--format=csv,noheader,nounits'];
    return Number(execFileSync('nvidia-smi', query, { encoding: 'utf8' }).split('\n')[0]) * 2 ** 20;
  };

  describe('without a grant', () => {
    it('is neither seen nor made, and the driver finds none; with one it does', async () => {
      const [driver] = host.libraries;
      assert.ok(driver !== undefined);
      const mounts = [{ source: dirname(driver.source), target: '/data/driver' }];
      // With the library of its own, which an image may bring.
      const bring = `
import ctypes, os, shutil, stat
shutil.copy("/data/driver/${driver.source.split('/').at(-1)}", "/workspace/libcuda.so.1")
opened = []
for major, minor, name in ((195, 255, "nvidiactl"), (195, 0, "nvidia0"), (${host.nodes[1]?.major}, 0, "nvidia-uvm")):
    for path in (f"/dev/{name}", f"/workspace/{name}", f"/tmp/{name}"):
        try:
            if not path.startswith("/dev"):
                os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(major, minor))
            os.close(os.open(path, os.O_RDWR))
            opened.append(path)
        except OSError:
            pass
cuda = ctypes.CDLL("/workspace/libcuda.so.1")
count = ctypes.c_int()
print(len(opened), cuda.cuInit(0), cuda.cuDeviceGetCount(ctypes.byref(count)), count.value)
`;
      const change = { mounts, diskBytes: GIB };
      const without = await start({ ...change, gpus: 0 });
      const [opened, init, , found] = await numbers(without, bring);
      assert.equal(opened, 0);
      assert.notEqual(init, 0);
      assert.equal(found, 0);
      await end(without);
      const granted = await start(change);
      assert.deepEqual(await numbers(granted, bring), [3, 0, 0, 1]);
    });
  });

  describe('with a grant', () => {
    it('is the one that was handed out, whole, and the only one', async () => {
      const handle = await start();
      const [gpu] = handle.gpus ?? [];
      assert.deepEqual(gpu, host.gpus[0]);
      assert.match(await command(handle, 'nvidia-smi', '-L'), new RegExp(`^GPU 0: .*${gpu?.uuid}\\)\n$`));
      const [bytes = 0] = await numbers(handle, FILL);
      assert.ok(bytes > 0.9 * totalBytes(), `${bytes} bytes could be had`);
    });

    it('opens no other node of the driver: tracing, mode setting, its configuration, other GPUs', async () => {
      const handle = await start();
      const granted = ['/dev/nvidiactl', '/dev/nvidia-uvm', '/dev/nvidia0'];
      const listed = await command(handle, 'sh', '-c', 'ls -d /dev/nvidia*');
      assert.deepEqual(listed.trim().split('\n').sort(), [...granted].sort());
      const others = ['nvidia-uvm-tools', 'nvidia-modeset', 'nvidia-caps/nvidia-cap1', 'nvidia-caps/nvidia-cap2'];
      const all = [...others, ...host.gpus.slice(1).map(({ index }) => `nvidia${index}`)].map((name) => `/dev/${name}`);
      const present = all.filter((path) => existsSync(path));
      assert.ok(present.length > 0);
      // From outside, with the nodes at hand: the control group alone decides.
      for (const path of granted) assert.equal(opens(groupOf(handle), path), 'before after', path);
      for (const path of present) assert.equal(opens(groupOf(handle), path), 'before', path);
    });

    it('shows nothing of the driver under /proc, and what the host has there is hidden', async () => {
      const handle = await start();
      assert.ok(readdirSync('/proc/driver/nvidia').includes('params'));
      assert.equal(await command(handle, 'ls', '/proc/driver'), '');
    });

    for (const [name, program] of Object.entries({
      'pinned memory': 'one = cuda.api.cuMemHostAlloc(ctypes.byref(at), ctypes.c_size_t(size), 0)',
      'managed memory': 'one = cuda.api.cuMemAllocManaged(ctypes.byref(at), ctypes.c_size_t(size), 1)',
    }))
      it(`takes no more memory of the host by ${name} than its cap`, async () => {
        const handle = await start({ memoryBytes: 2 * GIB });
        const ended = await cuda(
          handle,
          `
cuda, size = Cuda(), 1 << 28
for n in range(24):
    at = ctypes.c_void_p()
    ${program}
    if one != 0:
        raise SystemExit(f"refused with {one} after {n}")
    ctypes.memset(at, 1, size)
print("got it")
`,
        );
        assert.notEqual(ended.exitCode, 0, `6 GiB in a sandbox of 2: ${ended.stdout}`);
      });

    it('is refused under a kernel that stands between', async (context) => {
      const { runtimes } = await world.driver.probe();
      if (!runtimes.includes('runsc')) return context.skip('runsc cannot be used here');
      await assert.rejects(start({ runtime: 'runsc' }), { code: 'capability_missing' });
    });
  });

  describe('for one tenant after the other', () => {
    const clean = async (handle: Handle): Promise<void> => {
      const [bytes = 0, ...found] = await numbers(handle, SEARCH);
      assert.ok(bytes > 0.9 * totalBytes(), `${bytes} bytes were searched`);
      assert.deepEqual(found, [0, 0, 0, 0], 'words of the pattern and others, in memory and in shared memory');
    };

    it('the search finds what is left where nothing clears it: in one context', async () => {
      const handle = await start();
      const [small = 0, shared = 0] = await numbers(handle, CONTROL);
      assert.ok(small > 0 && shared > 0, `${small} and ${shared} words`);
    });

    it('nothing is left of one who ended by itself', async () => {
      const first = await start();
      await numbers(first, FILL);
      await end(first);
      const second = await start();
      await clean(second);
    });

    it('nothing is left of one who was killed with the memory in hand, and nobody else gets it meanwhile', async () => {
      const first = await start();
      const exec = await (await world.driver.session(first)).exec({
        argv: ['/usr/bin/python3', '-I', '-S', '-B', '-c', `${CUDA}${FILL}\nimport time; time.sleep(600)`],
      });
      exec.stdin.end();
      exec.stderr.resume();
      await new Promise((resolve) => exec.stdout.once('data', resolve));
      await assert.rejects(start({ gpus: host.gpus.length }), { code: 'unavailable' });
      await end(first);
      const second = await start();
      await clean(second);
    });
  });

  it('stays with its sandbox over a restart of the control plane, and is free after the inventory removed it', async () => {
    const open = (name: string) =>
      ociDriver.create({
        stateDir: join(world.folder, name),
        pythonDir: join(import.meta.dirname, '../../python'),
        log: () => undefined,
        nowMs: Date.now,
        config: { gpus: true },
      });
    const asked = { ...startOptions('restarted', {}, {}), memoryBytes: 4 * GIB };
    const before = open('one');
    const kept = await before.start({ ...asked, gpus: host.gpus.length });
    await before.close();
    const [again, other] = [open('one'), open('other')];
    try {
      await again.inventory({ keep: [kept.sandboxId], remove: true });
      await again.recover(JSON.parse(JSON.stringify(kept)) as Handle);
      const next = { ...asked, sandboxId: 'sb-next', gpus: 1 };
      await assert.rejects(again.start(next), { code: 'unavailable' });
      await assert.rejects(other.start(next), { code: 'unavailable' }, 'by another home');
      await again.inventory({ keep: [], remove: true });
      const taken = await other.start(next);
      assert.equal(taken.gpus?.[0]?.uuid, host.gpus[0]?.uuid);
      assert.deepEqual(await other.destroy(taken), []);
    } finally {
      for (const driver of [again, other]) {
        assert.deepEqual(await driver.inventory({ keep: [], remove: true }), []);
        await driver.close();
      }
    }
  });
});

/** Opens a node of the host in a process outside, and again once that is in a sandbox's control group. */
function opens(cgroup: string, node: string): string {
  const joins = cgroupFolders(cgroup).map((path) => `echo $$ > ${join(path, 'cgroup.procs')}`);
  const script = `(exec 5<${node}) && echo before; ${joins.join('; ')}; (exec 5<${node}) && echo after`;
  return spawnSync('sh', ['-c', script], { encoding: 'utf8' }).stdout.trim().replaceAll('\n', ' ');
}
