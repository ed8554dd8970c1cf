"""Entry point of the agent: takes its socket, closes itself off from its children, and serves until it is told to end."""

import json
import os
import signal
import socket
import sys

import kernel
from connection import Connection
from execs import Execs
from loop import Loop
from warm import WarmInterpreter


def listening_socket(arguments):
    if arguments[:1] == ["--listen"]:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.bind(arguments[1])
        made.listen(128)
        return made
    os.set_inheritable(3, False)
    return socket.socket(fileno=3)


def settings():
    return json.loads(os.environ.pop("FUMEHOOD_AGENT", "{}"))


def main():
    configured = settings()
    kernel.hide_from_children()
    loop = Loop()
    execs = Execs(loop)
    warm = WarmInterpreter(loop, execs, configured.get("python") or "/usr/bin/python3", configured.get("warmImports") or [])
    listener = listening_socket(sys.argv[1:])
    listener.setblocking(False)

    def accept():
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        Connection(loop, accepted, execs, warm)

    loop.watch(listener, read=accept)
    signal.signal(signal.SIGTERM, lambda *_: loop.later(0, lambda: execs.shutdown(2.0)))
    warm.start()
    loop.run()


main()
