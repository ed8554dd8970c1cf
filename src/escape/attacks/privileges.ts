import type { Family } from '../attack.ts';

/** Gaining a right that the sandbox's user lacks. */
export const privileges: Family = {
  name: 'privileges',
  title: 'privileges',
  attacks: [
    {
      name: 'capabilities-and-filters',
      attempts: 'finds a capability, or a missing filter, in its own status',
      script: String.raw`
with open("/proc/self/status") as file:
    status = dict(line.strip().split(":\t", 1) for line in file if line.startswith(("Cap", "NoNewPrivs", "Seccomp:")))
for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
    if int(status[name], 16):
        succeeded(name)
if status["NoNewPrivs"] != "1" or status["Seccomp"] != "2":
    succeeded("no filter")
refused("none")`,
      refusedBy: ['none'],
      control: 'privileged-container',
    },
    {
      name: 'raise-capabilities',
      attempts: 'gives itself every capability',
      script: `
everything = struct.pack("II", 0x20080522, 0), struct.pack("IIIIII", 0xFFFFFFFF, 0xFFFFFFFF, 0, 0x1FF, 0x1FF, 0)
bounds = [bit for bit in range(41) if libc.prctl(23, bit, 0, 0, 0) == 1]
low, high = sum(1 << bit for bit in bounds if bit < 32), sum(1 << (bit - 32) for bit in bounds if bit >= 32)
wanted = struct.pack("IIIIII", low or 0xFFFFFFFF, low or 0xFFFFFFFF, 0, high, high, 0)
call("capset", everything[0], wanted)
succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'become-root',
      attempts: 'changes its user to root',
      script: `call("setresuid", 0, 0, 0); os.setgid(0); os.setgroups([0]); succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'setuid-program',
      attempts: 'runs a set-user-id program of the host',
      script: `
def is_setuid(path):
    return os.path.exists(path) and os.stat(path).st_mode & stat.S_ISUID
programs = [path for path in ("/usr/bin/su", "/usr/bin/passwd", "/usr/bin/newgrp", "/usr/bin/chfn") if is_setuid(path)]
if not programs:
    raise OSError(errno.ENOENT, "no set-user-id program")
os.setresuid(1000, 1000, 1000)
child = subprocess.Popen([programs[0]], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
for _ in range(50):
    time.sleep(0.01)
    with open(f"/proc/{child.pid}/status") as file:
        line = [line for line in file if line.startswith("Uid:")]
    if line and line[0].split()[2] == "0":
        child.kill()
        succeeded(programs[0])
child.kill()
refused("same user")`,
      refusedBy: ['same user'],
      control: 'privileged-container',
      mayLack: 'set-user-id programs',
    },
    {
      name: 'setuid-program-from-memory',
      attempts: 'runs a set-user-id copy of a program from memory, where no mount says nosuid',
      script: `
number = call("memfd_create", b"copy", 0)
with open("/usr/bin/id", "rb") as file:
    os.write(number, file.read())
os.fchmod(number, 0o4755)
if os.fstat(number).st_uid != 0 or not os.fstat(number).st_mode & stat.S_ISUID:
    raise OSError(errno.EPERM, "not root's")
drop = lambda: os.setresuid(1000, 1000, 1000) if os.getuid() == 0 else None
ids = subprocess.run([f"/proc/self/fd/{number}", "-u"], pass_fds=[number], preexec_fn=drop, capture_output=True, text=True).stdout.strip()
if ids != "0":
    raise OSError(errno.EPERM, "same user")
succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
      mayLack: 'set-user-id programs in memory',
    },
    {
      name: 'setuid-program-by-descriptor',
      attempts: 'runs a set-user-id copy of a program by execveat(2), which needs no path',
      script: `
with open("/usr/bin/id", "rb") as file, open("/workspace/copy", "wb") as copy:
    copy.write(file.read())
os.chmod("/workspace/copy", 0o4755)
number = os.open("/workspace/copy", os.O_RDONLY)
reading, writing = os.pipe()
pid = os.fork()
if pid == 0:
    if os.getuid() == 0:
        os.setresuid(1000, 1000, 1000)
    os.dup2(writing, 1)
    argv = (ctypes.c_char_p * 3)(b"id", b"-u", None)
    call("execveat", number, b"", argv, (ctypes.c_char_p * 1)(None), AT_EMPTY_PATH)
os.close(writing)
user = os.read(reading, 100).decode().strip()
os.waitpid(pid, 0)
succeeded() if user == "0" else refused("same user")`,
      refusedBy: ['same user'],
      control: 'privileged-container',
    },
    {
      name: 'file-capabilities',
      attempts: 'gives a program of its own a capability',
      script: String.raw`
path = scratch() + "/program"
with open(path, "wb") as file:
    file.write(b"#!/bin/sh\n")
os.setxattr(path, "security.capability", struct.pack("<IIIII", 0x02000001, 1 << 21, 0, 0, 0))
succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'own-file-to-root',
      attempts: 'gives a file to another user',
      script: `
path = scratch() + "/given"
open(path, "w").close()
os.chown(path, 0 if os.getuid() else 1234, -1)
succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'raise-priority',
      attempts: 'puts itself before its neighbours',
      script: `os.setpriority(os.PRIO_PROCESS, 0, -10); succeeded()`,
      refusedBy: ['EACCES', 'EPERM'],
      control: 'privileged-container',
    },
    {
      name: 'realtime-scheduling',
      attempts: 'takes a processor for itself',
      script: `
def inner():
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
in_child(inner)
succeeded()`,
      refusedBy: ['EPERM'],
      control: 'privileged-container',
      mayLack: 'realtime scheduling in control groups',
    },
    {
      name: 'escape-the-oom-killer',
      attempts: 'has others killed in its place when memory runs out',
      script: `
def inner():
    with open("/proc/self/oom_score_adj", "r+") as file:
        file.write("-1000")
in_child(inner)
succeeded()`,
      refusedBy: ['EACCES', 'EPERM'],
      control: 'privileged-container',
      mayLack: 'the right to raise limits (CAP_SYS_RESOURCE)',
    },
  ],
};
