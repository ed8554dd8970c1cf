"""Commands in a sandbox: run to their end, or in the background with a handle."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Literal, overload

from .._exec import STDIN, ExecState, Output, argv_of, control
from ..errors import UnavailableError
from ..models import CommandResult
from . import io
from .transport import AsyncTransport, path_of

Write = Callable[[str], Any]


class AsyncCommandHandle:
    """
    A command that runs. Reading its output (`wait`, or iterating) is what keeps it going: a command whose output nobody reads is held
    back after 256 KiB. It is ended when the handle is closed.
    """

    def __init__(self, socket: io.Socket, on_stdout: Write | None = None, on_stderr: Write | None = None) -> None:
        self._socket = socket
        self._state = ExecState()
        self._reading = io.Lock()
        self._write = {"stdout": on_stdout, "stderr": on_stderr}

    async def wait(self, *, check: bool = True) -> CommandResult:
        """Reads to the end. Raises `CommandExitError` for another exit code than 0, unless `check` is off."""
        try:
            async for _ in self:
                pass
        finally:
            await self.aclose()
        return self._state.outcome(check)

    async def __aiter__(self) -> AsyncIterator[Output]:
        while (output := await self._next()) is not None:
            write = self._write[output.stream]
            if write is not None:
                write(output.text)
            yield output

    async def send_stdin(self, data: str | bytes) -> None:
        """Writes to the command, at its pace."""
        rest = data.encode() if isinstance(data, str) else data
        while rest:
            if self._state.ended:
                raise UnavailableError("The command has ended; it reads no more.")
            size = self._state.spend(len(rest))
            if size == 0:
                await self._receive(lambda: self._state.ended or self._state.may_send)
                continue
            await self._send(bytes([STDIN]) + rest[:size])
            rest = rest[size:]

    async def close_stdin(self) -> None:
        await self._send(control(type="eof", stream="stdin"))

    async def send_signal(self, name: str) -> None:
        """Sends a signal by its name, such as INT."""
        await self._send(control(type="signal", name=name))

    async def kill(self) -> None:
        await self.send_signal("KILL")

    async def aclose(self) -> None:
        """Lets go of the command; when it still runs, it is ended."""
        await self._socket.close()

    async def start(self, request: Mapping[str, Any], keep_stdin: bool) -> None:
        """Sends the request and waits until the command runs. Called once, by whoever opened the socket."""
        start = {key: value for key, value in request.items() if value is not None}
        await self._send(control(type="start", start=start))
        if not keep_stdin:
            await self.close_stdin()
        await self._receive(lambda: self._state.started or self._state.ended)
        if self._state.failure is not None:
            await self.aclose()
            raise self._state.failure

    async def _next(self) -> Output | None:
        await self._receive(lambda: bool(self._state.outputs) or self._state.ended)
        return self._state.outputs.popleft() if self._state.outputs else None

    async def _receive(self, enough: Callable[[], bool]) -> None:
        """Reads messages until `enough`; one reader at a time."""
        while not enough():
            async with self._reading:
                if enough():
                    return
                try:
                    replies = self._state.receive(await self._socket.recv())
                except io.Closed:
                    self._state.lost()
                    return
                for reply in replies:
                    await self._send(reply)

    async def _send(self, frame: bytes) -> None:
        try:
            await self._socket.send(frame)
        except io.Closed:
            # What came before the end is still read, and says how it ended.
            pass


class AsyncCommands:
    """`sandbox.commands`"""

    def __init__(self, transport: AsyncTransport, sandbox_id: str) -> None:
        self._transport = transport
        self._sandbox_id = sandbox_id

    @overload
    async def run(
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
    async def run(
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
    ) -> AsyncCommandHandle: ...

    async def run(
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
    ) -> CommandResult | AsyncCommandHandle:
        """
        Runs a command, given as a line or as its words, and gives its result; with `background` a handle at once. `timeout` is in seconds.
        Raises `CommandExitError` for another exit code than 0 unless `check` is off, `CommandTimeoutError` when its time is over.
        """
        request = {**_common(timeout, env, cwd, max_output_bytes), "argv": argv_of(command)}
        handle = AsyncCommandHandle(await self._open("exec"), on_stdout, on_stderr)
        await handle.start(request, keep_stdin=background or stdin is not None)
        if stdin is not None:
            await handle.send_stdin(stdin)
            await handle.close_stdin()
        return handle if background else await handle.wait(check=check)

    async def run_code(
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
        handle = AsyncCommandHandle(await self._open("python"), on_stdout, on_stderr)
        await handle.start(request, keep_stdin=False)
        return await handle.wait(check=check)

    async def _open(self, route: str) -> io.Socket:
        return await self._transport.open_socket(path_of("sandboxes", self._sandbox_id, route))


def _common(
    timeout: float | None, env: Mapping[str, str] | None, cwd: str | None, max_output_bytes: int | None
) -> dict[str, Any]:
    return {
        "timeoutMs": None if timeout is None else max(1, round(timeout * 1000)),
        "env": None if env is None else dict(env),
        "cwd": cwd,
        "maxOutputBytes": max_output_bytes,
    }
