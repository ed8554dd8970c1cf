"""Runtimes that keep containers from writing to them by copying themselves, or mounting themselves read-only, at each start (CVE-2019-5736). They need
neither when they are started from a sealed copy in memory, which nobody can write to: it is made once."""

import fcntl
import os
import shutil
import threading

SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
SEALED = ("runc", "crun")
FIRST_NUMBER = 64
FOLDERS = "/usr/sbin:/usr/bin:/sbin:/bin"

_copies = {}
_lock = threading.Lock()


def path_of(name):
    """What to execute for a program of this name: the sealed copy of a runtime. The file itself when it is a script, whose interpreter would not find
    the copy, or where the kernel runs nothing from memory."""
    path = shutil.which(name, path=FOLDERS)
    if path is None:
        raise FileNotFoundError(2, os.strerror(2), name)
    return (_copy_of(path) if name in SEALED else None) or path


def _copy_of(path):
    found = os.stat(path)
    identity = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
    with _lock:
        known = _copies.get(path)
        if known is None or known[0] != identity:
            # The copy of an older version stays open: a start may be about to use its number.
            known = _copies[path] = (identity, _seal(path))
    return None if known[1] is None else f"/proc/self/fd/{known[1]}"


def _seal(path):
    """A descriptor of the copy; None when there can be none that is executed."""
    with open(path, "rb") as file:
        if file.read(4) != b"\x7fELF":
            return None
    try:
        number = os.memfd_create(os.path.basename(path), os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError:
        return None
    try:
        with open(path, "rb") as file:
            size, sent = os.fstat(file.fileno()).st_size, 0
            while sent < size:
                sent += os.sendfile(number, file.fileno(), sent, size - sent)
        fcntl.fcntl(number, fcntl.F_ADD_SEALS, SEALS)
        if os.access(f"/proc/self/fd/{number}", os.X_OK):
            # Out of the way of the descriptors that a program is given.
            return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, FIRST_NUMBER)
    except OSError:
        pass
    finally:
        os.close(number)
    return None
