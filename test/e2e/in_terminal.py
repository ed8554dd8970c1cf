"""Runs a command on a terminal of its own, as a person's shell does, and tells what the terminal saw.

Arguments: one JSON object with `argv`, `size` and `resize` (rows and columns), and `keys`: what is typed when the output holds `when`.
Prints one JSON object: the exit code, the output as it reached the terminal, and whether the terminal's settings are what they were.
"""

import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import termios

request = json.loads(sys.argv[1])
main, own = os.openpty()


def resize(size):
    fcntl.ioctl(main, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))


resize(request["size"])
before = termios.tcgetattr(own)
child = subprocess.Popen(
    request["argv"], stdin=own, stdout=own, stderr=own, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)
)
seen = b""
during = None
while child.poll() is None or select.select([main], [], [], 0)[0]:
    if select.select([main], [], [], 0.1)[0]:
        seen += os.read(main, 65536)
    if during is None and request["when"].encode() in seen:
        during = termios.tcgetattr(own)
        resize(request["resize"])
        os.write(main, request["keys"].encode())
        if request.get("kill"):
            child.send_signal(request["kill"])
print(
    json.dumps(
        {
            "code": child.returncode,
            "output": seen.decode("latin1"),
            "changed": during is not None and during != before,
            "restored": termios.tcgetattr(own) == before,
        }
    )
)
