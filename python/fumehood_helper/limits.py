"""Limits of a sandbox's user namespace: what the kernel counts by user and not by control group, and would otherwise charge to root until all is gone."""

import os

from system import CLONE_NEWUSER, setns

FOLDER = "/proc/sys/user"


def limit(_channel, request):
    """`pid`: a process of the sandbox; `limits`: name below /proc/sys/user → number. A kernel that lacks one has nothing to limit."""
    namespace = os.open(f"/proc/{request['pid']}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    try:
        child = os.fork()
        if child == 0:
            os._exit(_write(namespace, request["limits"]))
        _, status = os.waitpid(child, 0)
    finally:
        os.close(namespace)
    number = os.waitstatus_to_exitcode(status)
    if number != 0:
        raise OSError(number, "the limits of the user namespace cannot be set")
    return True


def _write(namespace, limits):
    """In a process of its own: only one without threads can enter a user namespace, and these files are those of whoever opens them."""
    try:
        setns(namespace, CLONE_NEWUSER)
        for name, value in limits.items():
            path = f"{FOLDER}/{name}"
            if os.path.exists(path):
                number = os.open(path, os.O_WRONLY)
                os.write(number, b"%d" % value)
        return 0
    except OSError as error:
        return error.errno or 1
