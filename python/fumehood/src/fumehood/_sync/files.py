# Made from _async/files.py by make_sync.py.
"""`sandbox.files`: paths are resolved inside the sandbox; relative ones start at /workspace."""

from __future__ import annotations

from builtins import list as List  # the class has a method of that name
from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

from ..errors import UnavailableError
from ..models import FileChange, FileInfo
from . import io
from .transport import Transport, Query, path_of


class FileWatch:
    """The changes below a folder as they come; ends with the folder or the sandbox. `missed` tells to look there by oneself."""

    def __init__(self, lines: Generator[FileChange, None]) -> None:
        self._lines = lines

    @classmethod
    def _begin(cls, transport: Transport, path: str, query: Query) -> FileWatch:
        lines = transport.lines(FileChange, path, query)
        lines.__next__()
        return cls(lines)

    def __iter__(self) -> FileWatch:
        return self

    def __next__(self) -> FileChange:
        for change in self._lines:
            if change.kind == "ended":
                raise StopIteration
            if change.kind != "alive":
                return change
        raise UnavailableError("The connection was lost while watching.", hint="Watch again.")

    def close(self) -> None:
        self._lines.close()

    def __enter__(self) -> FileWatch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Files:
    def __init__(self, transport: Transport, sandbox_id: str) -> None:
        self._transport = transport
        self._path = path_of("sandboxes", sandbox_id, "files")

    def write(self, path: str, content: str | bytes | IO[bytes], *, mode: int | None = None) -> int:
        """Writes a file, a whole new one or none; gives its size."""
        data = content.encode() if isinstance(content, str) else content
        query = {"path": path, "mode": None if mode is None else f"{mode:03o}"}
        written = self._transport.send("PUT", f"{self._path}/content", query=query, content=data)
        return int(written["sizeBytes"])

    def read(self, path: str) -> str:
        """The text of a file (UTF-8)."""
        return (self.read_bytes(path)).decode()

    def read_bytes(self, path: str) -> bytes:
        return b"".join([chunk for chunk in self.stream(path)])

    def stream(self, path: str) -> Iterator[bytes]:
        """The bytes of a file as they come."""
        return self._transport.download(f"{self._path}/content", {"path": path})

    def list(self, path: str = "/workspace") -> List[FileInfo]:
        return self._transport.all(FileInfo, self._path, {"path": path})

    def watch(self, path: str = "/workspace", *, for_ms: int | None = None) -> FileWatch:
        """Watches a folder and all below; when this answers, it is watched. Iterate over it for the changes, close it to end."""
        return FileWatch._begin(self._transport, f"{self._path}/watch", {"path": path, "forMs": for_ms})

    def remove(self, path: str, *, recursive: bool = False) -> None:
        self._transport.send("DELETE", self._path, query={"path": path, "recursive": recursive})

    def upload(self, local: str | Path, path: str) -> int:
        """Copies a local file into the sandbox; gives its size."""
        with open(local, "rb") as file:
            return self.write(path, file)

    def download(self, path: str, local: str | Path) -> None:
        """Copies a file of the sandbox to this machine."""
        with open(local, "wb") as file:
            for chunk in self.stream(path):
                io.write(file, chunk)
