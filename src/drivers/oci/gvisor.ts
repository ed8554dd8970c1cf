/**
 * What is otherwise under gVisor's runsc: the kernel that a sandbox sees is a process of its own on the host (the sentry). Our own walls stand
 * around that process: user namespace, sealed network, control group, capped workspace.
 */
import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { SANDBOX_UID } from './root-skeleton.ts';
import type { SeccompProfile } from './seccomp-profile.ts';

export const RUNSC = 'runsc';
/** The first one that is known to keep the cap on processes: it has control groups of version 2 inside. */
export const EARLIEST_RELEASE = 20260905;

/**
 * `--network=host` means the network namespace of the bundle, which is the sealed one; in gVisor's own network the doors' sockets would not be
 * found. `--in-sandbox-cgroup=v2`: of those of version 1 its kernel asks only one, whichever comes to hand, whether there may be another process.
 * `--host-uds=create` lets the agent make the socket that the control plane dials; none of the host can be opened.
 */
export const RUNSC_FLAGS = [
  '--network=host',
  '--gofer-network-namespace=new',
  '--platform=systrap',
  '--overlay2=none',
  '--host-uds=create',
  '--host-fifo=none',
  '--file-access-mounts=shared',
  '--character-device-policy=emulated-only',
  '--net-raw=false',
  '--allow-suid=false',
  '--allow-flag-override=false',
  '--oci-seccomp',
  '--ignore-cgroups=false',
  '--in-sandbox-cgroup=v2',
  '--host-settings=ignore',
];

const SOCKET_FOLDER = '/fumehood/socket';
const SOCKET_NAME = 'agent';
export const AGENT_ARGS = ['--listen', join(SOCKET_FOLDER, SOCKET_NAME)];
export const AGENT_TARGETS = [SOCKET_FOLDER];

/**
 * Threads of the sentry itself, and of it for each process of the sandbox (some four): the host's limit is the hard one behind that of the
 * sandbox's kernel. A sandbox that reaches it ends.
 */
const SENTRY_THREADS = 256;
const THREADS_A_PROCESS = 8;
export const hostThreads = (pids: number): number => SENTRY_THREADS + THREADS_A_PROCESS * pids;

const CONTROL_GROUPS = '/sys/fs/cgroup';

/**
 * A program for the root of the sandbox's own kernel, before the sandbox is anybody's: a control group below the sandbox's own, whose limit cannot
 * be set from inside (it is the root of a namespace of control groups). The agent moves there, and all that it ever starts is with it.
 */
export const limitProgram = (pids: number): string => `
import os
top = "${CONTROL_GROUPS}"
inner = top + "/sandbox"
def put(path, value):
    with open(path, "w") as file:
        file.write(value)
os.mkdir(inner)
for process in ("1", str(os.getpid())):
    put(inner + "/cgroup.procs", process)
put(top + "/cgroup.subtree_control", "+pids")
put(inner + "/pids.max", "${pids}")
`;

type Folders = { files: string; socket: string };

/** Two folders of the workspace, so that its cap holds for both: what the sandbox sees, and where its agent listens. */
export function gvisorFolders(workspace: string): Folders {
  return { files: join(workspace, 'files'), socket: join(workspace, 'socket') };
}

export const gvisorSocket = (workspace: string): string => join(gvisorFolders(workspace).socket, SOCKET_NAME);

export function makeGvisorFolders(workspace: string, firstId: number): void {
  chownSync(workspace, 0, 0);
  chmodSync(workspace, 0o755);
  for (const folder of Object.values(gvisorFolders(workspace))) {
    mkdirSync(folder, { mode: 0o755 });
    chownSync(folder, firstId + SANDBOX_UID, firstId + SANDBOX_UID);
  }
}

/** Mounts besides the usual ones. */
export const gvisorMounts = (workspace: string) => [
  {
    destination: SOCKET_FOLDER,
    type: 'bind',
    source: gvisorFolders(workspace).socket,
    options: ['bind', 'rw', 'nosuid', 'nodev', 'noexec'],
  },
  { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'nodev', 'noexec', 'rw'] },
];

/** Its filter knows one answer for all that is refused. So clone3, which programs give up only where it does not exist, is left to the sandbox's kernel. */
export function gvisorFilter(profile: SeccompProfile): SeccompProfile {
  const kept = profile.syscalls.filter(({ errnoRet }) => errnoRet === undefined);
  return { ...profile, syscalls: [...kept, { names: ['clone3'], action: 'SCMP_ACT_ALLOW' }] };
}

const LISTENING = new RegExp(` 00010000 .* ${join(SOCKET_FOLDER, SOCKET_NAME)}$`, 'm');

/** Whether one of these processes of runsc holds the agent's socket, open for connections (proc_net(5): the flag __SO_ACCEPTCON). */
const isListening = (pids: number[]): boolean =>
  pids.some((pid) => {
    try {
      return LISTENING.test(readFileSync(`/proc/${pid}/net/unix`, 'utf8'));
    } catch {
      return false;
    }
  });

/**
 * Waits until the agent listens, then takes its folder away from the sandbox: from there on nobody in it can reach the socket, or put another
 * thing in its place. Only then is it looked at, and it must be a socket: the control plane follows no link of a sandbox's making.
 */
export async function takeSocket(workspace: string, processes: () => number[], timeoutMs: number): Promise<string> {
  const { socket: folder } = gvisorFolders(workspace);
  const path = gvisorSocket(workspace);
  const deadline = performance.now() + timeoutMs;
  while (!isListening(processes())) {
    if (performance.now() > deadline) throw new AppError('timeout', "The sandbox's agent did not start in time.");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  chmodSync(folder, 0o700);
  chownSync(folder, 0, 0);
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) return path;
  throw new AppError('unavailable', "The sandbox's agent made no socket.");
}
