"""`sandbox.files`: paths are resolved inside the sandbox; relative ones start at /workspace."""

from __future__ import annotations

from builtins import list as List  # the class has a method of that name
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import IO

from ..errors import UnavailableError
from ..models import FileChange, FileInfo
from . import io
from .transport import AsyncTransport, Query, path_of


class AsyncFileWatch:
    """The changes below a folder as they come; ends with the folder or the sandbox. `missed` tells to look there by oneself."""

    def __init__(self, lines: AsyncGenerator[FileChange, None]) -> None:
        self._lines = lines

    @classmethod
    async def _begin(cls, transport: AsyncTransport, path: str, query: Query) -> AsyncFileWatch:
        lines = transport.lines(FileChange, path, query)
        await lines.__anext__()
        return cls(lines)

    def __aiter__(self) -> AsyncFileWatch:
        return self

    async def __anext__(self) -> FileChange:
        async for change in self._lines:
            if change.kind == "ended":
                raise StopAsyncIteration
            if change.kind != "alive":
                return change
        raise UnavailableError("The connection was lost while watching.", hint="Watch again.")

    async def aclose(self) -> None:
        await self._lines.aclose()

    async def __aenter__(self) -> AsyncFileWatch:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class AsyncFiles:
    def __init__(self, transport: AsyncTransport, sandbox_id: str) -> None:
        self._transport = transport
        self._path = path_of("sandboxes", sandbox_id, "files")

    async def write(self, path: str, content: str | bytes | IO[bytes], *, mode: int | None = None) -> int:
        """Writes a file, a whole new one or none; gives its size."""
        data = content.encode() if isinstance(content, str) else content
        query = {"path": path, "mode": None if mode is None else f"{mode:03o}"}
        written = await self._transport.send("PUT", f"{self._path}/content", query=query, content=data)
        return int(written["sizeBytes"])

    async def read(self, path: str) -> str:
        """The text of a file (UTF-8)."""
        return (await self.read_bytes(path)).decode()

    async def read_bytes(self, path: str) -> bytes:
        return b"".join([chunk async for chunk in self.stream(path)])

    def stream(self, path: str) -> AsyncIterator[bytes]:
        """The bytes of a file as they come."""
        return self._transport.download(f"{self._path}/content", {"path": path})

    async def list(self, path: str = "/workspace") -> List[FileInfo]:
        return await self._transport.all(FileInfo, self._path, {"path": path})

    async def watch(self, path: str = "/workspace", *, for_ms: int | None = None) -> AsyncFileWatch:
        """Watches a folder and all below; when this answers, it is watched. Iterate over it for the changes, close it to end."""
        return await AsyncFileWatch._begin(self._transport, f"{self._path}/watch", {"path": path, "forMs": for_ms})

    async def remove(self, path: str, *, recursive: bool = False) -> None:
        await self._transport.send("DELETE", self._path, query={"path": path, "recursive": recursive})

    async def upload(self, local: str | Path, path: str) -> int:
        """Copies a local file into the sandbox; gives its size."""
        with open(local, "rb") as file:
            return await self.write(path, file)

    async def download(self, path: str, local: str | Path) -> None:
        """Copies a file of the sandbox to this machine."""
        with open(local, "wb") as file:
            async for chunk in self.stream(path):
                await io.write(file, chunk)
