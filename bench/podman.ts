/** Podman beside ours: a container of the same root, with the same limits and no network, started as its documentation says. */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What of a bundle's configuration is handed to Podman. */
export type PodmanBundle = {
  mounts: { type: string; source: string; destination: string }[];
  linux: {
    resources: { memory: { limit: number }; cpu: { quota: number; period: number }; pids: { limit: number } };
  };
};

export type Podman = { echo: () => Promise<void>; close: () => void } | { missing: string };

/** Debian's Podman, which is installed where it is not there; in words what keeps it from starting a container here. */
export async function podmanOf(options: { scratch: string; bundle: string; config: PodmanBundle }): Promise<Podman> {
  const { scratch, bundle, config } = options;
  const root = join(scratch, 'podman-root');
  cpSync(join(bundle, 'rootfs'), root, { recursive: true, verbatimSymlinks: true });
  cpSync(join(bundle, 'etc'), join(root, 'etc'), { recursive: true, verbatimSymlinks: true });
  // It takes no longer path.
  const runRoot = mkdtempSync('/run/bench-');
  const places = ['--root', join(scratch, 'podman'), '--runroot', runRoot];
  const words = [...places, 'run', '--rm', ...wallsOf(config), '--rootfs', root, '/bin/echo', 'first'];
  const echo = async (): Promise<void> => void (await run('podman', words));
  try {
    await run('podman', ['--version']).catch(install);
    await echo();
  } catch (error) {
    rmSync(runRoot, { recursive: true, force: true });
    return { missing: reasonOf(error) };
  }
  return { echo, close: () => rmSync(runRoot, { recursive: true, force: true }) };
}

async function install(): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const words = ['install', '-y', '--no-install-recommends', 'podman'];
  await run('apt-get', words, { env }).catch(async () => {
    await run('apt-get', ['update'], { env });
    await run('apt-get', words, { env });
  });
}

/** Its own defaults for open files and processes are above what a machine may allow; the others are those of the bundle. */
function wallsOf({ mounts, linux }: PodmanBundle): string[] {
  const { memory, cpu, pids } = linux.resources;
  const folders = mounts.filter(({ type, destination }) => type === 'bind' && /^\/(usr|etc)\/./.test(destination));
  return [
    '--network=none',
    '--read-only',
    '--cap-drop=all',
    '--security-opt=no-new-privileges',
    '--ulimit=nofile=8192:8192',
    '--ulimit=nproc=4096:4096',
    `--memory=${memory.limit}b`,
    `--cpus=${cpu.quota / cpu.period}`,
    `--pids-limit=${pids.limit}`,
    ...folders.map(({ source, destination }) => `--volume=${source}:${destination}:ro`),
  ];
}

function reasonOf(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message: string };
  return (stderr?.trim().split('\n').at(-1) || message).slice(0, 300);
}
