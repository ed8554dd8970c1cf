import type { Family } from '../attack.ts';

const MIB = 1024 * 1024;
const SIZES = { diskBytes: 48 * MIB };

/** What one tenant leaves for the next, and what a path or an archive of a tenant does to the host. */
export const residue: Family = {
  name: 'residue',
  title: 'residue and paths',
  attacks: [
    {
      name: 'bytes-of-an-earlier-tenant',
      attempts: 'finds what an earlier sandbox wrote in unwritten blocks of its workspace',
      earlier: `
block = b"left by the one before " * 2048
with open("/workspace/left", "wb", buffering=0) as file:
    try:
        for _ in range(2000):
            file.write(block)
    except OSError:
        pass
if os.getuid() != 0:
    os.unlink("/workspace/left")`,
      script: `
needle = b"left by" + b" the one before "
number = os.open("/workspace/left", os.O_RDWR | os.O_CREAT, 0o600)
quietly(os.posix_fallocate, number, 0, 40 << 20)
offset = 0
while True:
    data = os.pread(number, 1 << 20, offset)
    if needle in data:
        succeeded(f"at {offset}")
    if not data:
        refused("only zeros")
    offset += len(data)`,
      refusedBy: ['only zeros'],
      control: 'privileged-container',
      limits: SIZES,
    },
    {
      name: 'files-of-an-earlier-tenant',
      attempts: 'finds files of an earlier sandbox in the folders that can be written',
      earlier: `
for folder in ("/workspace", "/tmp", "/dev/shm"):
    open(folder + "/left-behind", "w").close()`,
      script: `each(["/workspace", "/tmp", "/dev/shm", "/var/tmp"], lambda folder: os.stat(folder + "/left-behind") and None)`,
      refusedBy: ['ENOENT'],
      control: 'privileged-container',
      limits: SIZES,
    },
    {
      name: 'shared-memory-of-another-tenant',
      attempts: 'finds System V memory of an earlier sandbox or of a neighbour',
      earlier: `
segment = libc.shmget(0x46554D45, 4096, 0o1666)
if segment < 0:
    raise OSError(ctypes.get_errno(), "shmget")`,
      script: `
if libc.shmget(0x46554D45, 4096, 0) < 0:
    raise OSError(ctypes.get_errno(), "shmget")
succeeded()`,
      refusedBy: ['ENOENT'],
      control: 'privileged-container',
      limits: SIZES,
    },
    {
      name: 'archive-with-paths-upwards',
      attempts: 'writes to the host by an archive whose names lead upwards or are absolute',
      script: `
import io, tarfile
folder = os.environ["HOST_FOLDER"]
with tarfile.open("/workspace/slip.tar", "w") as archive:
    for name in ("../" * 12 + folder.lstrip("/") + "/slipped", folder + "/slipped"):
        info = tarfile.TarInfo(name)
        info.size = 4
        archive.addfile(info, io.BytesIO(b"slip"))
quietly(os.makedirs, folder)
subprocess.run(["/usr/bin/tar", "-xPf", "/workspace/slip.tar", "-C", "/workspace"], check=False, stderr=subprocess.DEVNULL)
succeeded()`,
      refusedBy: ['nothing on the host'],
      control: 'host-namespace',
      shares: 'host-folder',
      plants: 'slipped',
    },
    {
      name: 'zip-with-paths-upwards',
      attempts: 'the same by a ZIP archive, of a program that follows its names',
      script: `
import zipfile
folder = os.environ["HOST_FOLDER"]
with zipfile.ZipFile("/workspace/slip.zip", "w") as archive:
    for name in ("../" * 12 + folder.lstrip("/") + "/zipped", folder + "/zipped"):
        archive.writestr(zipfile.ZipInfo(name), "slip")
quietly(os.makedirs, folder)
with zipfile.ZipFile("/workspace/slip.zip") as archive:
    for name in archive.namelist():
        with open(os.path.join("/workspace", name), "wb") as file:
            file.write(archive.read(name))
succeeded()`,
      refusedBy: ['nothing on the host'],
      control: 'host-namespace',
      shares: 'host-folder',
      plants: 'zipped',
    },
    {
      name: 'hard-links',
      attempts: 'makes a hard link to a file of others, to keep or to change it',
      stage: `
mount("tmpfs", "/run", "tmpfs")
open("/run/victim", "w").close()
mount("/run", "/tmp", None, MS_BIND)`,
      script: `
def link(source):
    number = os.open(source, os.O_RDONLY)
    for target in ("/workspace", "/tmp", "/dev/shm"):
        quietly(os.unlink, target + "/linked")
        quietly(lambda: os.link(source, target + "/linked"))
        quietly(lambda: os.link(f"/proc/self/fd/{number}", target + "/linked", follow_symlinks=True))
        if os.path.exists(target + "/linked"):
            return
    raise OSError(errno.EXDEV, "not linked")
each(["/usr/bin/id", "/etc/passwd", "/fumehood/agent/__main__.py", "/proc/self/exe", "/tmp/victim"], link)`,
      refusedBy: ['EXDEV', 'EPERM', 'ENOENT', 'EACCES'],
      control: 'privileged-container',
    },
    {
      name: 'files-of-the-same-user-id',
      attempts: 'finds files of an earlier sandbox that had the same range of user ids',
      earlier: `
for folder in ("/workspace", "/tmp", "/dev/shm", "/dev/mqueue", "/run", "/var/tmp"):
    quietly(lambda: open(folder + "/owned", "w").close())`,
      script: `
own = os.getuid()
for top in ("/workspace", "/tmp", "/dev/shm", "/run", "/var", "/home", "/opt", "/data", "/fumehood", "/etc", "/usr/share", "/usr/lib"):
    for folder, _, names in os.walk(top):
        for name in names:
            if name == "owned" and quietly(os.lstat, f"{folder}/{name}"):
                succeeded(f"{folder}/{name}")
refused("nothing of the kind")`,
      refusedBy: ['nothing of the kind'],
      control: 'privileged-container',
      limits: SIZES,
    },
    {
      name: 'links-upwards',
      attempts: 'writes to the host through a symbolic link to one of its folders',
      script: `
os.symlink(os.environ["HOST_FOLDER"], "/workspace/way-out")
quietly(os.makedirs, os.environ["HOST_FOLDER"])
with open("/workspace/way-out/linked", "w") as file:
    file.write("linked")
succeeded()`,
      refusedBy: ['nothing on the host'],
      control: 'host-namespace',
      shares: 'host-folder',
      plants: 'linked',
    },
    {
      name: 'secrets-of-the-host',
      attempts: 'reads accounts and keys of the host from the places where they are',
      stage: `
mount("tmpfs", "/run", "tmpfs")
os.makedirs("/run/etc")
open("/run/etc/shadow", "w").write("root:*:")
mount("/run/etc", "/etc", None, MS_BIND)`,
      script: `
paths = ["/etc/shadow", "/etc/ssh/ssh_host_ed25519_key", "/root/.ssh", "/var/lib/docker", "/var/log/syslog", "/etc/machine-id", "/var/run/secrets", "/etc/sudoers"]
each(paths, lambda path: os.close(os.open(path, os.O_RDONLY)))`,
      refusedBy: ['ENOENT', 'EACCES'],
      control: 'privileged-container',
    },
  ],
};
