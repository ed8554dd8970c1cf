import type { Family } from '../attack.ts';

const EPERM = ['EPERM'];

/** Changing what the sandbox sees of file systems. */
export const mounts: Family = {
  name: 'mounts',
  title: 'mounts',
  attacks: [
    {
      name: 'mount-tmpfs',
      attempts: 'mounts a file system of its own',
      script: `mount("tmpfs", scratch(), "tmpfs"); succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'bind-mount',
      attempts: 'binds one folder over another, to hide or to reveal',
      script: `mount("/proc", scratch(), None, MS_BIND); succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'remount-root-writable',
      attempts: 'makes the read-only root writable',
      script: `
mount(None, "/", None, MS_REMOUNT | MS_BIND)
open("/written", "w").close()
succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'mount-setattr',
      attempts: 'makes the read-only root writable by the newer call',
      script: `
call("mount_setattr", AT_FDCWD, b"/", 0, struct.pack("QQQQ", 0, 1, 0, 0), 32)
open("/written", "w").close()
succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'unmount-mask',
      attempts: 'takes away a mount that the sandbox was given',
      script: `call("umount2", b"/dev/shm", MNT_DETACH); succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'fsopen-fsmount-move-mount',
      attempts: 'mounts by the calls that a filter for mount(2) overlooks',
      script: `
context = call("fsopen", b"tmpfs", 0)
call("fsconfig", context, 6, None, None, 0)
number = call("fsmount", context, 0, 0)
call("move_mount", number, b"", AT_FDCWD, scratch().encode(), 4)
succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'open-tree-clone',
      attempts: 'makes a detached copy of the mount tree, without the masks over it',
      script: `os.open(".", os.O_RDONLY, dir_fd=call("open_tree", AT_FDCWD, b"/proc", 1)); succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'pivot-root',
      attempts: 'exchanges the root',
      script: `
quietly(mount, "/workspace", "/workspace", None, MS_BIND)
os.chdir("/workspace")
call("pivot_root", b".", b".")
succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'chroot',
      attempts: 'leaves the root by a second chroot with an open folder of the first',
      script: `
outside = os.open("/", os.O_RDONLY)
call("chroot", scratch().encode())
os.fchdir(outside)
for _ in range(20):
    os.chdir("..")
call("chroot", b".")
succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'mount-sysfs',
      attempts: 'mounts /sys, which the sandbox was not given',
      script: `mount("sysfs", scratch(), "sysfs", MS_RDONLY); os.stat(scratch() + "/class"); succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'mount-fresh-proc',
      attempts: 'mounts a /proc without masks',
      script: `mount("proc", scratch(), "proc"); os.stat(scratch() + "/sys"); succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
    },
    {
      name: 'mount-debugfs',
      attempts: "reads the kernel's insides through debugfs or tracefs",
      script: `each(["debugfs", "tracefs"], lambda kind: mount(kind, scratch(), kind, MS_RDONLY))`,
      refusedBy: EPERM,
      control: 'privileged-container',
      mayLack: 'debugfs and tracefs',
    },
    {
      name: 'mount-binfmt-misc',
      attempts: 'registers an interpreter that the whole host would run',
      script: `
mount("binfmt_misc", scratch(), "binfmt_misc")
os.close(os.open(scratch() + "/register", os.O_WRONLY))
succeeded()`,
      refusedBy: EPERM,
      control: 'errno-only',
      mayLack: 'binfmt_misc',
    },
    {
      name: 'overlay-in-new-user-namespace',
      attempts: 'becomes root of a user namespace to mount overlayfs, the way of many kernel holes',
      script: `
def inner():
    scratch("overlay")
    user, group = os.getuid(), os.getgid()
    call("unshare", NEWUSER | NEWNS)
    for name, text in (("uid_map", f"0 {user} 1"), ("setgroups", "deny"), ("gid_map", f"0 {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    mount("tmpfs", "/workspace/overlay", "tmpfs")
    for name in ("lower", "upper", "work", "merged"):
        scratch("overlay/" + name)
    base = "/workspace/overlay"
    mount("overlay", f"{base}/merged", "overlay", 0, f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work")
in_child(inner)
succeeded()`,
      refusedBy: EPERM,
      control: 'privileged-container',
      mayLack: 'overlayfs',
    },
  ],
};
