"""Starts programs with posix_spawn: nothing of this process is copied, and `subprocess` need not be loaded."""

import _signal as signal
import errno
import os

# Python ignores these, and what is ignored stays so in a program that is started.
_IGNORED_HERE = [signal.SIGPIPE, signal.SIGXFSZ]
_home = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
# Opened before the agent hides, when it may no longer open what is its own. gVisor has none that can be written.
try:
    _scores = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
    _own = int(os.read(_scores, 16))
except OSError:
    _scores, _own = None, 0


def _score(value):
    """Sets this process's own, never below what it was given at its start: down to that the kernel lets everybody go."""
    if _scores is not None:
        os.pwrite(_scores, b"%d" % max(value, _own), 0)


def spawn(argv, env, cwd, streams, dispensable=500):
    """
    Starts a program in a session of its own; `streams` are descriptors for its 0, 1 and 2, or the path of a terminal for all three.
    When memory runs out the kernel ends what is most `dispensable` (an `oom_score_adj`): a command, not the agent, which is the sandbox's
    first process.
    """
    if isinstance(streams, str):
        actions = [(os.POSIX_SPAWN_OPEN, 0, streams, os.O_RDWR, 0), (os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)]
    else:
        actions = [(os.POSIX_SPAWN_DUP2, number, at) for at, number in enumerate(streams)]
    os.chdir(cwd)
    # It is born with it: what it starts in its first moments has it too.
    _score(dispensable)
    try:
        return os.posix_spawn(_path(argv[0], env), argv, env, file_actions=actions, setsid=True, setsigdef=_IGNORED_HERE)
    finally:
        _score(_own)
        os.fchdir(_home)


def _path(program, env):
    """Where a program is: as named, or in the first folder of the PATH that it gets."""
    if "/" in program:
        return program
    found = False
    for folder in env.get("PATH", os.defpath).split(":"):
        path = os.path.join(folder, program)
        if os.access(path, os.X_OK) and not os.path.isdir(path):
            return path
        found = found or os.path.isfile(path)
    code = errno.EACCES if found else errno.ENOENT
    raise OSError(code, os.strerror(code), program)
