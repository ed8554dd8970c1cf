/** What this host has of a home or of one sandbox: looked up in the kernel and on the disk, not in our own memory. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LeftOver } from '../driver.ts';
import { cgroupChildren, cgroupFolders } from './cgroups.ts';
import { RANGE_SIZE } from './id-ranges.ts';
import { type Paths, sandboxPaths } from './paths.ts';

export type Claim = { firstId: number; network: string; slot: string; runtime: string; doors: Record<string, number> };

/** What was written down when a sandbox was claimed. */
export function readClaim(path: string): Claim | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Claim;
  } catch {
    return undefined;
  }
}

/** Processes whose real user id is in a range: nothing else on the host has such an id. A zombie only waits to be counted by its parent. */
export function processesOfRange(firstId: number): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      const uid = Number(/^Uid:\t(\d+)/m.exec(status)?.[1]);
      if (/^State:\t[ZX]/m.test(status)) return [];
      return uid >= firstId && uid < firstId + RANGE_SIZE ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

/** Processes whose command line has all of these among its words. */
export function processesWithWords(wanted: string[]): number[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0');
      return wanted.every((word) => words.includes(word)) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

const mountPoints = (): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? []);

/** Loop devices whose backing file lies below a path (also when the file was removed). */
function loopsOf(prefix: string): string[] {
  return readdirSync('/sys/block').flatMap((name) => {
    if (!name.startsWith('loop')) return [];
    try {
      const backing = readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8').trim();
      return backing.startsWith(prefix) ? [`/dev/${name} (${backing})`] : [];
    } catch {
      return [];
    }
  });
}

/** Everything that is left of one sandbox. */
export function remainsOf(paths: Paths, sandboxId: string, claim: Claim | undefined): LeftOver[] {
  const own = sandboxPaths(paths, sandboxId);
  const found: LeftOver[] = [];
  const add = (kind: LeftOver['kind'], what: readonly string[]): void =>
    void found.push(...what.map((one) => ({ kind, what: one })));
  const present = (list: string[]): string[] => list.filter((path) => existsSync(path));
  add('container', present([join(paths.runtimeRoot, sandboxId)]));
  add('cgroup', cgroupFolders(`${paths.cgroupParent}/${sandboxId}`));
  add('file', present([own.bundle]));
  add('listener', present([own.socket]));
  if (claim === undefined) return found;
  const workspace = join(paths.mounts, claim.slot);
  const image = join(paths.images, `${claim.slot}.img`);
  const mounts = new Set(mountPoints());
  add('process', processesOfRange(claim.firstId).map(String));
  add(
    'mount',
    [workspace, claim.network].filter((path) => mounts.has(path)),
  );
  add('namespace', present([claim.network]));
  add('file', present([image, workspace]));
  add('loop', loopsOf(image));
  return found;
}

/** Ids of all sandboxes of which the home has anything: bundles, containers, cgroups. */
export function sandboxesOf(paths: Paths): string[] {
  const folders = [paths.sandboxes, paths.runtimeRoot].flatMap((folder) =>
    existsSync(folder) ? readdirSync(folder) : [],
  );
  return [...new Set([...folders, ...cgroupChildren(paths.cgroupParent)])];
}

/** Namespaces and workspaces that belong to no sandbox: pools of a control plane that is gone. */
export function unclaimed(
  paths: Paths,
  claims: Claim[],
  ready: { networks: string[]; slots: string[] },
): { networks: string[]; slots: string[] } {
  const taken = new Set([...claims.flatMap((claim) => [claim.network, claim.slot]), ...ready.networks, ...ready.slots]);
  const list = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);
  const slots = new Set([...list(paths.mounts), ...list(paths.images).map((name) => name.replace(/\.img$/, ''))]);
  return {
    networks: list(paths.networks)
      .map((name) => join(paths.networks, name))
      .filter((path) => !taken.has(path)),
    slots: [...slots].filter((slot) => !taken.has(slot)),
  };
}

/** Start time of a process in clock ticks: with the pid it names a process for good. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ');
    // What has ended, and waits for its parent to look after it, does not run.
    return fields?.[0] === 'Z' ? undefined : fields?.[19];
  } catch {
    return undefined;
  }
}
