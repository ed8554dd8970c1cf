"""The few calls that Python does not wrap."""

import os

PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36

try:
    import _ctypes

    _prctl_address = _ctypes.dlsym(_ctypes.dlopen(None, os.RTLD_NOW), "prctl")

    def _prctl(option, value):
        return _ctypes.call_function(_prctl_address, (option, value, 0, 0, 0))

except (ImportError, AttributeError):

    def _prctl(option, value):
        return _libc().prctl(option, value, 0, 0, 0)


_loaded = []


def _libc():
    """Through `ctypes`, which takes longer to load than all that the agent needs at its start."""
    if not _loaded:
        import ctypes

        _loaded.append(ctypes.CDLL(None, use_errno=True))
    return _loaded[0]


def _error(*what):
    import ctypes

    return OSError(ctypes.get_errno(), *what)


def hide_from_children():
    """No process of the same user can read this one's memory or descriptors, or trace it; orphans come here also when it is not PID 1."""
    if _prctl(PR_SET_DUMPABLE, 0) != 0:
        raise OSError("prctl(PR_SET_DUMPABLE)")
    if os.getpid() != 1:
        _prctl(PR_SET_CHILD_SUBREAPER, 1)


IN_MOVED_FROM = 0x40
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_CLOSE_WRITE = 0x8
IN_Q_OVERFLOW = 0x4000
IN_IGNORED = 0x8000
IN_ISDIR = 0x40000000
IN_NONBLOCK = 0o4000
IN_CLOEXEC = 0o2000000


def inotify_init():
    descriptor = _libc().inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
    if descriptor < 0:
        raise _error("inotify_init1")
    return descriptor


def inotify_add(descriptor, path):
    mask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE
    watch = _libc().inotify_add_watch(descriptor, os.fsencode(path), mask)
    if watch < 0:
        raise _error("inotify_add_watch", path)
    return watch
