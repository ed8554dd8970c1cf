import type { Attack, Family } from '../attack.ts';

const unshares = (kind: string, constant: string): Attack => ({
  name: `unshare-${kind}`,
  attempts: `makes a ${kind} namespace of its own, in which it has more rights`,
  script: `in_child(lambda: call("unshare", ${constant})); succeeded()`,
  refusedBy: ['EPERM'],
  control: 'privileged-container',
});

/** Leaving the namespaces of the sandbox, or making others. */
export const namespaces: Family = {
  name: 'namespaces',
  title: 'namespaces',
  attacks: [
    unshares('user', 'NEWUSER'),
    unshares('mount', 'NEWNS'),
    unshares('network', 'NEWNET'),
    unshares('pid', 'NEWPID'),
    unshares('cgroup', 'NEWCGROUP'),
    { ...unshares('time', 'NEWTIME'), mayLack: 'time namespaces' },
    {
      name: 'clone-user-namespace',
      attempts: 'makes a user namespace by clone(2), whose flags are an argument',
      script: `
pid = call("clone", NEWUSER | signal.SIGCHLD, 0, 0, 0, 0)
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'clone3-user-namespace',
      attempts: 'makes a user namespace by clone3(2), whose flags lie in memory where no filter sees them',
      script: `
pid = call("clone3", struct.pack("QQQQQQQQ", NEWUSER, 0, 0, 0, signal.SIGCHLD, 0, 0, 0), 64)
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
succeeded()`,
      refusedBy: ['ENOSYS'],
      control: 'privileged-container',
    },
    {
      name: 'setns-of-pid-1',
      attempts: 'enters a namespace of process 1',
      script: `
number = quietly(os.open, "/proc/1/ns/uts", os.O_RDONLY) or os.open("/proc/self/ns/uts", os.O_RDONLY)
call("setns", number, NEWUTS)
succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'setns-by-pidfd',
      attempts: 'enters the namespaces of process 1 by its pidfd',
      script: `call("setns", call("pidfd_open", 1, 0), NEWUTS | NEWIPC); succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'sethostname',
      attempts: 'changes the host name',
      script: `call("sethostname", b"taken", 5); succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'processes-of-the-host',
      attempts: 'finds a process that is not of this sandbox in /proc',
      script: `
own = os.readlink("/proc/self/ns/pid")
for name in os.listdir("/proc"):
    if name.isdigit():
        try:
            if os.readlink(f"/proc/{name}/ns/pid") != own:
                succeeded(name)
        except PermissionError:
            pass
        if quietly(lambda: b"fumehood" + b"_helper" in open(f"/proc/{name}/cmdline", "rb").read()):
            succeeded("the helper of the driver")
refused("only its own")`,
      refusedBy: ['only its own'],
      control: 'host-namespace',
      shares: 'host-pid',
    },
    {
      name: 'root-of-another-process',
      attempts: "reads the host's files through /proc/PID/root and /proc/PID/cwd",
      script: `
for name in os.listdir("/proc"):
    for link in ("root", "cwd"):
        path = f"/proc/{name}/{link}" + os.environ["HOST_FOLDER"] + "/secret"
        if name.isdigit() and quietly(is_secret, path):
            succeeded(path)
refused("not found")`,
      refusedBy: ['not found'],
      control: 'host-namespace',
      shares: 'host-pid',
    },
    {
      name: 'enter-the-network-of-the-host',
      attempts: 'enters the network of the host by the number of one of its processes',
      script: `
number = os.open(f"/proc/{os.environ['HOST_PID']}/ns/net", os.O_RDONLY)
call("setns", number, NEWNET)
reach("127.0.0.1", int(os.environ["HOST_PORT"]))
succeeded()`,
      refusedBy: ['ENOENT', 'EACCES', 'EPERM'],
      control: 'host-namespace',
      shares: 'host-pid',
    },
    {
      name: 'files-of-a-neighbour',
      attempts: "reads a neighbour's workspace, variables and memory map through /proc",
      script: `
neighbour = f"/proc/{os.environ['NEIGHBOUR_PID']}"
mark = os.environ["NEIGHBOUR_MARK"].encode()
def look(path):
    with open(f"{neighbour}/{path}", "rb") as file:
        if mark not in file.read(1 << 20):
            raise OSError(errno.ENODATA, "of somebody else")
each(["root/workspace/mark", "cwd/mark", "environ"], look)`,
      refusedBy: ['ENOENT', 'EACCES', 'ENODATA'],
      control: 'host-namespace',
      shares: 'host-pid',
    },
    {
      name: 'offsets-of-the-clocks',
      attempts: 'moves the clocks of what it runs in a time namespace',
      script: `
def inner():
    call("unshare", NEWTIME)
    with open("/proc/self/timens_offsets", "w") as file:
        file.write("monotonic 1000 0")
in_child(inner)
succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
      mayLack: 'time namespaces',
    },
    {
      name: 'signal-a-process-outside',
      attempts: 'signals processes of the host by number',
      script: `
target = int(os.environ["HOST_PID"])
if b"node" not in open(f"/proc/{target}/cmdline", "rb").read():
    refused("ESRCH")
os.kill(target, 0)
succeeded()`,
      refusedBy: ['ESRCH', 'ENOENT'],
      control: 'host-namespace',
      shares: 'host-pid',
    },
  ],
};
