/** What this host can enforce, and the command that mends what it cannot. */
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { release } from 'node:os';
import { formatBytes } from '#kernel/quantities.ts';
import type { Capability, Check, Probe } from '../driver.ts';
import { cgroupControllers, cgroupVersion, socketMemoryIs, swapIsBounded } from './cgroups.ts';
import { diskIsThrottled } from './disk-throttle.ts';
import { GPU_CHECKS, gpuChecks } from './gpu-checks.ts';
import { findGpus } from './gpu-host.ts';
import type { Paths } from './paths.ts';
import { runtimeCheck } from './runtime-check.ts';
import { sandboxesWithInotify } from './user-limits.ts';

type Finding = Omit<Check, 'consequence' | 'fix'> & Partial<Pick<Check, 'consequence' | 'fix'>>;

const ENOUGH_SANDBOXES = 100;
const LEAST_DISK_BYTES = 2 * 1024 ** 3;

/** Looks at everything once; takes some tens of milliseconds. `gpus`: whether they may be handed out. */
export async function probeHost(
  paths: Pick<Paths, 'images'>,
  { gpus = false }: { gpus?: boolean } = {},
): Promise<Probe> {
  const runtimes = await Promise.all([runtimeCheck('runc'), runtimeCheck('crun'), runtimeCheck('runsc')]);
  const checks: Finding[] = [
    rootCheck(),
    {
      id: 'kernel',
      title: 'Linux kernel',
      state: process.platform === 'linux' ? 'ok' : 'missing',
      found: `${process.platform} ${release()}`,
      consequence: 'No sandbox can be run: they are made of Linux namespaces.',
      required: true,
    },
    ...['user', 'pid', 'net', 'mnt', 'uts', 'ipc', 'cgroup'].map(namespaceCheck),
    seccompCheck(),
    inotifyCheck(),
    ...cgroupChecks(),
    ...runtimes.map(({ check }) => check),
    {
      ...usable(
        'runtime',
        'Any runtime that starts containers here',
        runtimes
          .filter(({ works }) => works)
          .map(({ name }) => name)
          .join(', '),
      ),
      consequence: 'No sandbox can be run.',
      fix: 'apt-get install -y runc',
      required: true,
    },
    ...diskChecks(paths),
    fileCheck('python', 'Python for the agent', '/usr/bin/python3', 'apt-get install -y python3'),
    ...gpuChecks(findGpus(), gpus),
  ];
  const whole = checks.map(
    (check): Check => ({
      consequence: '',
      fix: '',
      ...check,
      ...(check.state === 'ok' ? { consequence: '', fix: '' } : {}),
    }),
  );
  const ok = (id: string): boolean => whole.some((check) => check.id === id && check.state === 'ok');
  const handsOutGpus = ['runc', 'crun'].some(ok) && GPU_CHECKS.every(ok);
  return {
    usable: whole.every((check) => !check.required || check.state === 'ok'),
    capabilities: [...capabilitiesOf(ok), ...(handsOutGpus ? (['gpu'] as const) : [])],
    runtimes: runtimes.filter(({ works }) => works).map(({ name }) => name),
    checks: whole,
  };
}

function capabilitiesOf(ok: (id: string) => boolean): Capability[] {
  const needs: [Capability, string[]][] = [
    ['network-seal', ['root', 'namespace-net']],
    ['user-namespace', ['namespace-user']],
    ['seccomp', ['seccomp']],
    ['memory', ['cgroup-memory', 'swap', 'sockets']],
    ['cpu', ['cgroup-cpu']],
    ['pids', ['cgroup-pids']],
    ['disk', ['loop', 'mkfs']],
    ['inodes', ['loop', 'mkfs']],
    ['pause', ['cgroup-freezer']],
    ['terminal', ['namespace-mnt']],
    ['read-only-root', ['namespace-mnt']],
    ['image', ['namespace-mnt']],
  ];
  return needs.flatMap(([capability, ids]) => (ids.every(ok) ? [capability] : []));
}

const usable = (id: string, title: string, found: string): Pick<Finding, 'id' | 'title' | 'state' | 'found'> => ({
  id,
  title,
  state: found === '' ? 'missing' : 'ok',
  found: found || 'none',
});

function rootCheck(): Finding {
  const root = process.getuid?.() === 0;
  return {
    id: 'root',
    title: 'Rights to make namespaces and mounts',
    state: root ? 'ok' : 'missing',
    found: root ? 'root' : `uid ${process.getuid?.() ?? '?'}`,
    consequence: 'The control plane cannot make sealed networks and capped disks.',
    fix: 'sudo ./fumehood up',
    required: true,
  };
}

function namespaceCheck(kind: string): Finding {
  const there = existsSync(`/proc/self/ns/${kind}`);
  const allowed = kind !== 'user' || readNumber('/proc/sys/user/max_user_namespaces', 1) > 0;
  return {
    id: `namespace-${kind}`,
    title: `Namespaces: ${kind}`,
    state: there && allowed ? 'ok' : 'missing',
    found: there ? (allowed ? 'there' : 'user.max_user_namespaces is 0') : 'not in this kernel',
    consequence: 'No sandbox can be run.',
    fix: kind === 'user' && there ? 'sysctl -w user.max_user_namespaces=65536' : '',
    required: true,
  };
}

function seccompCheck(): Finding {
  const actions = existsSync('/proc/sys/kernel/seccomp/actions_avail');
  return {
    id: 'seccomp',
    title: 'Filter of system calls (seccomp)',
    state: actions ? 'ok' : 'missing',
    found: actions ? 'there' : 'not in this kernel',
    consequence: 'System calls could not be limited, so sandboxes are refused.',
    required: true,
  };
}

function inotifyCheck(): Finding {
  const sandboxes = sandboxesWithInotify();
  return {
    id: 'inotify',
    title: 'Watches of files (inotify)',
    state: sandboxes >= ENOUGH_SANDBOXES ? 'ok' : 'degraded',
    found: `enough for ${sandboxes} sandboxes that use all of theirs`,
    consequence: 'More sandboxes than that could together use up what the host can watch.',
    fix: 'sysctl -w fs.inotify.max_user_instances=16384',
    required: false,
  };
}

function cgroupChecks(): Finding[] {
  const version = cgroupVersion();
  const controllers = new Set(cgroupControllers());
  const need = (name: string, required: boolean): Finding => ({
    id: `cgroup-${name}`,
    title: `Control group: ${name}`,
    state: controllers.has(name) || (name === 'freezer' && version === 2) ? 'ok' : 'missing',
    found: version === undefined ? 'no control groups' : `version ${version}`,
    consequence: `The limit on ${name} could not be enforced, so what asks for it is refused.`,
    fix: `boot without cgroup_disable=${name}${version === 2 ? ', and with no hierarchy of version 1 that holds it' : ''}`,
    required,
  });
  return [
    need('memory', true),
    need('cpu', true),
    need('pids', true),
    need('freezer', false),
    {
      id: 'disk-throttle',
      title: 'Speed of workspaces is bounded',
      state: diskIsThrottled() ? 'ok' : 'degraded',
      found: diskIsThrottled() ? 'bounded' : 'this kernel has no control group for disks',
      consequence: 'A sandbox that writes without end can slow down the disk for all others.',
      fix: `boot without cgroup_disable=${cgroupVersion() === 2 ? 'io' : 'blkio'}, on a kernel with throttling of block devices`,
      required: false,
    },
    {
      id: 'swap',
      title: 'Swap counts as memory',
      state: swapIsBounded() ? 'ok' : 'missing',
      found: swapIsBounded() ? 'counted, or there is none' : 'swap is on and not counted',
      consequence: 'A sandbox could use more memory than its limit, so it is refused.',
      fix: 'swapoff -a, or boot with swapaccount=1',
      required: true,
    },
    {
      id: 'sockets',
      title: 'What waits in sockets counts as memory',
      state: socketMemoryIs() === 'unbounded' ? 'missing' : 'ok',
      found: { counted: 'counted', apart: 'under a limit of its own', unbounded: 'not counted' }[socketMemoryIs()],
      consequence: 'A sandbox could use more memory than its limit, so it is refused.',
      fix: 'boot without cgroup.memory=nosocket',
      required: true,
    },
  ];
}

function diskChecks(paths: Pick<Paths, 'images'>): Finding[] {
  const disk = existsSync(paths.images) ? statfsSync(paths.images) : statfsSync('/');
  const free = disk.bavail * disk.bsize;
  return [
    fileCheck('loop', 'Loop devices for capped workspaces', '/dev/loop-control', 'modprobe loop'),
    fileCheck(
      'mkfs',
      'File system for workspaces',
      ['/usr/sbin/mkfs.ext4', '/sbin/mkfs.ext4'].find((path) => existsSync(path)) ?? '/usr/sbin/mkfs.ext4',
      'apt-get install -y e2fsprogs',
    ),
    {
      id: 'disk',
      title: 'Free disk space',
      state: free > LEAST_DISK_BYTES ? 'ok' : 'degraded',
      found: formatBytes(free),
      consequence: 'Workspaces and environments may not fit.',
      required: false,
    },
  ];
}

function fileCheck(id: string, title: string, path: string, fix: string): Finding {
  const there = isReadable(path);
  return {
    id,
    title,
    state: there ? 'ok' : 'missing',
    found: there ? path : `no ${path}`,
    consequence: 'Sandboxes are refused.',
    fix,
    required: true,
  };
}

const isReadable = (path: string): boolean => {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
};

const readNumber = (path: string, fallback: number): number => {
  try {
    return Number(readFileSync(path, 'utf8').trim());
  } catch {
    return fallback;
  }
};
