# Made from _async/command.py by make_sync.py.
"""Commands in a sandbox: run to their end, or in the background with a handle."""

from __future__ import annotations

from collections.abc import Iterator, Callable, Mapping
from typing import Any, Literal, overload

from .._exec import STDIN, ExecState, Output, argv_of, control
from ..errors import UnavailableError
from ..models import CommandResult
from . import io
from .transport import Transport, path_of

Write = Callable[[str], Any]


class CommandHandle:
    """
    A command that runs. Reading its output (`wait`, or iterating) is what keeps it going: a command whose output nobody reads is held
    back after 256 KiB. It is ended when the handle is closed.
    """

    def __init__(self, socket: io.Socket, on_stdout: Write | None = None, on_stderr: Write | None = None) -> None:
        self._socket = socket
        self._state = ExecState()
        self._reading = io.Lock()
        self._write = {"stdout": on_stdout, "stderr": on_stderr}

    def wait(self, *, check: bool = True) -> CommandResult:
        """Reads to the end. Raises `CommandExitError` for another exit code than 0, unless `check` is off."""
        try:
            for _ in self:
                pass
        finally:
            self.close()
        return self._state.outcome(check)

    def __iter__(self) -> Iterator[Output]:
        while (output := self._next()) is not None:
            write = self._write[output.stream]
            if write is not None:
                write(output.text)
            yield output

    def send_stdin(self, data: str | bytes) -> None:
        """Writes to the command, at its pace."""
        rest = data.encode() if isinstance(data, str) else data
        while rest:
            if self._state.ended:
                raise UnavailableError("The command has ended; it reads no more.")
            size = self._state.spend(len(rest))
            if size == 0:
                self._receive(lambda: self._state.ended or self._state.may_send)
                continue
            self._send(bytes([STDIN]) + rest[:size])
            rest = rest[size:]

    def close_stdin(self) -> None:
        self._send(control(type="eof", stream="stdin"))

    def send_signal(self, name: str) -> None:
        """Sends a signal by its name, such as INT."""
        self._send(control(type="signal", name=name))

    def kill(self) -> None:
        self.send_signal("KILL")

    def close(self) -> None:
        """Lets go of the command; when it still runs, it is ended."""
        self._socket.close()

    def start(self, request: Mapping[str, Any], keep_stdin: bool) -> None:
        """Sends the request and waits until the command runs. Called once, by whoever opened the socket."""
        start = {key: value for key, value in request.items() if value is not None}
        self._send(control(type="start", start=start))
        if not keep_stdin:
            self.close_stdin()
        self._receive(lambda: self._state.started or self._state.ended)
        if self._state.failure is not None:
            self.close()
            raise self._state.failure

    def _next(self) -> Output | None:
        self._receive(lambda: bool(self._state.outputs) or self._state.ended)
        return self._state.outputs.popleft() if self._state.outputs else None

    def _receive(self, enough: Callable[[], bool]) -> None:
        """Reads messages until `enough`; one reader at a time."""
        while not enough():
            with self._reading:
                if enough():
                    return
                try:
                    replies = self._state.receive(self._socket.recv())
                except io.Closed:
                    self._state.lost()
                    return
                for reply in replies:
                    self._send(reply)

    def _send(self, frame: bytes) -> None:
        try:
            self._socket.send(frame)
        except io.Closed:
            # What came before the end is still read, and says how it ended.
            pass


class Commands:
    """`sandbox.commands`"""

    def __init__(self, transport: Transport, sandbox_id: str) -> None:
        self._transport = transport
        self._sandbox_id = sandbox_id

    @overload
    def run(
        self,
        command: str | list[str],
        *,
        background: Literal[False] = False,
        on_stdout: Write | None = None,
        on_stderr: Write | None = None,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        stdin: str | bytes | None = None,
        max_output_bytes: int | None = None,
        check: bool = True,
    ) -> CommandResult: ...

    @overload
    def run(
        self,
        command: str | list[str],
        *,
        background: Literal[True],
        on_stdout: Write | None = None,
        on_stderr: Write | None = None,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        stdin: str | bytes | None = None,
        max_output_bytes: int | None = None,
        check: bool = True,
    ) -> CommandHandle: ...

    def run(
        self,
        command: str | list[str],
        *,
        background: bool = False,
        on_stdout: Write | None = None,
        on_stderr: Write | None = None,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        stdin: str | bytes | None = None,
        max_output_bytes: int | None = None,
        check: bool = True,
    ) -> CommandResult | CommandHandle:
        """
        Runs a command, given as a line or as its words, and gives its result; with `background` a handle at once. `timeout` is in seconds.
        Raises `CommandExitError` for another exit code than 0 unless `check` is off, `CommandTimeoutError` when its time is over.
        """
        request = {**_common(timeout, env, cwd, max_output_bytes), "argv": argv_of(command)}
        handle = CommandHandle(self._open("exec"), on_stdout, on_stderr)
        handle.start(request, keep_stdin=background or stdin is not None)
        if stdin is not None:
            handle.send_stdin(stdin)
            handle.close_stdin()
        return handle if background else handle.wait(check=check)

    def run_code(
        self,
        source: str,
        *,
        name: str | None = None,
        on_stdout: Write | None = None,
        on_stderr: Write | None = None,
        timeout: float | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        max_output_bytes: int | None = None,
        check: bool = True,
    ) -> CommandResult:
        """Runs Python source in the warm interpreter, which is forked for each call: nothing is kept from one to the next but files."""
        request = {**_common(timeout, env, cwd, max_output_bytes), "source": source, "name": name}
        handle = CommandHandle(self._open("python"), on_stdout, on_stderr)
        handle.start(request, keep_stdin=False)
        return handle.wait(check=check)

    def _open(self, route: str) -> io.Socket:
        return self._transport.open_socket(path_of("sandboxes", self._sandbox_id, route))


def _common(
    timeout: float | None, env: Mapping[str, str] | None, cwd: str | None, max_output_bytes: int | None
) -> dict[str, Any]:
    return {
        "timeoutMs": None if timeout is None else max(1, round(timeout * 1000)),
        "env": None if env is None else dict(env),
        "cwd": cwd,
        "maxOutputBytes": max_output_bytes,
    }
