"""System calls that Python does not wrap."""

import ctypes
import os

CLONE_NEWUSER, CLONE_NEWUTS, CLONE_NEWNET = 0x10000000, 0x04000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOATIME, MS_BIND = 1, 2, 4, 1024, 4096
MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags):
    _check(_libc.unshare(flags), "unshare")


def setns(number, kind):
    _check(_libc.setns(number, kind), "setns")


def mount(source, target, kind, flags, options=""):
    encode = lambda text: text.encode() if text else None
    _check(_libc.mount(encode(source), encode(target), encode(kind), ctypes.c_ulong(flags), encode(options)), f"mount {target}")


def umount(target, flags=0):
    _check(_libc.umount2(target.encode(), flags), f"umount {target}")
