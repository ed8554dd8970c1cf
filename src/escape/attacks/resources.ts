import type { Family } from '../attack.ts';

const MIB = 1024 * 1024;

/** Taking more than was given, at the cost of the host and of neighbours. */
export const resources: Family = {
  name: 'resources',
  title: 'resources',
  attacks: [
    {
      name: 'fork-bomb',
      attempts: 'makes more processes than it may',
      script: `
children = []
try:
    for _ in range(300):
        pid = os.fork()
        if pid == 0:
            signal.pause()
        children.append(pid)
finally:
    for pid in children:
        os.kill(pid, signal.SIGKILL)
succeeded(len(children))`,
      refusedBy: ['EAGAIN'],
      control: 'privileged-container',
      limits: { pids: 64 },
    },
    {
      name: 'open-files',
      attempts: 'opens more files than it may',
      script: `
import resource
quietly(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))) if os.getuid() == 0 else None
count = 0
for count in range(10000):
    os.dup(0)
succeeded(count)`,
      refusedBy: ['EMFILE'],
      control: 'privileged-container',
    },
    {
      name: 'raise-the-limit-of-open-files',
      attempts: 'raises its own limits',
      script: `
import resource
try:
    resource.setrlimit(resource.RLIMIT_NOFILE, (16384, 16384))
except ValueError:
    raise OSError(errno.EPERM, "not allowed to raise maximum limit")
succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'core-dump',
      attempts: 'leaves a core dump for the host to handle',
      script: `
import resource
try:
    resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))
except ValueError:
    raise OSError(errno.EPERM, "not allowed to raise maximum limit")
succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'watches-of-files',
      attempts: 'takes the inotify instances that root shares with all sandboxes',
      script: `
for count in range(24):
    if libc.inotify_init1(0) < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
succeeded(count + 1)`,
      refusedBy: ['EMFILE'],
      control: 'privileged-container',
    },
    {
      name: 'watched-files',
      attempts: 'watches more files than its share of what root has for all sandboxes',
      script: `
watcher = libc.inotify_init1(0)
folders = [scratch()] if os.getuid() == 0 else ["/tmp", "/dev/shm"]
for count in range(40000):
    path = f"{folders[count % len(folders)]}/{count}"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    if libc.inotify_add_watch(watcher, path.encode(), 2) < 0:
        raise OSError(ctypes.get_errno(), "inotify_add_watch")
succeeded(count + 1)`,
      refusedBy: ['ENOSPC'],
      control: 'privileged-container',
      mayLack: 'more watches for root than a sandbox may have',
      limits: { memoryBytes: 384 * MIB },
    },
    {
      name: 'zombies',
      attempts: 'leaves dead processes that nobody collects, until no new one can be made',
      script: `
for _ in range(100):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
succeeded()`,
      refusedBy: ['EAGAIN'],
      control: 'privileged-container',
      limits: { pids: 64 },
    },
    {
      name: 'message-queues',
      attempts: 'takes the bytes of message queues that root shares with all sandboxes',
      script: `
librt = ctypes.CDLL("librt.so.1", use_errno=True)
if librt.mq_open(b"/taken", os.O_RDWR | os.O_CREAT, 0o600, None) < 0:
    raise OSError(ctypes.get_errno(), "mq_open")
succeeded()`,
      refusedBy: ['EMFILE'],
      control: 'privileged-container',
    },
    {
      name: 'signals-that-wait',
      attempts: 'takes the waiting signals that root shares with all sandboxes',
      script: `
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN})
for count in range(3000):
    if libc.sigqueue(os.getpid(), int(signal.SIGRTMIN), ctypes.c_void_p(0)) != 0:
        raise OSError(ctypes.get_errno(), "sigqueue")
succeeded(count + 1)`,
      refusedBy: ['EAGAIN'],
      control: 'privileged-container',
    },
    {
      name: 'slots-of-asynchronous-io',
      attempts: 'takes the slots of asynchronous I/O of the whole machine',
      script: `call("io_setup", 8, ctypes.byref(ctypes.c_ulong(0))); succeeded()`,
      refusedBy: ['ENOSYS'],
      control: 'privileged-container',
      mayLack: 'asynchronous I/O',
    },
    {
      name: 'terminals',
      attempts: 'takes the terminals of the whole machine',
      script: `
for count in range(64):
    os.openpty()
succeeded(count + 1)`,
      refusedBy: ['ENOSPC'],
      control: 'privileged-container',
    },
    {
      name: 'processor-time',
      attempts: 'uses more processor time than it may',
      script: `
share = 0.09
started = time.monotonic()
children = []
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        while time.monotonic() - started < 3:
            pass
        os._exit(0)
    children.append(pid)
used = sum(os.wait4(pid, 0)[2].ru_utime for pid in children)
part = used / (time.monotonic() - started)
succeeded(f"{part:.2f} processors") if part > share else refused("throttled")`,
      refusedBy: ['throttled'],
      control: 'privileged-container',
      // So little that the control gets more on a machine that is busy.
      limits: { cpus: 0.05 },
    },
    {
      name: 'output-flood',
      attempts: 'floods who reads its output',
      script: String.raw`
for _ in range(64):
    sys.stdout.write("x" * (1 << 20) + "\n")
sys.stdout.flush()
succeeded()`,
      refusedBy: ['SIGKILL'],
      control: 'privileged-container',
      maxOutputBytes: MIB,
    },
  ],
};
