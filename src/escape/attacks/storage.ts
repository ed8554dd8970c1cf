import type { Family } from '../attack.ts';

const MIB = 1024 * 1024;

const fills = (folder: string): string => `
block = bytes(1 << 20)
with open("${folder}/filled", "wb", buffering=0) as file:
    for _ in range(100):
        if file.write(block) != len(block):
            raise OSError(errno.ENOSPC, "short write")
succeeded("100 MiB")`;

/** Using up memory and disk, at the cost of the host and of neighbours. */
export const storage: Family = {
  name: 'storage',
  title: 'memory and disk',
  attacks: [
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
      name: 'memory-by-swap',
      attempts: 'has its memory swapped out to use more than it may',
      script: `
held = []
for _ in range(256):
    block = mmap.mmap(-1, 1 << 20)
    block.write(os.urandom(1 << 20))
    quietly(block.madvise, 21)
    held.append(block)
succeeded(len(held))`,
      refusedBy: ['SIGKILL', 'MemoryError', 'ENOMEM'],
      control: 'privileged-container',
      limits: { memoryBytes: 96 * MIB },
    },
    {
      name: 'memory-of-sockets',
      attempts: 'keeps bytes in the buffers of sockets, which the kernel holds for the whole machine',
      stage: 'loopback_up()',
      script: `
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(512)
block, held, ends = bytes(1 << 18), 0, []
for _ in range(400):
    sender = socket.create_connection(server.getsockname())
    ends += [sender, server.accept()[0]]
    sender.setblocking(False)
    idle = 0
    while idle < 3:
        try:
            held += sender.send(block)
            idle = 0
        except BlockingIOError:
            idle += 1
            time.sleep(0.001)
    if held > 192 << 20:
        succeeded(f"{held >> 20} MiB")
refused("bounded")`,
      refusedBy: ['bounded', 'ENOBUFS', 'ENOMEM', 'SIGKILL'],
      control: 'privileged-container',
      limits: { memoryBytes: 96 * MIB },
    },
    {
      name: 'memory-of-pipes',
      attempts: 'keeps bytes in the buffers of pipes',
      script: `
held, ends = 0, []
for _ in range(3000):
    reading, writing = os.pipe()
    ends += [reading, writing]
    os.set_blocking(writing, False)
    try:
        while True:
            held += os.write(writing, bytes(65536))
    except BlockingIOError:
        pass
    if held > 128 << 20:
        succeeded(f"{held >> 20} MiB")
refused("bounded")`,
      refusedBy: ['bounded', 'EMFILE', 'ENFILE', 'SIGKILL'],
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
  ],
};
