/** What a suite left on this host, looked up in the kernel's own lists and not by the driver. */
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createIdRanges } from '#src/drivers/oci/id-ranges.ts';
import { pathsOf } from '#src/drivers/oci/paths.ts';

const CGROUPS = '/sys/fs/cgroup';

export type Suite = { stateDir: string; folder: string };

/** Names of the containers of the positive controls of one suite. */
export const controlPrefix = (folder: string): string => `unsealed-${folder.slice(-6)}`;

/** Mounts, control groups, loop devices, files, id ranges and processes that carry the name of a suite's home or folder. */
export function leftOnHost({ stateDir, folder }: Suite): string[] {
  const paths = pathsOf(stateDir);
  const ours = (text: string): boolean => text.includes(paths.homeId) || text.includes(folder);
  return [
    ...readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter(ours)
      .map((line) => `mount ${line}`),
    ...cgroups(folder, paths.cgroupParent),
    ...loops().filter(ours),
    ...filesBelow(paths.runDir),
    ...createIdRanges(paths.ranges)
      .owned(paths.homeId)
      .map(({ owner }) => `id range of ${owner}`),
    ...processes(ours),
  ];
}

/** The empty folders that a home keeps for its next start. */
export function removeShells({ stateDir }: Suite): void {
  const paths = pathsOf(stateDir);
  for (const root of cgroupRoots()) {
    const shell = join(root, paths.cgroupParent);
    if (existsSync(shell)) rmdirSync(shell);
  }
  rmSync(paths.runDir, { recursive: true, force: true });
}

const cgroupRoots = (): string[] =>
  [CGROUPS, ...readdirSync(CGROUPS).map((name) => join(CGROUPS, name))].filter((root) =>
    existsSync(join(root, 'cgroup.procs')),
  );

const foldersIn = (path: string): string[] =>
  existsSync(path)
    ? readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
    : [];

/** Those of sandboxes, below the home's own, and those of controls. */
function cgroups(folder: string, parent: string): string[] {
  return cgroupRoots().flatMap((root) => [
    ...foldersIn(join(root, parent)).map((name) => `cgroup ${join(root, parent, name)}`),
    ...foldersIn(root)
      .filter((name) => name.startsWith(controlPrefix(folder)))
      .map((name) => `cgroup ${join(root, name)}`),
  ]);
}

function loops(): string[] {
  return readdirSync('/sys/block').flatMap((name) => {
    const backing = join('/sys/block', name, 'loop/backing_file');
    return existsSync(backing) ? [`loop ${name} ${readFileSync(backing, 'utf8').trim()}`] : [];
  });
}

/** Everything but the folders directly in it. */
function filesBelow(runDir: string): string[] {
  if (!existsSync(runDir)) return [];
  return readdirSync(runDir, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory() || entry.parentPath !== runDir)
    .map((entry) => `file ${join(entry.parentPath, entry.name)}`);
}

function processes(ours: (text: string) => boolean): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) return [];
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return ours(line) ? [`process ${pid} ${line.slice(0, 100)}`] : [];
    } catch {
      return [];
    }
  });
}
