"""Serves requests from the IPC channel until it closes."""

import json
import os
import socket
import sys
import threading

import devices
import limits
import names
import network
import processes
import traces
import workspace


class Channel:
    """Node's IPC channel: JSON lines both ways, handles as ancillary data, one handle in flight."""

    def __init__(self):
        self._sock = socket.socket(fileno=int(os.environ.pop("NODE_CHANNEL_FD")))
        os.set_inheritable(self._sock.fileno(), False)
        self._sock.setblocking(True)
        self._lock = threading.Lock()
        self._ack = threading.Semaphore(1)

    def lines(self):
        rest = b""
        while True:
            data = self._sock.recv(256 * 1024)
            if not data:
                return
            *whole, rest = (rest + data).split(b"\n")
            for line in whole:
                message = json.loads(line)
                if message.get("cmd") == "NODE_HANDLE_ACK":
                    self._ack.release()
                elif "op" in message:
                    yield message

    def send(self, message):
        with self._lock:
            self._sock.sendall(json.dumps(message).encode() + b"\n")

    def send_socket(self, sock, message):
        self._ack.acquire()
        wrapped = {"cmd": "NODE_HANDLE", "type": "net.Native", "msg": message}
        with self._lock:
            socket.send_fds(self._sock, [json.dumps(wrapped).encode() + b"\n"], [sock.fileno()])
        sock.close()


def compile_code(channel, request):
    import code_cache

    return code_cache.compile_code(channel, request)


def serve(channel, message):
    try:
        channel.send({"id": message["id"], "ok": OPERATIONS[message["op"]](channel, message)})
    except Exception as error:
        channel.send({"id": message["id"], "error": f"{type(error).__name__}: {error}"})


OPERATIONS = {
    "ping": lambda channel, message: True,
    "network": network.make,
    "listen": network.listen,
    "release_network": network.release,
    "workspace": workspace.make,
    "release_workspace": workspace.release,
    "run": processes.run,
    "limit": limits.limit,
    "hostname": names.hostname,
    "traces": traces.look,
    "holders": devices.holders,
    "compile": compile_code,
}


def main():
    channel = Channel()
    for message in channel.lines():
        threading.Thread(target=serve, args=(channel, message), daemon=True).start()
    sys.exit(0)


main()
