import type { Family } from '../attack.ts';

/** Reaching into other processes, and the tools of the host through what they left open. */
export const processes: Family = {
  name: 'processes',
  title: 'processes and descriptors',
  attacks: [
    {
      name: 'ptrace',
      attempts: 'takes over another process',
      script: `
child = subprocess.Popen(["/usr/bin/sleep", "5"])
try:
    call("ptrace", 16, child.pid, 0, 0)
    succeeded()
finally:
    child.kill()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'process-vm-readv',
      attempts: 'reads the memory of another process',
      script: `
text = ctypes.create_string_buffer(b"0123456789abcdef")
into = ctypes.create_string_buffer(16)
vector = lambda where: struct.pack("QQ", ctypes.addressof(where), 16)
call("process_vm_readv", os.getppid() or os.getpid(), vector(into), 1, vector(text), 1, 0)
succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'memory-of-pid-1',
      attempts: 'reads and writes the memory of the agent',
      script: `os.close(os.open("/proc/1/mem", os.O_RDWR)); succeeded()`,
      refusedBy: ['EACCES', 'EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'pidfd-getfd',
      attempts: 'takes an open file from another process',
      script: `call("pidfd_getfd", call("pidfd_open", 1, 0), 0, 0); succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'descriptors-of-pid-1',
      attempts: 'opens what the agent has open, the socket to the host among it',
      script: `os.close(os.open("/proc/1/fd/0", os.O_RDONLY)); succeeded(os.readlink("/proc/1/fd/0"))`,
      refusedBy: ['EACCES', 'EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'kcmp',
      attempts: 'compares the open files of processes in the kernel',
      script: `call("kcmp", os.getpid(), 1, 0, 0, 0); succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
      mayLack: 'kcmp',
    },
    {
      name: 'kill-the-agent',
      attempts: 'ends or stops the first process, on which the host relies',
      script: `
victim = 1
if os.getpid() == 1:
    victim = subprocess.Popen(["/usr/bin/sleep", "5"]).pid
for number in (signal.SIGHUP, signal.SIGSTOP, signal.SIGKILL):
    os.kill(victim, number)
time.sleep(0.1)
with open(f"/proc/{victim}/status") as file:
    state = [line for line in file if line.startswith("State:")][0].split()[1]
succeeded(state) if state in "TZX" else refused("it goes on")`,
      refusedBy: ['it goes on', 'EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'inherited-folder',
      attempts: 'climbs out through a folder of the host that a runtime left open (CVE-2024-21626)',
      script: `
up = "../" * 20
inside = os.stat("/")
places = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")] + ["/proc/self/cwd", "/proc/1/cwd"]
for place in places:
    for tail in ("secret", "../" * 20 + os.environ["HOST_FOLDER"].lstrip("/") + "/secret"):
        if quietly(is_secret, f"{place}/{tail}"):
            succeeded(place)
refused("no such folder")`,
      refusedBy: ['no such folder'],
      control: 'host-namespace',
      shares: 'host-folder-descriptor',
    },
    {
      name: 'descriptors-of-the-host',
      attempts: 'finds any open file besides its own three streams',
      script: `
known = ("pipe:", "/dev/null")
for number in os.listdir("/proc/self/fd"):
    target = quietly(os.readlink, f"/proc/self/fd/{number}")
    if int(number) > 2 and target and not target.startswith(f"/proc/{os.getpid()}/fd"):
        succeeded(target)
refused("only its own")`,
      refusedBy: ['only its own'],
      control: 'host-namespace',
      shares: 'host-folder-descriptor',
    },
    {
      name: 'overwrite-the-program-that-runs',
      attempts: 'writes into the program of a process through /proc/PID/exe (CVE-2019-5736)',
      stage: `
mount("tmpfs", "/run", "tmpfs")
os.makedirs("/run/upper"); os.makedirs("/run/work")
mount("overlay", "/usr/bin", "overlay", 0, "lowerdir=/usr/bin,upperdir=/run/upper,workdir=/run/work")`,
      script: `
child = subprocess.Popen(["/usr/bin/sleep", "0.1"])
time.sleep(0.03)
number = os.open(f"/proc/{child.pid}/exe", os.O_RDONLY)
child.wait()
os.write(os.open(f"/proc/self/fd/{number}", os.O_WRONLY), b"#!")
succeeded()`,
      refusedBy: ['EROFS', 'EACCES'],
      control: 'privileged-container',
    },
    {
      name: 'runtime-sockets',
      attempts: 'asks the container runtime or the driver of the host to do its will',
      stage: `
server = socket.socket(socket.AF_UNIX)
server.bind("/run/docker.sock")
server.listen()`,
      script: `
paths = ["/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock", "/run/crio/crio.sock",
         "/run/user/0/podman/podman.sock", "/run/dbus/system_bus_socket", "/run/systemd/private", "/run/fumehood"]
def dial(path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
each(paths, dial)`,
      refusedBy: ['ENOENT'],
      control: 'privileged-container',
    },
    {
      name: 'disk-of-the-host',
      attempts: 'makes the device file of a disk, or of the workspace of a neighbour, and reads it',
      script: `
with open("/proc/partitions") as file:
    disks = [tuple(map(int, line.split()[:2])) for line in file.read().splitlines()[2:]]
def read(place):
    (major, minor), folder = place
    path = f"{folder}/disk-{major}-{minor}"
    os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(major, minor))
    os.read(os.open(path, os.O_RDONLY), 512)
folders = ["/workspace", "/tmp", "/dev/shm", "/dev"]
each([(disk, folder) for disk in [*disks, (7, 0), (7, 1)] for folder in folders], read)`,
      refusedBy: ['EPERM', 'EACCES'],
      control: 'privileged-container',
      mayLack: 'a disk that root may read',
    },
    {
      name: 'devices-of-the-host',
      attempts: 'makes and opens the device files of KVM, loop, FUSE, TUN and memory',
      script: `
numbers = {"kvm": (10, 232), "loop-control": (10, 237), "fuse": (10, 229), "tun": (10, 200), "mem": (1, 1)}
for name, number in numbers.items():
    quietly(os.mknod, f"/workspace/{name}", 0o600 | stat.S_IFCHR, os.makedev(*number))
paths = [folder + name for name in numbers for folder in ("/dev/", "/dev/net/", "/workspace/")]
each(paths, lambda path: os.close(os.open(path, os.O_RDWR)))`,
      refusedBy: ['ENOENT', 'EPERM', 'EACCES'],
      control: 'privileged-container',
    },
    {
      name: 'write-what-is-shared',
      attempts: 'changes programs, settings or the agent for everybody',
      stage: `
os.makedirs("/run/upper"); os.makedirs("/run/work")
mount("overlay", "/usr/bin", "overlay", 0, "lowerdir=/usr/bin,upperdir=/run/upper,workdir=/run/work")`,
      script: `
folders = ["/usr/bin", "/usr/lib", "/usr/share", "/etc", "/etc/ssl/certs", "/fumehood/agent", "/", "/dev", "/home", "/opt"]
each(folders, lambda folder: open(folder + "/planted", "w").close())`,
      refusedBy: ['EROFS', 'EACCES', 'ENOENT'],
      control: 'privileged-container',
    },
  ],
};
