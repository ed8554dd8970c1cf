import type { Family } from '../attack.ts';

const MIB = 1024 * 1024;

const fills = (folder: string): string => `
block = bytes(1 << 20)
with open("${folder}/filled", "wb", buffering=0) as file:
    for _ in range(100):
        if file.write(block) != len(block):
            raise OSError(errno.ENOSPC, "short write")
succeeded("100 MiB")`;

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
      name: 'memory-bomb',
      attempts: 'uses more memory than it may',
      script: `
held = [bytearray(os.urandom(1 << 20)) for _ in range(256)]
succeeded(len(held))`,
      refusedBy: ['SIGKILL', 'MemoryError', 'ENOMEM'],
      control: 'privileged-container',
      limits: { memoryBytes: 96 * MIB },
    },
    {
      name: 'memory-through-shared-files',
      attempts: 'uses more memory than it may through files that live in memory',
      script: `
numbers = [call("memfd_create", b"hoard", 0) for _ in range(4)]
block = os.urandom(1 << 20)
for _ in range(64):
    for number in numbers:
        os.write(number, block)
succeeded()`,
      refusedBy: ['SIGKILL', 'ENOMEM', 'MemoryError'],
      control: 'privileged-container',
      limits: { memoryBytes: 96 * MIB },
    },
    {
      name: 'disk-bytes',
      attempts: 'writes more than its workspace holds',
      script: fills('/workspace'),
      refusedBy: ['ENOSPC'],
      control: 'privileged-container',
      limits: { diskBytes: 64 * MIB },
    },
    {
      name: 'disk-by-a-sparse-file',
      attempts: 'reserves more than its workspace holds',
      script: `
with open("/workspace/reserved", "wb") as file:
    os.posix_fallocate(file.fileno(), 0, 256 << 20)
succeeded()`,
      refusedBy: ['ENOSPC'],
      control: 'privileged-container',
      limits: { diskBytes: 64 * MIB },
    },
    {
      name: 'inodes',
      attempts: 'makes more files than its workspace holds',
      script: `
folder = scratch()
for count in range(8000):
    os.close(os.open(f"{folder}/{count}", os.O_CREAT | os.O_WRONLY))
succeeded(count)`,
      refusedBy: ['ENOSPC'],
      control: 'privileged-container',
      limits: { diskBytes: 64 * MIB },
    },
    {
      name: 'shared-memory-folder',
      attempts: 'fills /dev/shm',
      script: fills('/dev/shm'),
      refusedBy: ['ENOSPC'],
      control: 'privileged-container',
      limits: {},
    },
    {
      name: 'temporary-folder',
      attempts: 'fills /tmp',
      script: fills('/tmp'),
      refusedBy: ['ENOSPC'],
      control: 'privileged-container',
      limits: {},
    },
    {
      name: 'device-folder',
      attempts: 'fills /dev',
      script: fills('/dev'),
      refusedBy: ['EACCES', 'ENOSPC'],
      control: 'privileged-container',
      limits: {},
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
share = 0.3
started = time.monotonic()
children = []
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        while time.monotonic() - started < 1.5:
            pass
        os._exit(0)
    children.append(pid)
used = sum(os.wait4(pid, 0)[2].ru_utime for pid in children)
part = used / (time.monotonic() - started)
succeeded(f"{part:.2f} processors") if part > share else refused("throttled")`,
      refusedBy: ['throttled'],
      control: 'privileged-container',
      limits: { cpus: 0.2 },
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
