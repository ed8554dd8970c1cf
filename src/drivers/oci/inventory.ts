/** What this host has of a home or of one sandbox: looked up in the kernel and on the disk, not in our own memory. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { yieldLongTurn } from '#kernel/long-turn.ts';
import type { LeftOver } from '../driver.ts';
import { cgroupChildren, cgroupFolders } from './cgroups.ts';
import type { Claim } from './claims.ts';
import { RANGE_SIZE } from './id-ranges.ts';
import { type Paths, slotPaths } from './paths.ts';

/** Whether a process runs whose real user id is in a range. A zombie only waits to be counted by its parent. */
export function isOfRange(pid: number, firstId: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const uid = Number(/^Uid:\t(\d+)/m.exec(status)?.[1]);
    return !/^State:\t[ZX]/m.test(status) && uid >= firstId && uid < firstId + RANGE_SIZE;
  } catch {
    return false;
  }
}

const READ_AT_ONCE = 16;

/** Processes with the words of their command lines. The kernel may be long about one, so that none is read on the event loop. */
async function commandLines(): Promise<{ pid: number; words: string[] }[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found: { pid: number; words: string[] }[] = [];
  const work = async (): Promise<void> => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) {
      const text = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => undefined);
      if (text !== undefined) found.push({ pid: Number(name), words: text.split('\0') });
    }
  };
  await Promise.all(Array.from({ length: READ_AT_ONCE }, work));
  return found;
}

/** Calls of a runtime that still run, each with what it is about: a look at all processes, however many slots there are. */
export async function runtimeCalls(paths: Paths): Promise<{ pid: number; isAbout: (slot: string) => boolean }[]> {
  return (await commandLines())
    .filter(({ words }) => words.some((word) => word === paths.runtimeRoot || word.startsWith(`${paths.gvisorRoot}/`)))
    .map(({ pid, words }) => ({
      pid,
      isAbout: (slot) =>
        words.includes(slotPaths(paths, slot).gvisor) || (words.includes(paths.runtimeRoot) && words.includes(slot)),
    }));
}

const mountPoints = async (): Promise<string[]> =>
  (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').flatMap((line) => line.split(' ')[4] ?? []);

/** What only a look at everything finds: processes of a range of ids, and loop devices of an image (also when the file was removed). */
export type Look = (range: number | null, image: string) => Promise<{ processes: number[]; loops: string[] }>;

/** Everything that is left of one slot. */
export async function remainsOf(paths: Paths, slot: string, claim: Claim | undefined, look: Look): Promise<LeftOver[]> {
  const mounts = new Set(await mountPoints());
  await yieldLongTurn();
  const own = slotPaths(paths, slot);
  const found: LeftOver[] = [];
  const add = (kind: LeftOver['kind'], what: readonly string[]): void =>
    void found.push(...what.map((one) => ({ kind, what: one })));
  const present = (list: string[]): string[] => list.filter((path) => existsSync(path));
  add('container', present([own.container, own.gvisor]));
  add('cgroup', cgroupFolders(own.cgroup));
  add('listener', present([own.socket]));
  add(
    'mount',
    [own.workspace, ...(claim === undefined ? [] : [claim.network])].filter((path) => mounts.has(path)),
  );
  add('file', present([own.bundle, own.image, own.workspace]));
  const { processes, loops } = await look(claim?.firstId ?? null, own.image);
  add('loop', loops);
  add('process', processes.map(String));
  if (claim !== undefined) add('namespace', present([claim.network]));
  return found;
}

/** All slots of which the home has anything: bundles, containers, workspaces, cgroups. */
export function slotsOf(paths: Paths): string[] {
  const folders = [paths.sandboxes, paths.runtimeRoot, paths.gvisorRoot, paths.mounts].flatMap(namesIn);
  const images = namesIn(paths.images).map((name) => name.replace(/\.img$/, ''));
  return [...new Set([...folders, ...images, ...cgroupChildren(paths.cgroupParent)])];
}

/** Network namespaces that neither a slot nor a pool has: of a control plane that is gone. */
export const unclaimedNetworks = (paths: Paths, taken: readonly string[]): string[] =>
  namesIn(paths.networks)
    .map((name) => join(paths.networks, name))
    .filter((path) => !taken.includes(path));

const namesIn = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);

/** The fields of a process's /proc/PID/stat (proc(5)) from its state on. */
function statusFields(pid: number): string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ');
  } catch {
    return undefined;
  }
}

const PF_EXITING = 4;

/** Whether a process has ended or is about to: version 1 of control groups shows it in none any more. */
export function isEnding(pid: number): boolean {
  const fields = statusFields(pid);
  return fields === undefined || fields[0] === 'Z' || (Number(fields[6]) & PF_EXITING) !== 0;
}

/** Start time of a process in clock ticks: with the pid it names a process for good. */
export function startTimeOf(pid: number): string | undefined {
  const fields = statusFields(pid);
  // What has ended, and waits for its parent to look after it, does not run.
  return fields?.[0] === 'Z' ? undefined : fields?.[19];
}
