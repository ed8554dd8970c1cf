/** What a suite left on this host, looked up by the kernel's own lists and not by the driver. */
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createIdRanges } from '#src/drivers/oci/id-ranges.ts';
import { pathsOf } from '#src/drivers/oci/paths.ts';

const CGROUPS = '/sys/fs/cgroup';

/** Everything that carries the name of this home or of this folder; empty shells that a home keeps are removed on the way. */
export function leftOnHost({ stateDir, folder }: { stateDir: string; folder: string }): string[] {
  const paths = pathsOf(stateDir);
  const owned = [paths.homeId, folder];
  const ours = (text: string): boolean => owned.some((name) => text.includes(name));
  const lines = (path: string): string[] => (existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []);
  const found = [
    ...lines('/proc/self/mountinfo')
      .filter(ours)
      .map((line) => `mount ${line}`),
    ...cgroups((name) => ours(name) || name.startsWith(controlPrefix(folder))),
    ...loops().filter(ours),
    ...files(paths.runDir),
    ...createIdRanges(paths.ranges)
      .owned(paths.homeId)
      .map(({ owner }) => `id range of ${owner}`),
    ...processes(ours),
  ];
  rmSync(paths.runDir, { recursive: true, force: true });
  return found;
}

/** Names of the containers of the positive controls of one suite. */
export const controlPrefix = (folder: string): string => `unsealed-${folder.slice(-6)}`;

/** Cgroups with processes or children; a parent that is empty is only a shell. */
function cgroups(ours: (name: string) => boolean): string[] {
  const roots = [CGROUPS, ...readdirSync(CGROUPS).map((name) => join(CGROUPS, name))];
  return roots.flatMap((root) => {
    const names = existsSync(join(root, 'cgroup.procs')) ? readdirSync(root).filter(ours) : [];
    return names.flatMap((name) => {
      try {
        rmdirSync(join(root, name));
        return name.startsWith('fumehood-') ? [] : [`cgroup ${join(root, name)}`];
      } catch {
        return [`cgroup ${join(root, name)}`];
      }
    });
  });
}

function loops(): string[] {
  return readdirSync('/sys/block').flatMap((name) => {
    const backing = join('/sys/block', name, 'loop/backing_file');
    return existsSync(backing) ? [`loop ${name} ${readFileSync(backing, 'utf8').trim()}`] : [];
  });
}

/** Files below the folders of a home under /run. */
function files(runDir: string): string[] {
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
