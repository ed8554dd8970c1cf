"""The kernel's wait before a process may change its control group."""

import os

ROOT = "/sys/fs/cgroup"


def stir():
    """Moves this process to where it is. The first move in a while waits some ten milliseconds for all cores to take note (an RCU grace period);
    those that follow at once do not, that of a runtime among them. Tells whether it could: a runtime waits itself where not."""
    try:
        with open("/proc/self/cgroup") as own:
            _, controllers, path = own.readline().rstrip("\n").split(":", 2)
        with open(f"{ROOT}/{controllers.removeprefix('name=')}/{path}/cgroup.procs", "w") as processes:
            processes.write(str(os.getpid()))
    except OSError:
        return False
    return True
