import type { Attack, Family } from '../attack.ts';

const EPERM = ['EPERM'];

/** Opens for writing and writes nothing. */
const opensForWriting = (name: string, attempts: string, paths: string[], mayLack?: string): Attack => ({
  name,
  attempts,
  script: `each(${JSON.stringify(paths)}, lambda path: os.close(os.open(path, os.O_WRONLY)))`,
  refusedBy: ['EROFS', 'EACCES', 'EPERM', 'ENOENT'],
  control: 'errno-only',
  ...(mayLack === undefined ? {} : { mayLack }),
});

const checked = (name: string, attempts: string, args: string, mayLack?: string): Attack => ({
  name,
  attempts,
  script: `past_the_check(${args})`,
  refusedBy: EPERM,
  control: 'errno-only',
  ...(mayLack === undefined ? {} : { mayLack }),
});

/** What belongs to the whole machine and to no namespace: shown by the errno, never done. */
export const hostControl: Family = {
  name: 'host-control',
  title: 'control of the host',
  attacks: [
    checked('load-module', 'loads a module into the kernel', '"finit_module", -1, b"", 0', 'loadable modules'),
    checked(
      'unload-module',
      'takes a module out of the kernel',
      '"delete_module", b"no-such-module", 2048',
      'loadable modules',
    ),
    checked(
      'load-module-from-memory',
      'loads a module from memory, past a ban on files',
      '"init_module", None, 0, b""',
      'loadable modules',
    ),
    checked('kexec', 'starts another kernel', '"kexec_load", 0, 0, None, 0xFFFF', 'kexec'),
    checked(
      'kexec-of-a-file',
      'starts another kernel from a file',
      '"kexec_file_load", -1, -1, 0, None, 0xFFFF',
      'kexec',
    ),
    checked('reboot', 'restarts the machine', '"reboot", 0, 0, 0, None'),
    checked('set-clock', 'sets the clock', '"settimeofday", None, None'),
    checked('set-clock-by-the-newer-call', 'sets the clock by clock_settime(2)', '"clock_settime", 0, None'),
    checked('adjust-clock', 'makes the clock go slower', '"adjtimex", struct.pack("I", 0x4000) + bytes(256)'),
    checked('swap-on', 'adds swap', '"swapon", b"/nonexistent/swap", 0', 'swap'),
    checked('swap-off', 'takes swap away', '"swapoff", b"/nonexistent/swap"', 'swap'),
    checked('accounting', 'turns on the accounting of processes', '"acct", b"/nonexistent/acct"', 'process accounting'),
    checked(
      'quota',
      'changes the quotas of the disk',
      '"quotactl", 0x80000200, b"/nonexistent/disk", 0, None',
      'quotas',
    ),
    checked('kernel-log', 'reads the log of the kernel', '"syslog", 10, None, 0'),
    opensForWriting('core-pattern', 'has the host run a program on a crash', ['/proc/sys/kernel/core_pattern']),
    opensForWriting(
      'modprobe-path',
      'has the kernel run a program when it wants a module',
      ['/proc/sys/kernel/modprobe'],
      'loadable modules',
    ),
    opensForWriting(
      'uevent-helper',
      'has the kernel run a program on a device event',
      ['/sys/kernel/uevent_helper', '/proc/sys/kernel/hotplug'],
      'uevent helpers',
    ),
    opensForWriting('sysrq-trigger', 'gives the kernel a magic key', ['/proc/sysrq-trigger'], 'the magic key'),
    opensForWriting('kernel-settings', 'changes settings of the whole kernel', [
      '/proc/sys/vm/overcommit_memory',
      '/proc/sys/vm/drop_caches',
      '/proc/sys/kernel/panic',
      '/proc/sys/fs/protected_symlinks',
    ]),
    opensForWriting(
      'interrupt-affinity',
      'moves interrupts between processors',
      ['/proc/irq/default_smp_affinity'],
      'settings of interrupts',
    ),
    opensForWriting(
      'memory-types',
      'changes how the machine caches its memory',
      ['/proc/mtrr'],
      'registers of memory types',
    ),
    opensForWriting(
      'buses',
      'writes to the configuration of devices on the PCI bus',
      ['/proc/bus/pci/00/00.0', '/sys/bus/pci/rescan'],
      'a PCI bus',
    ),
    {
      name: 'debug-folders',
      attempts: "reads the kernel's insides where the host has mounted them",
      stage: `
quietly(mount, "debugfs", "/sys/kernel/debug", "debugfs")
quietly(mount, "tracefs", "/sys/kernel/tracing", "tracefs")`,
      script: `each(["/sys/kernel/debug", "/sys/kernel/tracing"], lambda path: os.listdir(path)[0])`,
      refusedBy: ['ENOENT'],
      control: 'privileged-container',
      mayLack: 'debugfs and tracefs',
    },
    {
      name: 'identity-of-the-machine',
      attempts: 'learns by which name the machine is known, and so whether two sandboxes are on one',
      script: `
def look(path):
    with open(path) as file:
        if not file.read(8).strip():
            raise OSError(errno.ENODATA, "empty")
each(["/proc/sys/kernel/random/boot_id", "/etc/machine-id", "/sys/class/dmi/id/product_uuid", "/proc/device-tree/serial-number"], look)`,
      refusedBy: ['ENODATA', 'ENOENT', 'EACCES'],
      control: 'privileged-container',
    },
    {
      name: 'raise-limits-of-the-cgroup',
      attempts: 'writes a greater limit into its own control group',
      script: `
places = {"memory": "memory.limit_in_bytes", "pids": "pids.max"}
def raise_limit(path):
    with open(path, "r+") as file:
        file.write(file.read().strip())
for controller in places:
    quietly(mount, "cgroup", scratch("cg-" + controller), "cgroup", 0, controller)
quietly(mount, "cgroup2", scratch("cg-v2"), "cgroup2")
with open("/proc/self/cgroup") as file:
    own = [line.strip().split(":", 2)[1:] for line in file]
paths = []
for group in [path for kinds, path in own if not kinds] + [""]:
    for name in ("memory.max", "pids.max", "cgroup.max.descendants"):
        paths += [f"/sys/fs/cgroup{group}/{name}", f"/workspace/cg-v2{group}/{name}"]
for controller, name in places.items():
    for group in [path for kinds, path in own if controller in kinds.split(",")] + [""]:
        paths += [f"/sys/fs/cgroup/{controller}{group}/{name}", f"/workspace/cg-{controller}{group}/{name}"]
each(paths, raise_limit)`,
      refusedBy: ['ENOENT'],
      control: 'host-namespace',
      // In version 2 (option nsdelegate, cgroup-v2.rst) nobody raises the limits of the group that is the root of their own namespace.
      shares: 'host-cgroup',
    },
    {
      name: 'read-kernel-memory',
      attempts: 'reads the memory of the kernel or the machine',
      script: `
def look(path):
    with open(path, "rb") as file:
        if not file.read(4):
            raise OSError(errno.ENODATA, "empty")
each(["/proc/kcore", "/dev/mem", "/dev/kmem", "/dev/port"], look)`,
      refusedBy: ['ENOENT', 'EACCES', 'ENODATA'],
      control: 'privileged-container',
      mayLack: '/proc/kcore and /dev/mem',
    },
    {
      name: 'addresses-of-the-kernel',
      attempts: 'learns where the kernel lies in memory',
      script: `
with open("/proc/kallsyms") as file:
    line = file.readline()
if not line or int(line.split()[0], 16) == 0:
    raise OSError(errno.ENODATA, "no address")
succeeded()`,
      refusedBy: ['ENODATA', 'ENOENT', 'EACCES'],
      control: 'privileged-container',
      mayLack: 'addresses of symbols',
    },
    {
      name: 'lists-of-the-kernel',
      attempts: 'reads timers, keys and allocations of the whole machine',
      script: `
def look(path):
    with open(path, "rb") as file:
        if not file.read(16):
            raise OSError(errno.ENODATA, "empty")
each(["/proc/timer_list", "/proc/keys", "/proc/slabinfo", "/proc/vmallocinfo", "/proc/kpagecount"], look)`,
      refusedBy: ['ENODATA', 'ENOENT', 'EACCES'],
      control: 'privileged-container',
    },
    {
      name: 'log-device',
      attempts: 'reads the log of the kernel from its device',
      script: `
quietly(os.mknod, scratch() + "/kmsg", 0o600 | stat.S_IFCHR, os.makedev(1, 11))
def look(path):
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if os.fstat(number).st_rdev == os.stat("/dev/null").st_rdev:
        raise OSError(errno.ENODATA, "masked")
each(["/dev/kmsg", "/proc/kmsg", scratch() + "/kmsg"], look)`,
      refusedBy: ['ENOENT', 'EACCES', 'EPERM', 'ENODATA'],
      control: 'privileged-container',
    },
    {
      name: 'firmware',
      attempts: 'reads what the machine is from /sys',
      script: `each(["/sys/firmware", "/sys/class/dmi/id"], lambda path: os.listdir(path))`,
      refusedBy: ['ENOENT'],
      control: 'privileged-container',
      mayLack: '/sys/firmware',
    },
    {
      name: 'cgroup-self-migration',
      attempts: 'leaves its limits by moving to another control group',
      script: `
kinds = [("cgroup2", None), ("cgroup", "pids"), ("cgroup", "memory")]
for kind, controller in kinds:
    quietly(mount, "cgroup", scratch("cg-" + (controller or "v2")), kind, 0, controller)
places = ["/sys/fs/cgroup", "/sys/fs/cgroup/pids", *("/workspace/cg-" + (controller or "v2") for _, controller in kinds)]
def move(folder):
    with open(folder + "/cgroup.procs", "r+") as file:
        file.write("0")
each(places, move)`,
      refusedBy: ['ENOENT'],
      control: 'privileged-container',
    },
    {
      name: 'release-agent',
      attempts: 'has the host run a program when a control group empties, or lifts the ban on devices',
      script: `
mount("cgroup", scratch(), "cgroup", 0, "devices")
each(["release_agent", "devices.allow"], lambda name: os.close(os.open(f"{scratch()}/{name}", os.O_WRONLY)))`,
      refusedBy: EPERM,
      control: 'errno-only',
      mayLack: 'version 1 control groups of devices',
    },
  ],
};
