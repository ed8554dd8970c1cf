"""Commands: started, streamed with back-pressure both ways, signalled, timed, and ended with all that they left."""

import _signal as signal
import errno
import os
import time

from spawn import spawn

CHUNK = 64 * 1024
STDIN_HIGH_WATER = 512 * 1024
MARK = "FUMEHOOD_EXEC"
SIGNALS = {name[3:]: getattr(signal, name) for name in dir(signal) if name.startswith("SIG") and name[3] != "_"}
SIGNAL_NAMES = {number: name for name, number in reversed(SIGNALS.items())}


class Execs:
    def __init__(self, loop, own, image):
        """`image`: its word on commands (`env` below every other variable, `cwd`), which is not for the agent itself."""
        self.loop = loop
        self.own = own
        self._image = image
        self.by_pid = {}
        self._next = 0
        self._last_end = time.monotonic()
        loop.on_child = self.ended

    def start(self, connection, request):
        self._next += 1
        mark = f"{os.getpid()}.{self._next}"
        env = {**self.env(), **self.own, **(request.get("env") or {}), MARK: mark}
        cwd = request.get("cwd") or self.folder()
        running = Running(self, connection, request, mark)
        try:
            running.spawn(request["argv"], env, cwd)
        except OSError as error:
            return running.refuse(error, request["argv"][0], cwd)
        self.by_pid[running.pid] = running
        connection.reply({"started": running.pid})
        running.begin()

    def claim(self, own):
        """From now on the sandbox is somebody's: `own` are the variables that only this one has."""
        self.own = own
        self._last_end = time.monotonic()

    def env(self):
        return {**(self._image.get("env") or {}), **os.environ}

    def folder(self):
        return next((one for one in (self._image.get("cwd"), "/workspace") if one and os.path.isdir(one)), "/")

    def mark(self):
        self._next += 1
        return f"{os.getpid()}.{self._next}"

    def ended(self, pid, status):
        running = self.by_pid.pop(pid, None)
        if running is not None:
            self._last_end = time.monotonic()
            running.finish(status)

    def activity(self):
        return {"running": len(self.by_pid), "idleMs": int((time.monotonic() - self._last_end) * 1000)}

    def shutdown(self, grace):
        """TERM to everything, then KILL, then the end of the sandbox."""
        _kill_everything(signal.SIGTERM)

        def last():
            _kill_everything(signal.SIGKILL)
            os._exit(0)

        self.loop.later(grace, last)


class Running:
    """One command and its streams."""

    def __init__(self, execs, connection, request, mark):
        self.execs, self.loop, self.connection, self.mark = execs, execs.loop, connection, mark
        self.limit = request.get("maxOutputBytes")
        self.timeout = request.get("timeoutMs")
        self.terminal = request.get("terminal")
        self.pid = 0
        self.stdin = None
        self.outputs = {}
        self._pending = bytearray()
        self._stdin_ended = False
        self._sent = 0
        self._status = None
        self._timed_out = self._truncated = False
        self._timer = None
        connection.on_data = self._stdin_data
        connection.on_control = self._control
        connection.on_drain = self._resume
        connection.on_lost = self._lost

    def spawn(self, argv, env, cwd):
        if self.terminal:
            return self._spawn_terminal(argv, env, cwd)
        (in_r, in_w), (out_r, out_w), (err_r, err_w) = os.pipe(), os.pipe(), os.pipe()
        try:
            self.pid = spawn(argv, env, cwd, (in_r, out_w, err_w))
        except OSError:
            for number in (in_w, out_r, err_r):
                os.close(number)
            raise
        finally:
            for number in (in_r, out_w, err_w):
                os.close(number)
        self.adopt(in_w, {out_r: b"O", err_r: b"E"})

    def _spawn_terminal(self, argv, env, cwd):
        main, child = os.openpty()
        self._resize(main, self.terminal)
        try:
            self.pid = spawn(argv, env, cwd, os.ttyname(child))
        except OSError:
            os.close(main)
            raise
        finally:
            os.close(child)
        self.adopt(os.dup(main), {main: b"O"})

    def adopt(self, stdin, outputs):
        """Takes the parent's ends of the streams."""
        self.stdin, self.outputs = stdin, dict(outputs)
        for number in (stdin, *outputs):
            os.set_blocking(number, False)

    def begin(self):
        self._resume()
        if self.timeout:
            self._timer = self.loop.later(self.timeout / 1000, self._time_out)

    def refuse(self, error, program, cwd):
        """A command that cannot be started ends as a shell would end it: 127 not found, 126 not to be run."""
        code = 127 if error.errno == errno.ENOENT else 126
        what = f"{cwd}: no such folder" if error.filename == cwd and not os.path.isdir(cwd) else f"{program}: {error.strerror}"
        self.connection.reply({"started": 0})
        self.connection.send(b"E", f"{what}\n".encode())
        self.connection.reply({"exit": code, "signal": None, "timedOut": False, "truncated": False})
        self.connection.on_lost = lambda: None
        self.connection.on_data = lambda _: None
        self.connection.end()

    def finish(self, status):
        """The child has ended: what is left in its pipes goes out first, unless something it left holds them open."""
        self._status = status
        if self._timer:
            self._timer.clear()
        self._close_stdin()
        for number in list(self.outputs):
            self._read(number)
        if self.outputs:
            self.loop.later(0.2, self._give_up_streams)
        self._answer()

    def _give_up_streams(self):
        if self.connection.closed or self.connection._out:
            if self.outputs and not self.connection.closed:
                self.loop.later(0.2, self._give_up_streams)
            return
        for number in list(self.outputs):
            self._read(number)
        for number in list(self.outputs):
            self._drop(number)
        self._answer()

    def _answer(self):
        if self._status is None or self.outputs:
            return
        by_signal = os.WTERMSIG(self._status) if os.WIFSIGNALED(self._status) else None
        code = 128 + by_signal if by_signal else os.WEXITSTATUS(self._status)
        name = SIGNAL_NAMES.get(by_signal, f"RT{by_signal}") if by_signal else None
        self.connection.reply({"exit": code, "signal": name, "timedOut": self._timed_out, "truncated": self._truncated})
        self.connection.on_lost = lambda: None
        self.connection.end()

    def _resume(self):
        for number in self.outputs:
            self.loop.watch(number, read=lambda number=number: self._read(number))

    def _pause(self):
        for number in self.outputs:
            self.loop.watch(number)

    def _read(self, number):
        try:
            data = os.read(number, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # a terminal whose last process has gone
        if not data:
            return self._drop(number)
        if self.limit is not None and self._sent + len(data) > self.limit:
            data = data[: max(0, self.limit - self._sent)]
            if not self._truncated:
                self._truncated = True
                self.kill(signal.SIGKILL)
        self._sent += len(data)
        if data and not self.connection.send(self.outputs[number], data) and not self.connection.closed:
            self._pause()

    def _drop(self, number):
        self.loop.watch(number)
        kind = self.outputs.pop(number, None)
        os.close(number)
        if kind:
            self.connection.send(kind, b"")
        self._answer()

    def _stdin_data(self, data):
        if self.stdin is None:
            return
        if data:
            self._pending += data
        elif self.terminal:
            self._pending += b"\x04"
        else:
            self._stdin_ended = True
        self._write_stdin()

    def _write_stdin(self):
        try:
            while self._pending:
                written = os.write(self.stdin, memoryview(self._pending)[:CHUNK])
                del self._pending[:written]
        except BlockingIOError:
            self.loop.watch(self.stdin, write=self._write_stdin)
            if len(self._pending) > STDIN_HIGH_WATER:
                self.connection.pause(True)
            return
        except OSError:
            return self._close_stdin()
        self.loop.watch(self.stdin)
        self.connection.pause(False)  # what arrived in the meantime is taken now, and may be more than the command takes
        if self._stdin_ended and not self._pending:
            self._close_stdin()

    def _close_stdin(self):
        if self.stdin is not None:
            self.loop.watch(self.stdin)
            os.close(self.stdin)
            self.stdin = None
            self._pending.clear()
            self.connection.pause(False)

    def _control(self, message):
        if "signal" in message:
            number = SIGNALS.get(message["signal"])
            if number is not None:
                self.kill(number)
        elif "resize" in message and self.stdin is not None and self.terminal:
            self._resize(self.stdin, message["resize"])

    def _resize(self, number, size):
        import fcntl
        import struct
        import termios

        fcntl.ioctl(number, termios.TIOCSWINSZ, struct.pack("HHHH", size["rows"], size["cols"], 0, 0))

    def _lost(self):
        """The host went away: the command goes on, what it prints is thrown away."""
        self._close_stdin()
        self._resume()

    def _time_out(self):
        self._timed_out = True
        self.kill(signal.SIGTERM)
        self._timer = self.loop.later(2.0, lambda: self.kill(signal.SIGKILL))

    def kill(self, number):
        """To the whole process group; what ends a command also reaches those of its descendants that left the group."""
        if self._status is None and self.pid:
            try:
                os.killpg(self.pid, number)
            except OSError:
                pass
        if number in (signal.SIGKILL, signal.SIGTERM):
            for pid in _descendants(self.mark):
                try:
                    os.kill(pid, number)
                except OSError:
                    pass


def _processes():
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            yield int(name)


def _descendants(mark):
    wanted = f"{MARK}={mark}".encode()
    for pid in _processes():
        try:
            with open(f"/proc/{pid}/environ", "rb") as environ:
                if wanted in environ.read(1 << 20).split(b"\0"):
                    yield pid
        except OSError:
            continue


def _kill_everything(number):
    if os.getpid() == 1:
        try:
            os.kill(-1, number)
        except OSError:
            pass
        return
    for pid in _processes():
        try:
            with open(f"/proc/{pid}/environ", "rb") as environ:
                if f"{MARK}={os.getpid()}.".encode() in environ.read(1 << 20):
                    os.kill(pid, number)
        except OSError:
            continue
