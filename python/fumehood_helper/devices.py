"""Which processes have a device open, under whatever name and in whatever namespace: told by its numbers."""

import os
import stat


def holders(_channel, request):
    """`major`, `minor`: of a character device. Answers a list of process ids with the programs that they run."""
    wanted = os.makedev(request["major"], request["minor"])
    return [{"pid": int(name), "program": _program(name)} for name in os.listdir("/proc") if name.isdigit() and _has_open(name, wanted)]


def _has_open(pid, wanted):
    folder = f"/proc/{pid}/fd"
    try:
        numbers = os.listdir(folder)
    except OSError:
        return False  # it has ended
    for number in numbers:
        try:
            found = os.stat(f"{folder}/{number}")
        except OSError:
            continue
        if stat.S_ISCHR(found.st_mode) and found.st_rdev == wanted:
            return True
    return False


def _program(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""
