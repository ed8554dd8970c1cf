"""A byte stream to a port on the sandbox's own loopback."""

import errno
import os
import socket

CHUNK = 256 * 1024


def connect(connection, message):
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    Stream(connection, sock).open(int(message["port"]))


class Stream:
    def __init__(self, connection, sock):
        self.connection, self.sock, self.loop = connection, sock, connection.loop
        self._pending = bytearray()
        self._input_ended = self._output_ended = self._paused = False
        connection.on_data = self._data
        connection.on_drain = self._resume
        connection.on_lost = self._close

    def open(self, port):
        result = self.sock.connect_ex(("127.0.0.1", port))
        if result not in (0, errno.EINPROGRESS):
            raise OSError(result, os.strerror(result))
        self.loop.watch(self.sock, write=self._opened)

    def _opened(self):
        result = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if result != 0:
            self.loop.watch(self.sock)
            self.sock.close()
            self.connection.on_lost = lambda: None
            return self.connection.fail(errno.errorcode.get(result, "EIO"), os.strerror(result))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.reply({"ready": True})
        self._watch()

    def _watch(self):
        if self.sock.fileno() < 0:
            return  # the host went away, and took the socket with it
        reading = not self._output_ended and not self._paused
        self.loop.watch(self.sock, read=self._read if reading else None, write=self._write if self._pending or self._input_ended else None)

    def _read(self):
        try:
            data = self.sock.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._output_ended = True
        self._paused = not self.connection.send(b"O", data)
        self._watch()
        self._finish()

    def _resume(self):
        self._paused = False
        self._watch()

    def _data(self, data):
        if self.sock.fileno() < 0:
            return
        if data:
            self._pending += data
        else:
            self._input_ended = True
        self._write()

    def _write(self):
        try:
            while self._pending:
                sent = self.sock.send(memoryview(self._pending)[: 64 * 1024])
                del self._pending[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._pending.clear()
        self.connection.pause(len(self._pending) > 512 * 1024)
        if self._input_ended and not self._pending:
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            self._input_ended = None
        self._watch()
        self._finish()

    def _finish(self):
        if self._output_ended and self._input_ended is None:
            self.connection.end()

    def _close(self):
        if self.sock.fileno() >= 0:
            self.loop.watch(self.sock)
            self.sock.close()
