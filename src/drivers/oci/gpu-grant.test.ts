/** The wall around a device that was handed out, on machines without a GPU: a sandbox is given other devices of the kernel under its name. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { createSession } from '../agent/session.ts';
import { dialPath } from '../agent/wire.ts';
import { smallSandbox } from '../contract.ts';
import { templateOf } from '../driver.ts';
import { cgroupFolders } from './cgroups.ts';
import { type Container, makeContainer } from './containers.ts';
import { makeGpuHost, makeNode } from './gpu-fixture.ts';
import { findGpus } from './gpu-host.ts';
import { createParts, removeEmptyFolders } from './parts.ts';
import { slotPaths } from './paths.ts';
import { removeSlot } from './remove-slot.ts';

const folder = mkdtempSync(join(tmpdir(), 'fumehood-grant-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const host = join(folder, 'host');

/** Devices that do nothing when they are opened, of which runtimes give none to a container. */
const DEVICES = [
  [10, 229],
  [10, 237],
] as const;

function canBeOpened(): boolean {
  makeNode(folder, 'first', DEVICES[0]);
  makeNode(folder, 'second', DEVICES[1]);
  try {
    for (const name of ['first', 'second']) closeSync(openSync(join(folder, 'dev', name), 'r+'));
    return true;
  } catch {
    return false;
  }
}

const OPEN = `
import ctypes, os, stat
for path in ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia0", "/dev/nvidia1", "/dev/nvidia-uvm-tools"):
    try:
        os.close(os.open(path, os.O_RDWR))
        print("opened", path)
    except OSError as error:
        print(error.strerror, path)
try:
    os.mknod("/workspace/other", 0o666 | stat.S_IFCHR, os.makedev(10, 237))
    print("made")
except OSError as error:
    print(error.strerror, "mknod")
try:
    print(ctypes.CDLL("libcuda.so.1").cos is not None)
except OSError:
    print("no library")
`;

/** Tries not to be the first that the kernel ends when the host has no memory left. */
const LIVE_ON = `
with open("/proc/self/oom_score_adj") as file:
    print(file.read().strip())
try:
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("0")
    print("written")
except OSError as error:
    print(error.strerror)
`;

test('a sandbox opens the devices that it was handed and no other, and finds the libraries and the tool', {
  skip: canBeOpened() ? false : 'the devices 10:229 (fuse) and 10:237 (loop-control) cannot be opened here',
}, async () => {
  makeGpuHost(host, DEVICES);
  const parts = createParts(
    {
      stateDir: join(folder, 'state'),
      pythonDir: join(import.meta.dirname, '../../../python'),
      log: () => undefined,
      nowMs: Date.now,
      config: {},
    },
    () => undefined,
  );
  const { nodes, gpus, libraries, tool } = findGpus(host);
  assert.ok(tool !== undefined);
  const [first] = gpus;
  const granted = { gpus: first === undefined ? [] : [first], nodes: nodes.slice(0, 3), libraries, tool };
  const make = (grant?: typeof granted): Promise<Container> => {
    const options = smallSandbox();
    const none = { onPhase: () => undefined, onRunning: () => undefined };
    const tenant = { sandboxId: options.sandboxId, hostname: 'gpu', ownEnv: {}, ...none };
    return makeContainer(parts, templateOf(options), tenant, grant);
  };
  const run = async (container: Container, ...argv: string[]): Promise<string> => {
    const exec = await createSession(dialPath(container.socket)).exec({ argv });
    exec.stdin.end();
    const [stdout, stderr] = await Promise.all([text(exec.stdout), text(exec.stderr)]);
    await exec.result;
    return stdout + stderr;
  };
  const [has, hasNot] = [await make(granted), await make()];
  try {
    assert.deepEqual((await run(has, '/usr/bin/python3', '-c', OPEN)).trim().split('\n'), [
      'opened /dev/nvidiactl',
      'opened /dev/nvidia-uvm',
      'opened /dev/nvidia0',
      'No such file or directory /dev/nvidia1',
      'No such file or directory /dev/nvidia-uvm-tools',
      'Operation not permitted mknod',
      'True',
    ]);
    assert.equal(await run(has, 'nvidia-smi'), '', 'it is on the PATH, and runs');
    const [score, lowered] = (await run(has, '/usr/bin/python3', '-c', LIVE_ON)).split('\n');
    assert.equal(score, '1000', 'it is the first to end when the host has no memory left');
    if (rootLowersScores()) assert.equal(lowered, 'Permission denied');
    const without = await run(hasNot, '/usr/bin/python3', '-c', OPEN);
    assert.doesNotMatch(without, /opened|made/);
    // From outside, with nodes of all of them at hand: the control group alone decides.
    assert.equal(opens(parts, has, 'nvidia0'), 'before after');
    assert.equal(opens(parts, has, 'nvidia1'), 'before');
    assert.equal(opens(parts, hasNot, 'nvidia0'), 'before');
  } finally {
    for (const { claim } of [has, hasNot]) assert.deepEqual(await removeSlot(parts, claim.slot), []);
    parts.helper.close();
    removeEmptyFolders(parts.paths);
  }
});

/** Whether root may do here what it may by the kernel's rules; only then are its scores a floor for others. */
const rootLowersScores = (): boolean =>
  spawnSync('sh', ['-c', 'echo -1 > /proc/self/oom_score_adj'], { stdio: 'ignore' }).status === 0;

/** Opens a node of the host in a process outside, and again once that is in a sandbox's control group. */
function opens(parts: ReturnType<typeof createParts>, { claim }: Container, name: string): string {
  const { cgroup } = slotPaths(parts.paths, claim.slot);
  const groups = cgroupFolders(cgroup).filter((path) => existsSync(join(path, 'cgroup.procs')));
  const node = join(host, 'dev', name);
  const joins = groups.map((path) => `echo $$ > ${join(path, 'cgroup.procs')}`).join('; ');
  const script = `(exec 5<>${node}) && echo before; ${joins}; (exec 5<>${node}) && echo after`;
  return spawnSync('sh', ['-c', script], { encoding: 'utf8' }).stdout.trim().replaceAll('\n', ' ');
}
