/** Readings and leftovers of a sandbox's cgroup, on version 1 (a folder a controller) and version 2 (one folder). */
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = '/sys/fs/cgroup';

const SOCKET_LIMIT = 'memory.kmem.tcp.limit_in_bytes';
/** Of a sandbox's memory. */
const SOCKET_SHARE = 4;

export type CgroupVersion = 1 | 2;

/** Version 2 alone, or version 1 (also where version 2 is mounted beside it, without controllers). */
export const cgroupVersion = (): CgroupVersion | undefined => {
  if (existsSync(join(ROOT, 'cgroup.controllers'))) return 2;
  return existsSync(join(ROOT, 'memory')) ? 1 : undefined;
};

/** Controllers that can be used. */
export function cgroupControllers(): string[] {
  if (cgroupVersion() === 2) return readFileSync(join(ROOT, 'cgroup.controllers'), 'utf8').trim().split(/\s+/);
  return existsSync(ROOT) ? readdirSync(ROOT) : [];
}

/** Whether memory and swap are limited together, or there is no swap to escape to. */
export function swapIsBounded(): boolean {
  const accounted = cgroupVersion() === 2 ? true : existsSync(join(ROOT, 'memory/memory.memsw.limit_in_bytes'));
  return accounted || readFileSync('/proc/swaps', 'utf8').trim().split('\n').length < 2;
}

export const swapIsAccounted = (): boolean =>
  cgroupVersion() === 2 || existsSync(join(ROOT, 'memory/memory.memsw.limit_in_bytes'));

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

export function readCgroup(name: string): CgroupStats {
  if (cgroupVersion() === 2) {
    const at = join(ROOT, name);
    return {
      cpuSeconds: keyed(join(at, 'cpu.stat'), 'usage_usec') / 1e6,
      memoryBytes: number(join(at, 'memory.current')),
      memoryPeakBytes: number(join(at, 'memory.peak')),
      pids: number(join(at, 'pids.current')),
      oomKills: keyed(join(at, 'memory.events'), 'oom_kill'),
    };
  }
  return {
    cpuSeconds: number(join(ROOT, 'cpuacct', name, 'cpuacct.usage')) / 1e9,
    memoryBytes: number(join(ROOT, 'memory', name, 'memory.usage_in_bytes')),
    memoryPeakBytes: number(join(ROOT, 'memory', name, 'memory.max_usage_in_bytes')),
    pids: number(join(ROOT, 'pids', name, 'pids.current')),
    oomKills: keyed(join(ROOT, 'memory', name, 'memory.oom_control'), 'oom_kill'),
  };
}

/** Every folder of a cgroup, in all hierarchies. */
export function cgroupFolders(name: string): string[] {
  const roots =
    cgroupVersion() === 2
      ? [ROOT]
      : existsSync(ROOT)
        ? readdirSync(ROOT).map((controller) => join(ROOT, controller))
        : [];
  return roots.map((root) => join(root, name)).filter((path) => existsSync(path));
}

/** Names of the cgroups below a parent, over all hierarchies. */
export function cgroupChildren(parent: string): string[] {
  const names = cgroupFolders(parent).flatMap((folder) =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])),
  );
  return [...new Set(names)];
}

/** Removes what a runtime left of a cgroup; a folder with processes in it stays and is found by the re-inventory. */
export function removeCgroup(name: string): void {
  for (const folder of cgroupFolders(name)) {
    try {
      rmdirSync(folder);
    } catch {
      // Still populated, or gone in the meantime: the re-inventory tells which.
    }
  }
}

const FREEZE_TIMEOUT_MS = 5000;

const freezer = (name: string): { path: string; frozen: string; thawed: string } =>
  cgroupVersion() === 2
    ? { path: join(ROOT, name, 'cgroup.freeze'), frozen: '1', thawed: '0' }
    : { path: join(ROOT, 'freezer', name, 'freezer.state'), frozen: 'FROZEN', thawed: 'THAWED' };

/** Whether all processes of a cgroup stand still. */
export function isFrozen(name: string): boolean {
  const { path, frozen } = freezer(name);
  try {
    if (readFileSync(path, 'utf8').trim() !== frozen) return false;
    return cgroupVersion() === 1 || keyed(join(ROOT, name, 'cgroup.events'), 'frozen') === 1;
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
export function processesOfCgroup(name: string): number[] {
  const pids = cgroupFolders(name).flatMap((folder) => {
    try {
      return readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
    } catch {
      return [];
    }
  });
  return [...new Set(pids)].filter((pid) => pid > 0);
}

/** Makes all processes of a cgroup stand still; resolves when they do. */
export async function freeze(name: string): Promise<void> {
  const { path, frozen } = freezer(name);
  const deadline = performance.now() + FREEZE_TIMEOUT_MS;
  do {
    writeFileSync(path, frozen);
    if (isFrozen(name)) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  } while (performance.now() < deadline);
  throw new Error(`the processes of ${name} do not stand still`);
}

/** Lets them go on. A cgroup that is gone has none. */
export function thaw(name: string): void {
  const { path, thawed } = freezer(name);
  if (existsSync(path)) writeFileSync(path, thawed);
}
