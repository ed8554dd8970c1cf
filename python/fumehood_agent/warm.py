"""The warm interpreter: a process of the environment's Python with the slow imports done, which forks for every call."""

import os

import messages
from execs import Running
from spawn import spawn

HERE = os.path.dirname(os.path.abspath(__file__))


class WarmInterpreter:
    """With imports it is started with the sandbox, without any when it is first used."""

    def __init__(self, loop, execs, python, imports):
        self.loop, self.execs, self.python, self.imports = loop, execs, python, imports
        self._channel = None
        self._calls = {}
        self._number = 0
        self._loading = False
        self._when_loaded = []

    def start(self):
        import socket

        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        command = [self.python, "-u", os.path.join(HERE, "zygote.py"), "3", messages.encode(self.imports).decode()]
        try:
            spawn(command, self.execs.env(), "/", (nothing, 1, 2, theirs.fileno()), dispensable=250)
        except OSError:
            ours.close()
            return
        finally:
            os.close(nothing)
            theirs.close()
        ours.setblocking(False)
        self._channel = ours
        self._loading = True
        self.loop.watch(ours, read=self._receive)

    def when_loaded(self, call):
        """Calls once the imports are done, or there is nothing to wait for."""
        if self._loading:
            self._when_loaded.append(call)
        else:
            call()

    def run(self, connection, request):
        source = bytearray()

        def data(payload):
            if payload:
                source.extend(payload)
                return
            self._begin(connection, request, bytes(source))

        connection.on_data = data
        connection.on_control = lambda _: None
        connection.reply({"ready": True})

    def _begin(self, connection, request, source, again=True):
        import socket

        if self._channel is None:
            self.start()
        if self._channel is None:
            return connection.fail("ENOENT", f"{self.python} cannot be started")
        self._number += 1
        mark = self.execs.mark()
        running = Running(self.execs, connection, request, mark)
        (in_r, in_w), (out_r, out_w), (err_r, err_w) = os.pipe(), os.pipe(), os.pipe()
        code = os.memfd_create("source")
        os.write(code, source)
        os.lseek(code, 0, os.SEEK_SET)
        env = {**self.execs.own, **(request.get("env") or {}), "FUMEHOOD_EXEC": mark}
        call = {"call": self._number, "name": request.get("name") or "<python>", "env": env, "cwd": request.get("cwd") or self.execs.folder()}
        descriptors = [in_r, out_w, err_w, code]
        self._calls[self._number] = running
        try:
            socket.send_fds(self._channel, [messages.encode(call)], descriptors)
        except OSError as error:
            self._calls.pop(self._number)
            for number in (in_w, out_r, err_r):
                os.close(number)
            return self._lost(connection, request, source, error, again)
        finally:
            for number in descriptors:
                os.close(number)
        running.adopt(in_w, {out_r: b"O", err_r: b"E"})

    def _lost(self, connection, request, source, error, again):
        """The interpreter has died and nobody has noticed yet: the call, which it never had, goes to a new one."""
        if not again:
            return connection.fail("EIO", error)
        self._gone()
        self._begin(connection, request, source, again=False)

    def _receive(self):
        try:
            data = self._channel.recv(64 * 1024)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            return self._gone()
        message = messages.decode(data)
        if "loaded" in message:
            return self._loaded()
        running = self._calls.get(message["call"])
        if running is None:
            return
        if "pid" in message:
            running.pid = message["pid"]
            self.execs.by_pid[running.pid] = running
            running.connection.reply({"started": running.pid})
            running.begin()
        else:
            self._calls.pop(message["call"])
            self._ended(running, message["status"])

    def _ended(self, running, status):
        if running.pid:
            return self.execs.ended(running.pid, status)
        running.connection.reply({"started": 0})  # killed before it could say its pid
        running.finish(status)

    def _loaded(self):
        self._loading = False
        waiting, self._when_loaded = self._when_loaded, []
        for call in waiting:
            call()

    def _gone(self):
        """It died (out of memory, or ended by the user's own code): calls fail, the next one starts it anew."""
        self.loop.watch(self._channel)
        self._channel.close()
        self._channel = None
        self._loaded()
        calls, self._calls = self._calls, {}
        for running in calls.values():
            running.kill(9)
            self._ended(running, 9)
