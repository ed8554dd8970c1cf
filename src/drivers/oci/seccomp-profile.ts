/**
 * The system calls that a sandbox may make; everything else is EPERM, or ENOSYS where programs have another way. Only the machine's own ABI
 * is there: 32-bit and x32 calls end the process.
 */

const FILES = `access faccessat faccessat2 open openat openat2 creat close close_range read write pread64 pwrite64 readv writev preadv pwritev preadv2
  pwritev2 lseek _llseek sendfile copy_file_range splice tee vmsplice readahead fadvise64 fallocate truncate ftruncate fsync fdatasync
  sync_file_range syncfs sync msync stat fstat lstat newfstatat statx statfs fstatfs getdents getdents64 getcwd chdir fchdir rename renameat renameat2
  link linkat symlink symlinkat unlink unlinkat readlink readlinkat mkdir mkdirat rmdir mknod mknodat chmod fchmod fchmodat fchmodat2 chown fchown
  fchownat lchown utime utimes utimensat futimesat umask dup dup2 dup3 pipe pipe2 fcntl flock inotify_init inotify_init1 inotify_add_watch
  inotify_rm_watch getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
  memfd_create cachestat`;

const PROCESSES = `execve execveat exit exit_group fork vfork wait4 waitid getpid getppid gettid getpgid getpgrp setpgid getsid setsid kill tgkill tkill
  rt_sigaction rt_sigprocmask rt_sigpending rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigqueueinfo rt_tgsigqueueinfo sigaltstack signalfd
  signalfd4 pause alarm getitimer setitimer prctl arch_prctl set_tid_address set_robust_list get_robust_list futex futex_waitv futex_wait futex_wake
  futex_requeue rseq sched_yield sched_getaffinity sched_setaffinity sched_getparam sched_setparam sched_getscheduler sched_setscheduler
  sched_get_priority_max sched_get_priority_min sched_rr_get_interval sched_getattr sched_setattr getpriority setpriority ioprio_get ioprio_set
  getrlimit setrlimit prlimit64 getrusage times getcpu pidfd_open pidfd_send_signal process_mrelease membarrier restart_syscall landlock_create_ruleset
  landlock_add_rule landlock_restrict_self seccomp capget capset getuid geteuid getgid getegid getresuid getresgid getgroups setuid setgid
  setreuid setregid setresuid setresgid setgroups setfsuid setfsgid uname sysinfo`;

const MEMORY = `brk mmap munmap mremap mprotect madvise mincore mlock mlock2 mlockall munlock munlockall pkey_alloc pkey_free pkey_mprotect
  get_mempolicy remap_file_pages map_shadow_stack`;

const NETWORK = `bind connect listen accept accept4 getsockname getpeername getsockopt setsockopt shutdown sendto recvfrom sendmsg recvmsg
  sendmmsg recvmmsg select pselect6 poll ppoll epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2
  eventfd eventfd2`;

const IPC_AND_TIME = `shmget shmat shmdt shmctl semget semop semctl semtimedop msgget msgsnd msgrcv msgctl mq_open mq_unlink mq_timedsend
  mq_timedreceive mq_notify mq_getsetattr time gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep timer_create timer_settime
  timer_gettime timer_getoverrun timer_delete timerfd_create timerfd_settime timerfd_gettime getrandom`;

/**
 * Said not to exist, so that programs take another way: clone3, whose flags cannot be checked, and asynchronous I/O of old, whose slots the
 * kernel counts for the whole machine (fs.aio-max-nr) and not for who takes them.
 */
const ABSENT = 'clone3 io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents';

type Argument = { index: number; value: number; op: string; valueTwo?: number };
type Rule = { names: string[]; action: string; args?: Argument[]; errnoRet?: number };
export type SeccompProfile = {
  defaultAction: string;
  defaultErrnoRet: number;
  architectures: string[];
  syscalls: Rule[];
};

const EPERM = 1;
const ENOSYS = 38;
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET and NEWTIME (which shares its bit with the exit signal's mask). */
const NAMESPACE_FLAGS = 0x7e020000;
const TIOCSTI = 0x5412;
const UNIX = 1;
/** Of the Internet's protocols TCP and UDP alone: others (multipath TCP, SCTP, UDP-Lite) are code of the kernel that no client here needs. */
const INTERNET = { families: [2, 10], types: [1, 2], protocols: [0, 6, 17] };
/** Bits of a socket's type; the upper ones are flags. */
const TYPE_MASK = 0xf;
/** Netlink, for its routing protocol alone: clients list interfaces with it; to change them they lack the right in the namespace's owner. */
const NETLINK = { family: 16, route: 0 };
/** PER_LINUX, PER_LINUX with 32-bit addresses as old allocators ask, and the query; none that turns address randomisation off. */
const PERSONALITIES = [0x0, 0x8, 0xffffffff];

const words = (text: string): string[] => text.trim().split(/\s+/);
const allow = (names: string[], args?: Argument[]): Rule => ({
  names,
  action: 'SCMP_ACT_ALLOW',
  ...(args === undefined ? {} : { args }),
});

/** One condition for each of the 32 low bits in which a request can differ: the kernel ignores the upper ones, so they must not decide. */
const differentBits = (request: number): Argument[] =>
  Array.from({ length: 32 }, (_, bit) => {
    const mask = 2 ** bit;
    const isSet = Math.floor(request / mask) % 2 === 1;
    return { index: 1, value: mask, valueTwo: isSet ? 0 : mask, op: 'SCMP_CMP_MASKED_EQ' };
  });

const internetSockets = (): Argument[][] =>
  INTERNET.families.flatMap((family) =>
    INTERNET.types.flatMap((type) =>
      INTERNET.protocols.map((protocol): Argument[] => [
        { index: 0, value: family, op: 'SCMP_CMP_EQ' },
        { index: 1, value: TYPE_MASK, valueTwo: type, op: 'SCMP_CMP_MASKED_EQ' },
        { index: 2, value: protocol, op: 'SCMP_CMP_EQ' },
      ]),
    ),
  );

/** The profile for this machine's architecture. */
export function seccompProfile(architecture: 'x64' | 'arm64'): SeccompProfile {
  const equals = (value: number): Argument[] => [{ index: 0, value, op: 'SCMP_CMP_EQ' }];
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: [architecture === 'x64' ? 'SCMP_ARCH_X86_64' : 'SCMP_ARCH_AARCH64'],
    syscalls: [
      allow([FILES, PROCESSES, MEMORY, NETWORK, IPC_AND_TIME].flatMap(words)),
      allow(['socket', 'socketpair'], equals(UNIX)),
      ...internetSockets().map((args) => allow(['socket'], args)),
      allow(
        ['socket'],
        [
          { index: 0, value: NETLINK.family, op: 'SCMP_CMP_EQ' },
          { index: 2, value: NETLINK.route, op: 'SCMP_CMP_EQ' },
        ],
      ),
      ...PERSONALITIES.map((persona) => allow(['personality'], equals(persona))),
      allow(['clone'], [{ index: 0, value: NAMESPACE_FLAGS, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]),
      ...differentBits(TIOCSTI).map((bit) => allow(['ioctl'], [bit])),
      { names: words(ABSENT), action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
    ],
  };
}
