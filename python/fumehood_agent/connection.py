"""One connection of the host: frames in, frames out, and the operation that the first frame asks for."""

import _socket as socket

import files
import messages

LARGEST_FRAME = 256 * 1024
HIGH_WATER = 512 * 1024


class Connection:
    def __init__(self, loop, sock, execs, warm):
        self.loop, self.sock, self.execs, self.warm = loop, sock, execs, warm
        sock.setblocking(False)
        self._in = bytearray()
        self._out = bytearray()
        self._reading = True
        self._ending = False
        self.closed = False
        self.on_data = None
        self.on_control = None
        self.on_drain = lambda: None
        self.on_lost = lambda: None
        self._watch()

    def send(self, kind, payload):
        """Queues a frame; false asks the sender to wait for `on_drain`."""
        if not self.closed:
            header = kind + len(payload).to_bytes(4, "big")
            if self._out:
                self._out += header
                self._out += payload
                self._flush()
            else:
                self._send_now(header, payload)
        return len(self._out) < HIGH_WATER

    def _send_now(self, header, payload):
        """Nothing waits, as is usual: the frame goes out without being copied, and only what does not fit waits."""
        try:
            sent = self.sock.sendmsg([header, payload])
        except BlockingIOError:
            sent = 0
        except OSError:
            return self.lost()
        if sent < len(header) + len(payload):
            self._out += header[sent:]
            self._out += memoryview(payload)[max(0, sent - len(header)) :]
            self._watch()

    def reply(self, value):
        self.send(b"J", messages.encode(value))

    def fail(self, code, message):
        self.reply({"error": {"code": code, "message": str(message)[:1000]}})
        self.end()

    def end(self):
        """Closes once all is sent."""
        self._ending = True
        self._flush()

    def pause(self, paused):
        """Stops or goes on to read from the host: back-pressure for standard input and files."""
        if self._reading == (not paused):
            return
        self._reading = not paused
        if not paused:
            self._parse()
        self._watch()

    def lost(self):
        if self.closed:
            return
        self.closed = True
        self.loop.watch(self.sock)
        self.sock.close()
        self._out.clear()
        self.on_lost()

    def _linger(self):
        """
        All is said. The host closes first, however long it takes to read: what it still sends must not meet a closed socket, or it would
        lose our last words.
        """
        self.closed = True
        try:
            self.sock.shutdown(socket.SHUT_WR)
            self.loop.watch(self.sock, read=self._discard)
        except OSError:
            self._close()
        self.on_lost()

    def _discard(self):
        try:
            if self.sock.recv(64 * 1024):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._close()

    def _close(self):
        if self.sock.fileno() >= 0:
            self.loop.watch(self.sock)
            self.sock.close()

    def _watch(self):
        if not self.closed:
            self.loop.watch(self.sock, read=self._receive if self._reading else None, write=self._flush if self._out else None)

    def _flush(self):
        if self.closed:
            return
        waiting = len(self._out) >= HIGH_WATER
        try:
            while self._out:
                sent = self.sock.send(memoryview(self._out)[: 256 * 1024])
                del self._out[:sent]
        except BlockingIOError:
            pass
        except OSError:
            return self.lost()
        if self._ending and not self._out:
            return self._linger()
        self._watch()
        if waiting and len(self._out) < HIGH_WATER:
            self.on_drain()

    def _receive(self):
        try:
            received = self.sock.recv(256 * 1024)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            return self.lost()
        self._in += received
        self._parse()

    def _parse(self):
        while self._reading and not self.closed and len(self._in) >= 5:
            length = int.from_bytes(self._in[1:5], "big")
            if length > LARGEST_FRAME:
                return self.lost()
            if len(self._in) < 5 + length:
                return
            kind, payload = bytes(self._in[:1]), bytes(self._in[5 : 5 + length])
            del self._in[: 5 + length]
            self._frame(kind, payload)

    def _frame(self, kind, payload):
        if kind == b"I" and self.on_data:
            return self.on_data(payload)
        if kind != b"J":
            return self.lost()
        message = messages.decode(payload)
        if self.on_control:
            return self.on_control(message)
        self.on_control = lambda _: self.lost()
        operation = OPERATIONS.get(message.get("op"))
        if operation is None:
            return self.fail("EINVAL", "no such operation")
        try:
            operation(self, message)
        except OSError as error:
            self.fail(files.code_of(error), error.strerror or error)
        except Exception as error:  # a request that the agent does not understand must not end it
            self.fail("EINVAL", error)


def _hello(connection, _message):
    connection.reply({"ok": {"protocol": 1}})
    connection.end()


def _loaded(connection, _message):
    """Answers when the warm interpreter has its imports done."""

    def answer():
        connection.reply({"ok": True})
        connection.end()

    connection.warm.when_loaded(answer)


def _claim(connection, message):
    connection.execs.claim(message["own"])
    connection.reply({"ok": True})
    connection.end()


def _activity(connection, _message):
    connection.reply({"ok": connection.execs.activity()})
    connection.end()


def _shutdown(connection, message):
    connection.reply({"ok": True})
    connection.end()
    connection.execs.shutdown(message.get("graceMs", 2000) / 1000)


def _port(connection, message):
    import ports

    ports.connect(connection, message)


OPERATIONS = {
    "hello": _hello,
    "loaded": _loaded,
    "claim": _claim,
    "activity": _activity,
    "shutdown": _shutdown,
    "exec": lambda connection, message: connection.execs.start(connection, message),
    "python": lambda connection, message: connection.warm.run(connection, message),
    "port": _port,
    **files.OPERATIONS,
}
