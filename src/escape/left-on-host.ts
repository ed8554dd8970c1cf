/** What a suite left on this host, looked up in the kernel's own lists and not by the driver. */
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createGpuClaims } from '#src/drivers/oci/gpu-claims.ts';
import { createIdRanges } from '#src/drivers/oci/id-ranges.ts';
import { pathsOf } from '#src/drivers/oci/paths.ts';

const CGROUPS = '/sys/fs/cgroup';

export type Suite = { stateDir: string; folder: string };

/** Names of the containers of the positive controls of one suite. */
export const controlPrefix = (folder: string): string => `unsealed-${folder.slice(-6)}`;

/** Mounts, control groups, loop devices, files, id ranges, GPUs and processes that carry the name of a suite's home or folder. */
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
    ...createGpuClaims(paths.gpus)
      .owned(paths.homeId)
      .map(({ owner, uuid }) => `gpu ${uuid} of ${owner}`),
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

/** What can be read of a file of the kernel; it may go at any moment, when it is not ours. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function loops(): string[] {
  return readdirSync('/sys/block').flatMap((name) => {
    const backing = textOf(join('/sys/block', name, 'loop/backing_file'));
    return backing === undefined ? [] : [`loop ${name} ${backing.trim()}`];
  });
}

/** What is in its folders; those themselves stay for the next start. */
const filesBelow = (runDir: string): string[] =>
  foldersIn(runDir).flatMap((folder) =>
    readdirSync(join(runDir, folder)).map((name) => `file ${join(runDir, folder, name)}`),
  );

function processes(ours: (text: string) => boolean): string[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) return [];
    const line = textOf(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ') ?? '';
    return ours(line) ? [`process ${pid} ${line.slice(0, 100)}`] : [];
  });
}
