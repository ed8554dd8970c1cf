/** What was made ahead cannot be told from what is made on the spot, and is nobody's until it is claimed. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { smallSandbox } from '../contract.ts';
import { type Driver, type Handle, type StartOptions, type Template, templateOf } from '../driver.ts';
import { cgroupVersion, isFrozen } from './cgroups.ts';
import type { Claim } from './claims.ts';
import { ociDriver } from './oci-driver.ts';
import { pathsOf, slotPaths } from './paths.ts';

const home = mkdtempSync(join(tmpdir(), 'fumehood-ahead-'));
const paths = pathsOf(join(home, 'driver'));
const environmentDir = join(home, 'environment');
const DOORS = { mlflow: 5000 };

const open = (): Driver =>
  ociDriver.create({
    stateDir: join(home, 'driver'),
    pythonDir: join(import.meta.dirname, '../../../python'),
    log: () => undefined,
    nowMs: Date.now,
    config: {},
  });

/** An environment whose module knocks at a door when it is loaded and goes on to knock. */
function makeEnvironment(): void {
  const version = readdirSync('/usr/lib').find((name) => /^python3\.\d+$/.test(name)) ?? 'python3';
  const packages = join(environmentDir, 'lib', version, 'site-packages');
  mkdirSync(packages, { recursive: true });
  mkdirSync(join(environmentDir, 'bin'));
  symlinkSync('/usr/bin/python3', join(environmentDir, 'bin/python'));
  writeFileSync(join(environmentDir, 'pyvenv.cfg'), 'home = /usr/bin\ninclude-system-site-packages = false\n');
  writeFileSync(
    join(packages, 'knocker.py'),
    `import socket, threading, time

def knock():
    try:
        with socket.create_connection(("127.0.0.1", 5000), 2) as sock:
            sock.sendall(b"knock")
            return sock.recv(100).decode() or "nobody"
    except OSError as error:
        return type(error).__name__

first = knock()
later = []

def go_on():
    while True:
        later.append(knock())
        time.sleep(0.01)

threading.Thread(target=go_on, daemon=True).start()
`,
  );
}

let driver: Driver;
const knocks: string[] = [];
const options = (change: Partial<StartOptions> = {}): StartOptions => smallSandbox({ doors: DOORS, ...change });
const prepare = (...templates: Template[]) =>
  driver.prepare({ networks: 0, workspaces: 0, warm: templates.map((template) => ({ count: 1, template })) });
const claimIn = (handle: Handle): Claim => handle.data.claim as Claim;
const unclaimed = (): string[] =>
  readdirSync(paths.sandboxes).filter((slot) => {
    const path = slotPaths(paths, slot).claim;
    return existsSync(path) && (JSON.parse(readFileSync(path, 'utf8')) as Claim).sandboxId === null;
  });

/** Runs a shell program and gives what it wrote. */
async function shell(handle: Handle, program: string): Promise<string> {
  const exec = await (await driver.session(handle)).exec({ argv: ['sh', '-c', program] });
  exec.stdin.end();
  exec.stderr.resume();
  return text(exec.stdout);
}

async function python(handle: Handle, source: string): Promise<string> {
  const exec = await (await driver.session(handle)).runPython({ source });
  exec.stdin.end();
  const [out, err] = await Promise.all([text(exec.stdout), text(exec.stderr)]);
  assert.equal(err, '');
  return out.trim();
}

before(() => {
  makeEnvironment();
  driver = open();
  driver.onConnection(({ sandboxId, socket }) => {
    knocks.push(sandboxId);
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(`you are ${sandboxId}`));
  });
});

after(async () => {
  assert.deepEqual(await driver.inventory({ keep: [], remove: true }), []);
  await driver.close();
  rmSync(home, { recursive: true, force: true });
});

/** What commands and the warm interpreter can see of their sandbox, and what the host holds it to. */
async function seen(handle: Handle): Promise<string> {
  const { slot, firstId, network } = claimIn(handle);
  const inside = await shell(
    handle,
    `env | sort; hostname; cat /etc/hostname /etc/hosts /proc/sys/kernel/hostname; id; ulimit -a; cat /proc/self/mountinfo /proc/self/cgroup
     grep -E 'Cap|Seccomp|NoNewPrivs|Uid|Gid|Groups' /proc/self/status; cat /proc/self/limits /proc/self/uid_map /proc/self/oom_score_adj
     for name in /proc/sys/user/*; do echo $name $(cat $name); done; df -B1 /workspace /tmp /dev/shm; df -i /workspace /tmp
     ls -lan / /workspace /tmp /dev/shm /data /etc; processes=$(ps --sort pid -eo pid,ppid,user,args)
     echo "$processes" | awk '{ rank[$1] = NR; $1 = NR; $2 = rank[$2] + 0; print }'; ls /proc/self/fd; cat /proc/net/tcp /proc/net/dev; umask; pwd`,
  );
  const warm = await python(
    handle,
    'import os, sys\nprint(sorted(os.environ.items()), os.getcwd(), sys.flags, sys.path, open("/proc/self/limits").read(), os.listdir("/proc/self/fd"))\nprint(open(f"/proc/{os.getppid()}/environ").read())',
  );
  const held = controls(slot).map((line) => line.replace(/ \d+:\d+ /g, ' device ').replaceAll(slot, 'THIS'));
  return [mask(`${inside}\n${warm}`, [slot, String(firstId), network]), ...held].join('\n');
}

/** Every setting of its control groups. */
function controls(slot: string): string[] {
  const { cgroup } = slotPaths(paths, slot);
  const root = '/sys/fs/cgroup';
  const folders =
    cgroupVersion() === 2 ? [join(root, cgroup)] : readdirSync(root).map((name) => join(root, name, cgroup));
  const settings =
    /\.(limit_in_bytes|max|high|low|min|weight|shares|cfs_quota_us|cfs_period_us|list|swappiness|oom_control|state|freeze|use_hierarchy|cpus|mems)$/;
  return folders.filter(existsSync).flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => settings.test(name))
      .map((name) => {
        try {
          return `${folder}/${name} ${readFileSync(join(folder, name), 'utf8')}`;
        } catch {
          return `${folder}/${name} cannot be read`;
        }
      }),
  );
}

/** What names a slot, and what is another number at every look: times, counters, process and device numbers. */
const mask = (whole: string, names: string[]): string =>
  names
    .reduce((left, name) => left.replaceAll(name, 'THIS'), whole)
    .replace(/^(\d+ \d+) \d+:\d+ /gm, 'mount ')
    .replace(/loop\d+/g, 'loop')
    .replace(/^dr-xr-xr-x \d+ (.* proc)$/gm, '$1')
    .replace(/ +/g, ' ')
    .replace(/master:\d+|FUMEHOOD_EXEC[^,\n\0]*/g, '')
    .replace(/\w{3} +\d+ +\d\d:\d\d|\d{4}-\d\d-\d\d \d\d:\d\d/g, 'DATE')
    .replace(/^ +\d+: .*$/gm, '')
    .replace(/^\d+ .* \d+ \S+ \S+ - /gm, 'mounted - ');

test('one that was made ahead cannot be told from one that is made on the spot', async () => {
  const asked = (): StartOptions =>
    options({
      environmentDir,
      warmImports: ['json'],
      hostname: 'twin',
      ownEnv: { FUMEHOOD_SANDBOX_ID: 'twin', ONLY_MINE: '1' },
    });
  const cold = await driver.start(asked());
  await prepare(templateOf(asked()));
  const ready = unclaimed();
  const claimed = await driver.start(asked());
  assert.ok(ready.includes(claimIn(claimed).slot) && !ready.includes(claimIn(cold).slot));
  const [one, other] = [await seen(cold), await seen(claimed)];
  assert.match(one, /ONLY_MINE=1[\s\S]*twin[\s\S]*'ONLY_MINE', '1'/);
  // By lines: a failure then shows those that differ.
  assert.deepEqual(other.split('\n'), one.split('\n'));
});

test('before it is claimed it stands still and its doors let nobody in; afterwards whoever connects is its sandbox', async () => {
  const asked = options({ environmentDir, warmImports: ['knocker'] });
  await prepare(templateOf(asked));
  const [slot = ''] = unclaimed();
  assert.ok(isFrozen(slotPaths(paths, slot).cgroup));
  assert.deepEqual(knocks, []);
  const handle = await driver.start(asked);
  assert.equal(claimIn(handle).slot, slot);
  const [first, later] = (
    await python(handle, 'import knocker\nprint(knocker.first)\nprint(sorted(set(knocker.later)))')
  ).split('\n');
  assert.match(first ?? '', /nobody|ConnectionResetError/);
  // Each answer came either from nobody or from the door of this very sandbox.
  assert.match(later ?? '', /^\[('(nobody|ConnectionResetError)'(, )?)*('you are sb-contract-\d+-\d+')?\]$/);
  assert.equal(await python(handle, 'import knocker; print(knocker.knock())'), `you are ${asked.sandboxId}`);
  assert.deepEqual([...new Set(knocks)], [asked.sandboxId]);
});

test('what differs in any size, or mounts something, is made on the spot, with what was asked for', async () => {
  const usual = options();
  const { mebibytes, folder } = { mebibytes: 2 ** 20, folder: join(home, 'mounted') };
  mkdirSync(folder);
  for (const change of [
    { memoryBytes: 160 * mebibytes },
    { cpus: 0.5 },
    { pids: 50 },
    { diskBytes: 48 * mebibytes },
    { env: { ...usual.env, MORE: '1' } },
    { mounts: [{ source: folder, target: '/data/mounted' }] },
  ] satisfies Partial<StartOptions>[]) {
    await prepare(templateOf(usual));
    const ready = unclaimed();
    assert.equal(ready.length, 1);
    const handle = await driver.start(options(change));
    assert.ok(!ready.includes(claimIn(handle).slot), JSON.stringify(change));
    assert.deepEqual(await driver.destroy(handle), []);
  }
});

test('an environment that was made anew is not the one that waits in a sandbox made before', async () => {
  const asked = options({ environmentDir, warmImports: ['json'] });
  await prepare(templateOf(asked));
  const ready = unclaimed();
  assert.equal(ready.length, 1);
  rmSync(environmentDir, { recursive: true });
  makeEnvironment();
  const handle = await driver.start(asked);
  assert.ok(!ready.includes(claimIn(handle).slot));
  assert.equal(await python(handle, 'import knocker; print("there")'), 'there');
  await prepare(templateOf(asked));
  assert.ok(unclaimed().length === 1 && !unclaimed().includes(ready[0] ?? ''));
});

test('siblings share neither random numbers nor the seed of hashes', async () => {
  const asked = options();
  await driver.prepare({ networks: 0, workspaces: 0, warm: [{ count: 2, template: templateOf(asked) }] });
  const handles = [await driver.start(asked), await driver.start(options())];
  const draws = await Promise.all(
    handles.map((handle) => python(handle, 'import random, uuid; print(random.random(), hash("x"), uuid.uuid4())')),
  );
  const [one = [], other = []] = draws.map((line) => line.split(' '));
  for (const [at, value] of one.entries()) assert.notEqual(value, other[at]);
});

test('one that died in the meantime is not given to anybody', async () => {
  const asked = options();
  await prepare(templateOf(asked));
  const [slot = ''] = unclaimed();
  const own = slotPaths(paths, slot);
  process.kill(Number(readFileSync(own.pidFile, 'utf8')), 'SIGKILL');
  const handle = await driver.start(asked);
  assert.equal(await shell(handle, 'echo well'), 'well\n');
});

test('a control plane that comes back removes what the last one had made ahead and nobody claimed', async () => {
  const asked = options();
  await prepare(templateOf(asked));
  const claimed = await driver.start(asked);
  await driver.prepare({ networks: 1, workspaces: 1, warm: [{ count: 1, template: templateOf(asked) }] });
  const [slot = ''] = unclaimed();
  assert.deepEqual(
    (await driver.inventory({ keep: [], remove: false })).filter((one) => one.what.includes(slot)),
    [],
    'its own are no left-overs',
  );
  const next = open();
  try {
    assert.notDeepEqual(await next.inventory({ keep: [asked.sandboxId], remove: false }), []);
    await next.inventory({ keep: [asked.sandboxId], remove: true });
    assert.deepEqual(unclaimed(), []);
    assert.deepEqual(await next.inventory({ keep: [asked.sandboxId], remove: false }), []);
    assert.equal((await next.inspect(claimed)).state, 'running');
    assert.equal(await shell(claimed, 'echo on'), 'on\n');
  } finally {
    await next.close();
  }
});
