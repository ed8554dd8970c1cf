import type { Attack, Family } from '../attack.ts';

/** Finds it under /dev, or makes it by its number in a folder of its own. */
const opensDevice = (
  name: string,
  attempts: string,
  number: [major: number, minor: number],
  mayLack?: string,
): Attack => ({
  name: `device-${name.replace('/', '-')}`,
  attempts,
  script: `
quietly(os.mknod, scratch() + "/device", 0o600 | stat.S_IFCHR, os.makedev(${number.join(', ')}))
each(["/dev/${name}", scratch() + "/device"], lambda path: os.close(os.open(path, os.O_RDWR)))`,
  refusedBy: ['ENOENT', 'EPERM', 'EACCES'],
  control: 'privileged-container',
  ...(mayLack === undefined ? {} : { mayLack }),
});

/** Reaching the machine's devices. */
export const devices: Family = {
  name: 'devices',
  title: 'devices',
  attacks: [
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
      name: 'virtual-machine',
      attempts: 'makes a virtual machine by /dev/kvm, whose holes are holes of the host',
      script: `
quietly(os.mknod, scratch() + "/kvm", 0o600 | stat.S_IFCHR, os.makedev(10, 232))
each(["/dev/kvm", scratch() + "/kvm"], lambda path: fcntl.ioctl(os.open(path, os.O_RDWR), 0xAE00))`,
      refusedBy: ['ENOENT', 'EPERM', 'EACCES'],
      control: 'privileged-container',
      mayLack: 'KVM',
    },
    opensDevice('mem', 'reads and writes the memory of the machine', [1, 1], '/dev/mem'),
    opensDevice('port', 'reads and writes the ports of the machine', [1, 4], '/dev/port'),
    opensDevice('loop-control', 'makes loop devices, by which files become disks', [10, 237], 'loop devices'),
    opensDevice('fuse', 'serves a file system of its own to the kernel', [10, 229], 'FUSE'),
    opensDevice('net/tun', 'makes a network interface of its own', [10, 200], 'TUN'),
    opensDevice('vhost-net', 'has the kernel serve a network of its own', [10, 238], 'vhost'),
    opensDevice('uinput', 'types as a keyboard of the machine', [10, 223], 'uinput'),
    opensDevice('tty0', 'draws on the console of the machine, or types into it', [4, 0], 'virtual terminals'),
    {
      name: 'device-userfaultfd',
      attempts: 'stops the kernel in the middle of its reads, by the device instead of the call',
      script: `
with open("/proc/misc") as file:
    minor = {line.split()[1]: int(line.split()[0]) for line in file}.get("userfaultfd")
if minor is not None:
    quietly(os.mknod, scratch() + "/userfaultfd", 0o600 | stat.S_IFCHR, os.makedev(10, minor))
each(["/dev/userfaultfd", scratch() + "/userfaultfd"], lambda path: fcntl.ioctl(os.open(path, os.O_RDWR), 0xAA00, 0))`,
      refusedBy: ['ENOENT', 'EPERM', 'EACCES'],
      control: 'privileged-container',
      mayLack: 'the device of userfaultfd',
    },
  ],
};
