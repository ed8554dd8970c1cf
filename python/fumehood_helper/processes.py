"""Starts an OCI runtime with a listening socket as descriptor 3 and nothing else of this process."""

import os
import select
import signal
import socket

import control_groups
import programs

LONGEST_OUTPUT = 64 * 1024
# The kernel stays ready for some ten milliseconds, and a runtime moves its processes within the first tens.
STIR_EVERY_MS, STIRS = 4, 25


def run(_channel, request):
    """`argv`; `socket`: where to make the listening Unix socket, or null; `timeoutMs`: after which the call and what it started in its session is
    killed; `moves`: it will put a process into another control group. Answers the exit code, what the runtime wrote to its log, and whether it took too long."""
    actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0), (os.POSIX_SPAWN_DUP2, 1, 2)]
    listener = None
    if request.get("socket"):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(request["socket"])
        os.chmod(request["socket"], 0o600)
        listener.listen(128)
        actions.append((os.POSIX_SPAWN_DUP2, listener.fileno(), 3))
    else:
        actions.append((os.POSIX_SPAWN_OPEN, 3, "/dev/null", os.O_RDONLY, 0))
    try:
        try:
            path = programs.path_of(request["argv"][0])
            pid = os.posix_spawn(path, request["argv"], {"PATH": programs.FOLDERS}, file_actions=actions, setsid=True)
        except OSError as error:
            return {"exitCode": 127, "log": f"it cannot be run: {error.strerror}", "timedOut": False}
        timed_out = not _ends_within(pid, request["timeoutMs"] / 1000, moves=request.get("moves", False))
        if timed_out:
            os.killpg(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    finally:
        if listener:
            listener.close()
    log = ""
    if request.get("log") and os.path.exists(request["log"]):
        with open(request["log"], errors="replace") as file:
            log = file.read(LONGEST_OUTPUT)
    return {"exitCode": os.waitstatus_to_exitcode(status), "log": log, "timedOut": timed_out}


def _ends_within(pid, seconds, moves):
    """With `moves`, the kernel is kept ready for that as long as it is to be expected."""
    number = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(number, select.POLLIN)
        for _ in range(STIRS if moves else 0):
            if not control_groups.stir():
                break
            if poll.poll(STIR_EVERY_MS):
                return True
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(number)
