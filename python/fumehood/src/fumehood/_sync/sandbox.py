# Made from _async/sandbox.py by make_sync.py.
"""A sandbox: made, used and removed."""

from __future__ import annotations

from builtins import list as List  # the class has a method of that name
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from .._connection import find_connection
from .._decode import decode
from ..models import CommandResult, OpenPort, Removed, SandboxEvent, SandboxInfo, SandboxStats
from .command import Commands, Write
from .files import Files
from .transport import Transport, path_of


class Sandbox:
    """
    Made by `Sandbox.create` or found by `Sandbox.connect`. As a context manager it is removed at the end;
    `close` only lets go of it, and it lives on until its time to live or its idle time is over.
    """

    def __init__(self, transport: Transport, info: SandboxInfo, owns_transport: bool = False) -> None:
        self._transport = transport
        self._owns_transport = owns_transport
        self._info = info
        self._removed = False
        self.commands = Commands(transport, info.id)
        self.files = Files(transport, info.id)

    @classmethod
    def create(
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
        transport: Transport | None = None,
    ) -> Sandbox:
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
        return cls._found(transport, "POST", path_of("sandboxes"), request)

    @classmethod
    def connect(cls, sandbox: str, *, transport: Transport | None = None) -> Sandbox:
        """A sandbox by its id, or by the name of one of your own."""
        return cls._found(transport, "GET", path_of("sandboxes", sandbox), None)

    @classmethod
    def list(
        cls, *, all: bool = False, everybody: bool = False, transport: Transport | None = None
    ) -> List[SandboxInfo]:
        """Your sandboxes, newest first; `all`: deleted ones too, `everybody`: not only your own."""
        own = transport or Transport(find_connection())
        try:
            return own.all(SandboxInfo, path_of("sandboxes"), {"all": all, "mine": not everybody})
        finally:
            if transport is None:
                own.close()

    @classmethod
    def _found(
        cls, transport: Transport | None, method: str, path: str, body: Mapping[str, Any] | None
    ) -> Sandbox:
        own = transport or Transport(find_connection())
        try:
            info = decode(SandboxInfo, own.send(method, path, body=body))
        except BaseException:
            if transport is None:
                own.close()
            raise
        return cls(own, info, owns_transport=transport is None)

    @property
    def id(self) -> str:
        return self._info.id

    @property
    def name(self) -> str:
        return self._info.name

    def info(self) -> SandboxInfo:
        """What it is now."""
        self._info = self._transport.get(SandboxInfo, self._path())
        return self._info

    def stats(self) -> SandboxStats:
        return self._transport.get(SandboxStats, self._path("stats"))

    def logs(self) -> List[SandboxEvent]:
        """Its history: states, commands and how they ended; never their output."""
        return self._transport.all(SandboxEvent, self._path("logs"))

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
        check: bool = True,
    ) -> CommandResult:
        """Runs Python source in the warm interpreter; the same as `commands.run_code`."""
        return self.commands.run_code(
            source,
            name=name,
            on_stdout=on_stdout,
            on_stderr=on_stderr,
            timeout=timeout,
            env=env,
            cwd=cwd,
            check=check,
        )

    def open(self, port: int | None = None) -> OpenPort:
        """An address for the browser: JupyterLab, or what listens on a port of the sandbox."""
        return decode(OpenPort, self._transport.send("POST", self._path("open"), body={"port": port}))

    def keepalive(self) -> None:
        """Counts as work now."""
        self._transport.send("POST", self._path("keepalive"), body={})

    def set_timeout(self, ttl: str | int) -> None:
        """Moves the end: so long from now on, as `1h` or in milliseconds."""
        self._info = decode(SandboxInfo, self._transport.send("POST", self._path("keepalive"), body={"ttl": ttl}))

    def stop(self, *, grace_ms: int | None = None) -> None:
        """Ends every process; the workspace stays until the sandbox is removed."""
        body = {"graceMs": grace_ms}
        self._info = decode(SandboxInfo, self._transport.send("POST", self._path("stop"), body=body))

    def kill(self) -> Removed:
        """Ends and removes it, and says what of it could not be removed (nothing, as a rule)."""
        try:
            removed = decode(Removed, self._transport.send("DELETE", self._path()))
            self._removed = True
            return removed
        finally:
            self.close()

    def close(self) -> None:
        """Lets go of the connection; the sandbox lives on."""
        if self._owns_transport:
            self._transport.close()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._removed:
            self.kill()

    def __repr__(self) -> str:
        return f"<Sandbox {self._info.id} {self._info.name}>"

    def _path(self, *more: str) -> str:
        return path_of("sandboxes", self._info.id, *more)
