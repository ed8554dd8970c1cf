/** Readings and leftovers of a sandbox's cgroup, on version 1 (a folder a controller) and version 2 (one folder). */
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';

const SOCKET_LIMIT = 'memory.kmem.tcp.limit_in_bytes';
/** Of a sandbox's memory. */
const SOCKET_SHARE = 4;

export type CgroupVersion = 1 | 2;

/** Version 2 alone, or version 1 (also where version 2 is mounted beside it, without controllers). */
export const cgroupVersion = (root = ROOT): CgroupVersion | undefined => {
  if (existsSync(join(root, 'cgroup.controllers'))) return 2;
  return existsSync(join(root, 'memory')) ? 1 : undefined;
};

/** Controllers that can be used. */
export function cgroupControllers(root = ROOT): string[] {
  if (cgroupVersion(root) === 2) return readFileSync(join(root, 'cgroup.controllers'), 'utf8').trim().split(/\s+/);
  return existsSync(root) ? readdirSync(root) : [];
}

/** Whether memory and swap are limited together, or there is no swap to escape to. */
export const swapIsBounded = (): boolean =>
  swapIsAccounted() || readFileSync('/proc/swaps', 'utf8').trim().split('\n').length < 2;

/** Version 1 has a file for it at its root; version 2 has `memory.swap.max` below its root, unless it was booted without. */
export function swapIsAccounted(root = ROOT, commandLine = readFileSync('/proc/cmdline', 'utf8')): boolean {
  if (cgroupVersion(root) === 1) return existsSync(join(root, 'memory/memory.memsw.limit_in_bytes'));
  return cgroupVersion(root) === 2 && !/(^|\s)swapaccount=0(\s|$)/.test(commandLine);
}

/**
 * How the kernel counts what waits in the sockets of a control group: as its memory (version 2), apart and only under a limit of its own
 * (version 1), or not at all (booted with cgroup.memory=nosocket).
 */
export function socketMemoryIs(): 'counted' | 'apart' | 'unbounded' {
  if (/(^|[\s,=])nosocket\b/.test(readFileSync('/proc/cmdline', 'utf8'))) return 'unbounded';
  if (cgroupVersion() === 2) return 'counted';
  return existsSync(join(ROOT, 'memory', SOCKET_LIMIT)) ? 'apart' : 'unbounded';
}

/** Bounds what waits in a cgroup's sockets where the kernel counts that apart; runtimes no longer set it. Throws when it cannot be set. */
export function limitSocketMemory(name: string, memoryBytes: number): void {
  if (socketMemoryIs() === 'apart')
    writeFileSync(join(ROOT, 'memory', name, SOCKET_LIMIT), String(Math.floor(memoryBytes / SOCKET_SHARE)));
}

const number = (path: string): number => {
  try {
    return Number(readFileSync(path, 'utf8').trim());
  } catch {
    return 0;
  }
};

const keyed = (path: string, key: string): number => {
  try {
    return Number(new RegExp(`^${key} (\\d+)$`, 'm').exec(readFileSync(path, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
};

export type CgroupStats = {
  cpuSeconds: number;
  memoryBytes: number;
  memoryPeakBytes: number;
  pids: number;
  oomKills: number;
};

/** Readings of a cgroup; what the kernel does not tell is 0. `memory.peak` is there from Linux 5.19 on: before, the peak is what is seen now. */
export function readCgroup(name: string, root = ROOT): CgroupStats {
  if (cgroupVersion(root) === 2) {
    const at = join(root, name);
    const memoryBytes = number(join(at, 'memory.current'));
    return {
      cpuSeconds: keyed(join(at, 'cpu.stat'), 'usage_usec') / 1e6,
      memoryBytes,
      memoryPeakBytes: Math.max(memoryBytes, number(join(at, 'memory.peak'))),
      pids: number(join(at, 'pids.current')),
      oomKills: keyed(join(at, 'memory.events'), 'oom_kill'),
    };
  }
  return {
    cpuSeconds: number(join(root, 'cpuacct', name, 'cpuacct.usage')) / 1e9,
    memoryBytes: number(join(root, 'memory', name, 'memory.usage_in_bytes')),
    memoryPeakBytes: number(join(root, 'memory', name, 'memory.max_usage_in_bytes')),
    pids: number(join(root, 'pids', name, 'pids.current')),
    oomKills: keyed(join(root, 'memory', name, 'memory.oom_control'), 'oom_kill'),
  };
}

/** Every folder of a cgroup, in all hierarchies. */
export function cgroupFolders(name: string, root = ROOT): string[] {
  const roots =
    cgroupVersion(root) === 2
      ? [root]
      : existsSync(root)
        ? readdirSync(root).map((controller) => join(root, controller))
        : [];
  return roots.map((top) => join(top, name)).filter((path) => existsSync(path));
}

/** Names of the cgroups below a parent, over all hierarchies. */
export function cgroupChildren(parent: string): string[] {
  const names = cgroupFolders(parent).flatMap((folder) =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])),
  );
  return [...new Set(names)];
}

/** Removes what a runtime left of a cgroup; a folder with processes in it stays and is found by the re-inventory. */
export function removeCgroup(name: string, root = ROOT): void {
  for (const folder of cgroupFolders(name, root)) {
    try {
      rmdirSync(folder);
    } catch {
      // Still populated, or gone in the meantime: the re-inventory tells which.
    }
  }
}

const FREEZE_TIMEOUT_MS = 5000;

const freezer = (name: string, root: string): { path: string; frozen: string; thawed: string } =>
  cgroupVersion(root) === 2
    ? { path: join(root, name, 'cgroup.freeze'), frozen: '1', thawed: '0' }
    : { path: join(root, 'freezer', name, 'freezer.state'), frozen: 'FROZEN', thawed: 'THAWED' };

/** Whether all processes of a cgroup stand still. */
export function isFrozen(name: string, root = ROOT): boolean {
  const { path, frozen } = freezer(name, root);
  try {
    if (readFileSync(path, 'utf8').trim() !== frozen) return false;
    return cgroupVersion(root) === 1 || keyed(join(root, name, 'cgroup.events'), 'frozen') === 1;
  } catch {
    return false;
  }
}

/** Controllers of version 1 that hold a sandbox's limits; version 2 has one hierarchy, whose name is empty. */
const LIMITING = new Set(['memory', 'cpu', 'pids', '']);

/** Whether a process is in this cgroup in every hierarchy that limits it. */
export function isInCgroup(pid: number, name: string): boolean {
  const version = cgroupVersion();
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8')
      .trim()
      .split('\n')
      .every((line) => {
        const [id, controllers = '', ...path] = line.split(':');
        const limits =
          version === 2 ? id === '0' : id !== '0' && controllers.split(',').some((one) => LIMITING.has(one));
        return !limits || path.join(':').endsWith(`/${name}`);
      });
  } catch {
    return false;
  }
}

/** Processes in a cgroup, over all hierarchies. */
export function processesOfCgroup(name: string, root = ROOT): number[] {
  const pids = cgroupFolders(name, root).flatMap((folder) => {
    try {
      return readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
    } catch {
      return [];
    }
  });
  return [...new Set(pids)].filter((pid) => pid > 0);
}

/** Ends all processes of a cgroup at once, those that are being made among them (version 2, from Linux 5.14 on); false where that cannot be. */
export function killCgroup(name: string, root = ROOT): boolean {
  const path = join(root, name, 'cgroup.kill');
  if (cgroupVersion(root) !== 2 || !existsSync(path)) return false;
  writeFileSync(path, '1');
  return true;
}

/** Makes all processes of a cgroup stand still; resolves when they do. */
export async function freeze(name: string, root = ROOT): Promise<void> {
  const { path, frozen } = freezer(name, root);
  const deadline = performance.now() + FREEZE_TIMEOUT_MS;
  do {
    writeFileSync(path, frozen);
    if (isFrozen(name, root)) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  } while (performance.now() < deadline);
  throw new Error(`the processes of ${name} do not stand still`);
}

/** The highest score of whom the kernel ends when the host has no memory left. */
export const FIRST_TO_END = 1000;

/** Sets that score for all processes of a cgroup, as root, which makes it the least that they and what they start can give themselves. */
export async function endFirst(name: string): Promise<void> {
  await freeze(name);
  try {
    for (const pid of processesOfCgroup(name)) writeFileSync(`/proc/${pid}/oom_score_adj`, String(FIRST_TO_END));
  } finally {
    thaw(name);
  }
}

/** Lets them go on. A cgroup that is gone has none. */
export function thaw(name: string, root = ROOT): void {
  const { path, thawed } = freezer(name, root);
  if (existsSync(path)) writeFileSync(path, thawed);
}
