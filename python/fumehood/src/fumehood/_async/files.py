"""`sandbox.files`: paths are resolved inside the sandbox; relative ones start at /workspace."""

from __future__ import annotations

from builtins import list as List  # the class has a method of that name
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from ..models import FileInfo
from . import io
from .transport import AsyncTransport, path_of


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
