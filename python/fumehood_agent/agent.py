"""The agent: takes its socket, closes itself off from its children, and serves until it is told to end."""

import _signal as signal
import _socket as socket
import os
import sys

import kernel
import messages
from connection import Connection
from execs import Execs
from loop import Loop
from warm import WarmInterpreter


def _listening_socket(arguments):
    if arguments[:1] == ["--listen"]:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.bind(arguments[1])
        made.listen(128)
        return made
    os.set_inheritable(3, False)
    return socket.socket(fileno=3)


def main():
    configured = messages.decode(os.environ.pop("FUMEHOOD_AGENT", "{}").encode())
    kernel.hide_from_children()
    loop = Loop()
    execs = Execs(loop, configured.get("own") or {}, configured.get("image") or {})
    warm = WarmInterpreter(loop, execs, configured.get("python") or "/usr/bin/python3", configured.get("warmImports") or [])
    listener = _listening_socket(sys.argv[1:])
    listener.setblocking(False)

    def accept():
        try:
            number, _ = listener._accept()
        except OSError:
            return
        Connection(loop, socket.socket(fileno=number), execs, warm)

    loop.watch(listener, read=accept)
    signal.signal(signal.SIGTERM, lambda *_: loop.later(0, lambda: execs.shutdown(2.0)))
    if warm.imports:
        warm.start()
    loop.run()
