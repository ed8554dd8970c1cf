/**
 * What the kernel counts by user and not by control group. The user of a sandbox counts towards the user who made its namespace, which is root:
 * without limits of its own, one sandbox could use up root's share, and neither the host nor any other sandbox would get another.
 */
import { readFileSync } from 'node:fs';

const HOST_INSTANCES = '/proc/sys/fs/inotify/max_user_instances';

/** Instances of inotify of one sandbox: an editor or a notebook server uses a few. */
const INOTIFY_INSTANCES = 16;
const INOTIFY_WATCHES = 32_768;

/** Values for /proc/sys/user in the sandbox's user namespace; namespaces of its own are a second lock behind the filter of system calls. */
export const USER_LIMITS: Readonly<Record<string, number>> = {
  max_inotify_instances: INOTIFY_INSTANCES,
  max_inotify_watches: INOTIFY_WATCHES,
  max_fanotify_groups: 0,
  max_fanotify_marks: 0,
  max_user_namespaces: 0,
  max_mnt_namespaces: 0,
  max_net_namespaces: 0,
  max_pid_namespaces: 0,
  max_ipc_namespaces: 0,
  max_uts_namespaces: 0,
  max_cgroup_namespaces: 0,
  max_time_namespaces: 0,
};

/** Resource limits of the same kind: bytes in POSIX message queues, and signals and timers that wait. */
export const USER_RLIMITS: readonly { type: string; soft: number; hard: number }[] = [
  { type: 'RLIMIT_MSGQUEUE', soft: 0, hard: 0 },
  { type: 'RLIMIT_SIGPENDING', soft: 1024, hard: 1024 },
];

/** For how many sandboxes the host's own limit of inotify instances is enough, should all of them use theirs up. */
export function sandboxesWithInotify(): number {
  try {
    return Math.floor(Number(readFileSync(HOST_INSTANCES, 'utf8').trim()) / INOTIFY_INSTANCES);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
