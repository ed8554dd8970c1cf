"""Starts programs with posix_spawn: nothing of this process is copied, and `subprocess` need not be loaded."""

import _signal as signal
import errno
import os

# Python ignores these, and what is ignored stays so in a program that is started.
_IGNORED_HERE = [signal.SIGPIPE, signal.SIGXFSZ]
_home = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def spawn(argv, env, cwd, streams):
    """Starts a program in a session of its own; `streams` are descriptors for its 0, 1 and 2, or the path of a terminal for all three."""
    if isinstance(streams, str):
        actions = [(os.POSIX_SPAWN_OPEN, 0, streams, os.O_RDWR, 0), (os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)]
    else:
        actions = [(os.POSIX_SPAWN_DUP2, number, at) for at, number in enumerate(streams)]
    os.chdir(cwd)
    try:
        pid = os.posix_spawn(_path(argv[0], env), argv, env, file_actions=actions, setsid=True, setsigdef=_IGNORED_HERE)
    finally:
        os.fchdir(_home)
    give_up_first(pid, 500)
    return pid


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


def give_up_first(pid, score):
    """When memory runs out the kernel ends what a command holds, not the agent, which is the sandbox's first process."""
    try:
        number = os.open(f"/proc/{pid}/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return  # it has ended already
    try:
        os.write(number, b"%d" % score)
    except OSError:
        pass
    finally:
        os.close(number)
