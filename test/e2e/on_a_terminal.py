"""Runs a command on a pseudo-terminal of 80 columns, joined to stdin and stdout; SIGUSR1 makes it 100 columns and 30 rows.

    python3 on_a_terminal.py COMMAND...
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios


def resize(fd: int, rows: int, columns: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def main() -> int:
    pid, master = pty.fork()
    if pid == 0:
        os.execvp(sys.argv[1], sys.argv[1:])
    resize(master, 24, 80)
    signal.signal(signal.SIGUSR1, lambda *_: resize(master, 30, 100))
    inputs = [0, master]
    while True:
        ready, _, _ = select.select(inputs, [], [])
        if 0 in ready:
            data = os.read(0, 65536)
            if data:
                os.write(master, data)
            else:
                inputs.remove(0)
        if master in ready:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            os.write(1, data)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(main())
