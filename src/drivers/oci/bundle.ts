/** The OCI runtime bundle of a sandbox (opencontainers/runtime-spec 1.0, config.md and config-linux.md). */
import { join } from 'node:path';
import { ENVIRONMENT_PATH, type StartOptions, type Template } from '../driver.ts';
import { FIRST_TO_END, swapIsAccounted } from './cgroups.ts';
import { diskThrottle } from './disk-throttle.ts';
import { deviceRules, type GpuGrant, gpuFiles, nodeMounts, withLibraries, withTool } from './gpu-grant.ts';
import { AGENT_ARGS, AGENT_TARGETS, gvisorFilter, gvisorFolders, gvisorMounts, hostThreads, RUNSC } from './gvisor.ts';
import { RANGE_SIZE } from './id-ranges.ts';
import { imageMounts } from './image-root.ts';
import { etcFolders, SANDBOX_UID, usrFolders } from './root-skeleton.ts';
import { seccompProfile } from './seccomp-profile.ts';
import { USER_RLIMITS } from './user-limits.ts';

/** A template with the names of who it is for. */
type Named = Template & Required<Pick<StartOptions, 'hostname' | 'ownEnv'>>;

export type BundleOptions = {
  start: Named;
  rootfs: string;
  etc: string;
  /** First host id of the sandbox's own range. */
  firstId: number;
  networkPath: string;
  workspace: string;
  agentDir: string;
  cgroupsPath: string;
  granted: GpuGrant | undefined;
};

const isGvisor = (start: Template): boolean => start.runtime === RUNSC;

type OciMount = { destination: string; type: string; source: string; options: string[] };

const MIB = 1024 * 1024;
const OPEN_FILES = 8192;
/** Of the 4,096 that the whole machine has. */
const TERMINALS = 32;
const TMP_SHARE = 4;

/** What the kernel shows of itself under /proc, hidden or read-only. */
const MASKED = [
  'acpi',
  'asound',
  'interrupts',
  'kallsyms',
  'kcore',
  'keys',
  'key-users',
  'kmsg',
  'latency_stats',
  'modules',
  'sched_debug',
  'scsi',
  'slabinfo',
  'timer_list',
  'timer_stats',
  'vmallocinfo',
  'zoneinfo',
  'kpagecgroup',
  'kpagecount',
  'kpageflags',
  'config.gz',
  'driver',
  // One value for the whole machine: it would tell two sandboxes that they are neighbours.
  'sys/kernel/random/boot_id',
];
const READ_ONLY = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger', 'mtrr', 'tty'];

export function ociConfig(options: BundleOptions): Record<string, unknown> {
  const { start } = options;
  const filter = seccompProfile(process.arch === 'arm64' ? 'arm64' : 'x64');
  return {
    ociVersion: '1.0.2',
    hostname: start.hostname,
    root: { path: options.rootfs, readonly: true },
    process: processOf(start, options.granted),
    mounts: mountsOf(options),
    linux: {
      uidMappings: [{ containerID: 0, hostID: options.firstId, size: RANGE_SIZE }],
      gidMappings: [{ containerID: 0, hostID: options.firstId, size: RANGE_SIZE }],
      namespaces: [
        { type: 'user' },
        { type: 'pid' },
        { type: 'ipc' },
        { type: 'uts' },
        { type: 'mount' },
        { type: 'cgroup' },
        { type: 'network', path: options.networkPath },
      ],
      cgroupsPath: options.cgroupsPath,
      resources: { ...resourcesOf(start, options.granted), ...diskThrottle(options.workspace) },
      seccomp: isGvisor(start) ? gvisorFilter(filter) : filter,
      maskedPaths: MASKED.map((name) => `/proc/${name}`),
      readonlyPaths: READ_ONLY.map((name) => `/proc/${name}`),
      rootfsPropagation: 'private',
    },
  };
}

function processOf(start: Named, granted: GpuGrant | undefined): Record<string, unknown> {
  const python = start.image?.python ?? '/usr/bin/python3';
  const agent = JSON.stringify({
    python: start.environmentDir === undefined ? python : `${ENVIRONMENT_PATH}/bin/python`,
    warmImports: start.warmImports ?? [],
    // An image's variables, and what the loader obeys, reach commands by the agent alone: the runtime and the agent never have them as their own.
    ...(start.image === undefined && granted === undefined ? {} : { image: commandsOf(start, granted) }),
    own: start.ownEnv,
  });
  const env = { ...(granted === undefined ? start.env : withTool(start.env)), FUMEHOOD_AGENT: agent };
  const none: string[] = [];
  return {
    terminal: false,
    user: { uid: SANDBOX_UID, gid: SANDBOX_UID, umask: 0o022 },
    args: [python, '-I', '-S', '-B', '/fumehood/agent/__main__.py', ...(isGvisor(start) ? AGENT_ARGS : [])],
    env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    cwd: '/workspace',
    capabilities: { bounding: none, effective: none, inheritable: none, permitted: none, ambient: none },
    noNewPrivileges: true,
    rlimits: [
      { type: 'RLIMIT_NOFILE', soft: OPEN_FILES, hard: OPEN_FILES },
      { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
      ...USER_RLIMITS,
    ],
    ...(granted === undefined ? {} : { oomScoreAdj: FIRST_TO_END }),
  };
}

/** What commands have below their other variables, and where they start. */
function commandsOf({ image }: Named, granted: GpuGrant | undefined): { env: Record<string, string>; cwd: string } {
  const { env = {}, workingDir = '' } = image ?? {};
  return { env: granted === undefined ? env : withLibraries(env), cwd: workingDir };
}

function mountsOf(options: BundleOptions): OciMount[] {
  const { start } = options;
  const scratch = Math.max(16 * MIB, Math.floor(start.memoryBytes / TMP_SHARE));
  const readOnly = (source: string, destination: string, ...more: string[]): OciMount => ({
    destination,
    type: 'bind',
    source,
    options: ['bind', 'ro', 'nosuid', 'nodev', ...more],
  });
  const tmpfs = (destination: string, size: number, ...more: string[]): OciMount => ({
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'nodev', `size=${size}`, 'nr_inodes=65536', 'mode=1777', ...more],
  });
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'nodev', 'noexec'] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', `max=${TERMINALS}`],
    },
    tmpfs('/dev/shm', scratch),
    tmpfs('/tmp', scratch),
    ...rootMounts(options).map(({ source, target }) => readOnly(source, target)),
    {
      destination: '/workspace',
      type: 'bind',
      source: isGvisor(start) ? gvisorFolders(options.workspace).files : options.workspace,
      options: ['bind', 'rw', 'nosuid', 'nodev'],
    },
    ...(isGvisor(start) ? gvisorMounts(options.workspace) : []),
    readOnly(options.agentDir, '/fumehood/agent', 'noexec'),
    ...(start.environmentDir === undefined ? [] : [readOnly(start.environmentDir, ENVIRONMENT_PATH)]),
    ...start.mounts.map((mount) => readOnly(mount.source, mount.target, 'noexec')),
    ...(options.granted === undefined ? [] : nodeMounts(options.granted)),
    ...(options.granted === undefined ? [] : gpuFiles(options.granted)).map((file) =>
      readOnly(file.source, file.target),
    ),
  ];
}

/** Of the image, or of the host. */
function rootMounts({ start, etc }: BundleOptions): { source: string; target: string }[] {
  if (start.image !== undefined) return imageMounts(start.image, etc);
  const same = (folder: string) => ({ source: folder, target: folder });
  return [...usrFolders().map(same), { source: etc, target: '/etc' }, ...etcFolders().map(same)];
}

function resourcesOf(start: Named, granted: GpuGrant | undefined): Record<string, unknown> {
  const period = 100_000;
  return {
    memory: { limit: start.memoryBytes, ...(swapIsAccounted() ? { swap: start.memoryBytes } : {}) },
    cpu: { quota: Math.round(start.cpus * period), period },
    pids: { limit: isGvisor(start) ? hostThreads(start.pids) : start.pids },
    devices: [{ allow: false, access: 'rwm' }, ...(granted === undefined ? [] : deviceRules(granted))],
  };
}

/** Mount points beyond the usual ones that a root must have. */
export const extraTargets = (start: Template): string[] => [
  ...(isGvisor(start) ? AGENT_TARGETS : []),
  ...(start.environmentDir === undefined || start.image !== undefined ? [] : [ENVIRONMENT_PATH]),
  ...start.mounts.map((mount) => mount.target),
];

export const configPath = (bundle: string): string => join(bundle, 'config.json');
