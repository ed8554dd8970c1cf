/**
 * The positive control: a throw-away container with every capability, no filter and nothing masked, in namespaces of its own. The host's
 * folders are in it read-only, what it can write is its own; caps on memory and processes are far above what any attack needs, and keep the host well.
 */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeEtc, makeRootSkeleton, usrFolders } from '#src/drivers/oci/root-skeleton.ts';
import type { Ended, Shared } from './attack.ts';

const MIB = 1024 * 1024;
const CAPABILITY_NAMES =
  `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST
  NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME
  SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF
  CHECKPOINT_RESTORE`
    .trim()
    .split(/\s+/);

/** Every capability that this process can pass on: a host that is itself a container may lack some. */
function capabilities(): string[] {
  const mask = BigInt(`0x${/^CapBnd:\t(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`);
  return CAPABILITY_NAMES.filter((_, bit) => ((mask >> BigInt(bit)) & 1n) === 1n).map((name) => `CAP_${name}`);
}

export type Run = {
  program: string;
  env: Record<string, string>;
  shares?: Shared | undefined;
  /** A pinned network namespace to join (`neighbour-network`). */
  networkPath?: string | undefined;
  /** A folder of the host: mounted writable at its own path, or inherited as descriptor 3. */
  folder: string;
  timeoutMs: number;
};

export type PrivilegedContainers = { run(options: Run): Promise<Ended>; runtimeRoot: string; prefix: string };

/** Containers that live below one folder and carry one prefix in their names and cgroups. */
export function createPrivilegedContainers(folder: string, prefix: string): PrivilegedContainers {
  const runtimeRoot = join(folder, 'runtime');
  let count = 0;
  return {
    runtimeRoot,
    prefix,
    run: async (options) => {
      count += 1;
      const id = `${prefix}-${count}`;
      const bundle = join(folder, id);
      const rootfs = join(bundle, 'rootfs');
      const etc = join(bundle, 'etc');
      makeRootSkeleton(rootfs, []);
      mkdirSync(join(rootfs, 'sys'));
      makeEtc(etc, 'unsealed');
      writeFileSync(join(bundle, 'config.json'), JSON.stringify(configOf(options, { id, rootfs, etc })));
      try {
        return await runToEnd(['--root', runtimeRoot, 'run', '--bundle', bundle], id, options);
      } finally {
        await runToEnd(['--root', runtimeRoot, 'delete', '--force'], id, { ...options, shares: undefined });
        rmSync(bundle, { recursive: true, force: true });
      }
    },
  };
}

function configOf(run: Run, own: { id: string; rootfs: string; etc: string }): Record<string, unknown> {
  const caps = capabilities();
  const network = run.shares === 'neighbour-network' ? { type: 'network', path: run.networkPath } : { type: 'network' };
  return {
    ociVersion: '1.0.2',
    hostname: 'unsealed',
    root: { path: own.rootfs, readonly: true },
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ['/usr/bin/python3', '-I', '-S', '-B', '-c', run.program],
      env: Object.entries({ PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/workspace', ...run.env }).map(
        ([name, value]) => `${name}=${value}`,
      ),
      cwd: '/workspace',
      capabilities: { bounding: caps, effective: caps, permitted: caps, inheritable: [], ambient: [] },
      noNewPrivileges: false,
    },
    mounts: mountsOf(run, own.etc),
    linux: {
      namespaces: [
        ...['mount', 'ipc', 'uts'].map((type) => ({ type })),
        ...(run.shares === 'host-cgroup' ? [] : [{ type: 'cgroup' }]),
        ...(run.shares === 'host-pid' ? [] : [{ type: 'pid' }]),
        ...(run.shares === 'host-network' ? [] : [network]),
      ],
      cgroupsPath: `/${own.id}`,
      resources: {
        memory: { limit: 1024 * MIB },
        pids: { limit: 2000 },
        devices: [{ allow: true, access: 'rwm' }],
      },
      rootfsPropagation: 'private',
    },
  };
}

function mountsOf(run: Run, etc: string): Record<string, unknown>[] {
  const tmpfs = (destination: string, ...options: string[]) => ({
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: [`size=${512 * MIB}`, ...options],
  });
  const bind = (source: string, destination: string, access: 'ro' | 'rw') => ({
    destination,
    type: 'bind',
    source,
    options: ['bind', access],
  });
  return [
    { destination: '/proc', type: 'proc', source: 'proc' },
    ...(run.shares === 'host-network' || run.shares === 'neighbour-network'
      ? []
      : [{ destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['ro'] }]),
    tmpfs('/dev', 'mode=755'),
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['newinstance', 'ptmxmode=0666', 'mode=0620'],
    },
    tmpfs('/dev/shm', 'mode=1777'),
    tmpfs('/tmp', 'mode=1777'),
    tmpfs('/run', 'mode=755'),
    tmpfs('/workspace', 'mode=777'),
    ...usrFolders().map((folder) => bind(folder, folder, 'ro')),
    bind(etc, '/etc', 'ro'),
    ...(run.shares === 'host-folder' ? [bind(run.folder, run.folder, 'rw')] : []),
  ];
}

function runToEnd(args: string[], id: string, options: Run): Promise<Ended> {
  const inherits = options.shares === 'host-folder-descriptor';
  const descriptor = inherits ? openSync(options.folder, 'r') : undefined;
  const argv = inherits ? [...args, '--preserve-fds', '1', id] : [...args, id];
  return new Promise((resolve, reject) => {
    const child = spawn('runc', argv, {
      stdio: ['ignore', 'pipe', 'pipe', ...(descriptor === undefined ? [] : [descriptor])],
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
    });
    if (descriptor !== undefined) closeSync(descriptor);
    const text = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name]?.setEncoding('utf8').on('data', (part: string) => {
        text[name] = (text[name] + part).slice(-20_000);
      });
    child.once('error', reject);
    child.once('close', (code, signal) =>
      resolve({ exitCode: code ?? 255, signal: signal ?? (code === null ? 'KILL' : undefined), ...text }),
    );
  });
}
