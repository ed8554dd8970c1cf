"""Capped workspaces: a sparse ext4 image on a loop device. A full one gives its writer ENOSPC and nobody else anything."""

import fcntl
import os
import shutil
import struct
import subprocess

from system import MNT_DETACH, MS_NOATIME, MS_NODEV, MS_NOSUID, mount, umount

LOOP_CTL_GET_FREE, LOOP_CONFIGURE, LOOP_CLR_FD = 0x4C82, 0x4C0A, 0x4C01
LO_FLAGS_AUTOCLEAR = 4
MKNOD_LOOP_MAJOR = 7


def make(_channel, request):
    """`image`, `sizeBytes`, `inodes`, `target` (mount point), `owner` (host uid and gid of the top folder); `root`: what to copy beside it, and where to."""
    image, target = request["image"], request["target"]
    with open(image, "xb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.truncate(request["sizeBytes"])
    owner = request["owner"]
    options = f"lazy_itable_init=1,nodiscard,root_owner={owner}:{owner}"
    command = ["mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", "-O", "^has_journal,^resize_inode", "-E", options, "-N", str(request["inodes"]), image]
    making = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        shutil.copytree(request["root"]["source"], request["root"]["target"], symlinks=True, dirs_exist_ok=True)
    finally:
        _, said = making.communicate()
    if making.returncode != 0:
        raise OSError(f"mkfs.ext4 ended with {making.returncode}: {said.decode(errors='replace')[:500]}")
    device, number = _attach(image)
    try:
        mount(device, target, "ext4", MS_NOSUID | MS_NODEV | MS_NOATIME)
    finally:
        os.close(number)
    top = os.path.join(target, "lost+found")
    if os.path.isdir(top):
        os.rmdir(top)
    return True


def release(_channel, request):
    """Unmounts (the loop device frees itself), removes the image. Nothing there is fine too."""
    with open("/proc/self/mountinfo") as mounts:
        mounted = sum(line.split(" ")[4] == request["target"] for line in mounts)
    for _ in range(mounted):
        umount(request["target"], MNT_DETACH)
    if os.path.exists(request["image"]):
        os.unlink(request["image"])
    if os.path.isdir(request["target"]):
        os.rmdir(request["target"])
    return True


def _attach(image):
    """A free loop device for the image, which frees itself with its last user; the returned descriptor is one."""
    with open(image, "r+b") as backing:
        for _ in range(64):
            with open("/dev/loop-control", "rb") as control:
                index = fcntl.ioctl(control, LOOP_CTL_GET_FREE)
            device = f"/dev/loop{index}"
            if not os.path.exists(device):
                os.mknod(device, 0o660 | 0o060000, os.makedev(MKNOD_LOOP_MAJOR, index))
            number = os.open(device, os.O_RDWR | os.O_CLOEXEC)
            info = struct.pack("QQQQQIIII64s64s32s2Q", 0, 0, 0, 0, 0, 0, 0, 0, LO_FLAGS_AUTOCLEAR, os.fsencode(image)[-63:], b"", b"", 0, 0)
            config = struct.pack("II", backing.fileno(), 4096) + info + b"\0" * 64
            try:
                fcntl.ioctl(number, LOOP_CONFIGURE, config)
                return device, number
            except OSError as error:
                os.close(number)
                if error.errno != 16:  # EBUSY: somebody else took it in between
                    raise
        raise OSError("no loop device is free")
