"""A sandbox: made, used and removed."""

from __future__ import annotations

from builtins import list as List  # the class has a method of that name
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from .._connection import find_connection
from .._decode import decode
from ..models import CommandResult, OpenPort, Removed, SandboxEvent, SandboxInfo, SandboxStats
from .command import AsyncCommands, Write
from .files import AsyncFiles
from .transport import AsyncTransport, path_of


class AsyncSandbox:
    """
    Made by `AsyncSandbox.create` or found by `AsyncSandbox.connect`. As a context manager it is removed at the end;
    `close` only lets go of it, and it lives on until its time to live or its idle time is over.
    """

    def __init__(self, transport: AsyncTransport, info: SandboxInfo, owns_transport: bool = False) -> None:
        self._transport = transport
        self._owns_transport = owns_transport
        self._info = info
        self._removed = False
        self.commands = AsyncCommands(transport, info.id)
        self.files = AsyncFiles(transport, info.id)

    @classmethod
    async def create(
        cls,
        *,
        name: str | None = None,
        environment: str | None = None,
        memory: str | int | None = None,
        cpus: float | None = None,
        disk: str | int | None = None,
        pids: int | None = None,
        gpus: int | None = None,
        ttl: str | int | None = None,
        idle: str | int | None = None,
        mounts: Sequence[str] = (),
        egress: Sequence[str] = (),
        grants: Sequence[str] = (),
        purpose: str | None = None,
        runtime: str | None = None,
        image: str | None = None,
        transport: AsyncTransport | None = None,
    ) -> AsyncSandbox:
        """
        Admits and starts a sandbox; answers when it runs. Sizes as `2g` or in bytes, times as `10m` or in milliseconds; `mounts` are
        `DATASET[@VERSION]`, `egress` are `HOST:PORT`, `grants` are `model:NAME/VERSION`. Raises `DeniedError` or `ApprovalRequiredError`
        when policy says no, `CapabilityMissingError` when the host cannot enforce it, `QuotaExceededError`.
        """
        request = {
            "name": name,
            "environment": environment,
            "memory": memory,
            "cpus": cpus,
            "disk": disk,
            "pids": pids,
            "gpus": gpus,
            "ttl": ttl,
            "idle": idle,
            "mounts": list(mounts) or None,
            "egress": list(egress) or None,
            "grants": list(grants) or None,
            "purpose": purpose,
            "runtime": runtime,
            "image": image,
        }
        return await cls._found(transport, "POST", path_of("sandboxes"), request)

    @classmethod
    async def connect(cls, sandbox: str, *, transport: AsyncTransport | None = None) -> AsyncSandbox:
        """A sandbox by its id, or by the name of one of your own."""
        return await cls._found(transport, "GET", path_of("sandboxes", sandbox), None)

    @classmethod
    async def list(
        cls, *, all: bool = False, everybody: bool = False, transport: AsyncTransport | None = None
    ) -> List[SandboxInfo]:
        """Your sandboxes, newest first; `all`: deleted ones too, `everybody`: not only your own."""
        own = transport or AsyncTransport(find_connection())
        try:
            return await own.all(SandboxInfo, path_of("sandboxes"), {"all": all, "mine": not everybody})
        finally:
            if transport is None:
                await own.aclose()

    @classmethod
    async def _found(
        cls, transport: AsyncTransport | None, method: str, path: str, body: Mapping[str, Any] | None
    ) -> AsyncSandbox:
        own = transport or AsyncTransport(find_connection())
        try:
            info = decode(SandboxInfo, await own.send(method, path, body=body))
        except BaseException:
            if transport is None:
                await own.aclose()
            raise
        return cls(own, info, owns_transport=transport is None)

    @property
    def id(self) -> str:
        return self._info.id

    @property
    def name(self) -> str:
        return self._info.name

    async def info(self) -> SandboxInfo:
        """What it is now."""
        self._info = await self._transport.get(SandboxInfo, self._path())
        return self._info

    async def stats(self) -> SandboxStats:
        return await self._transport.get(SandboxStats, self._path("stats"))

    async def logs(self) -> List[SandboxEvent]:
        """Its history: states, commands and how they ended; never their output."""
        return await self._transport.all(SandboxEvent, self._path("logs"))

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
        check: bool = True,
    ) -> CommandResult:
        """Runs Python source in the warm interpreter; the same as `commands.run_code`."""
        return await self.commands.run_code(
            source,
            name=name,
            on_stdout=on_stdout,
            on_stderr=on_stderr,
            timeout=timeout,
            env=env,
            cwd=cwd,
            check=check,
        )

    async def open(self, port: int | None = None) -> OpenPort:
        """An address for the browser: JupyterLab, or what listens on a port of the sandbox."""
        return decode(OpenPort, await self._transport.send("POST", self._path("open"), body={"port": port}))

    async def keepalive(self) -> None:
        """Counts as work now."""
        await self._transport.send("POST", self._path("keepalive"), body={})

    async def set_timeout(self, ttl: str | int) -> None:
        """Moves the end: so long from now on, as `1h` or in milliseconds."""
        self._info = decode(SandboxInfo, await self._transport.send("POST", self._path("keepalive"), body={"ttl": ttl}))

    async def stop(self, *, grace_ms: int | None = None) -> None:
        """Ends every process; the workspace stays until the sandbox is removed."""
        body = {"graceMs": grace_ms}
        self._info = decode(SandboxInfo, await self._transport.send("POST", self._path("stop"), body=body))

    async def kill(self) -> Removed:
        """Ends and removes it, and says what of it could not be removed (nothing, as a rule)."""
        try:
            removed = decode(Removed, await self._transport.send("DELETE", self._path()))
            self._removed = True
            return removed
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Lets go of the connection; the sandbox lives on."""
        if self._owns_transport:
            await self._transport.aclose()

    async def __aenter__(self) -> AsyncSandbox:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._removed:
            await self.kill()

    def __repr__(self) -> str:
        return f"<Sandbox {self._info.id} {self._info.name}>"

    def _path(self, *more: str) -> str:
        return path_of("sandboxes", self._info.id, *more)
