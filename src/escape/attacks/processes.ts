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
      name: 'process-vm-writev',
      attempts: 'writes into the memory of another process',
      script: `
text = ctypes.create_string_buffer(b"0123456789abcdef")
into = ctypes.create_string_buffer(16)
vector = lambda where: struct.pack("QQ", ctypes.addressof(where), 16)
call("process_vm_writev", os.getppid() or os.getpid(), vector(text), 1, vector(into), 1, 0)
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
      name: 'socket-of-the-agent',
      attempts: 'connects to a named socket of the agent or of the host, as it stands in /proc/net/unix',
      stage: 'listen_unix("/run/agent.sock")',
      script: String.raw`
with open("/proc/net/unix") as file:
    names = {line.split()[7] for line in file.read().splitlines()[1:] if len(line.split()) > 7}
if not names:
    refused("no name")
def dial(name):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("\0" + name[1:] if name.startswith("@") else name)
each(sorted(names), dial)`,
      refusedBy: ['no name', 'ENOENT', 'ECONNREFUSED', 'EACCES'],
      control: 'privileged-container',
    },
    {
      name: 'descriptor-from-a-neighbour',
      attempts: 'is handed an open folder of a neighbour over a Unix socket (SCM_RIGHTS)',
      script: String.raw`
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect("\0" + os.environ["NEIGHBOUR_SOCKET"])
    _, descriptors, _, _ = socket.recv_fds(sock, 100, 1)
with open(os.open("mark", os.O_RDONLY, dir_fd=descriptors[0])) as file:
    succeeded(file.read() == os.environ["NEIGHBOUR_MARK"])`,
      refusedBy: ['ECONNREFUSED'],
      control: 'host-namespace',
      shares: 'neighbour-network',
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
