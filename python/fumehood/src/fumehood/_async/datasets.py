"""Data sets."""

from __future__ import annotations

import contextlib
import os
from builtins import list as List  # the classes have methods of that name
from collections.abc import Iterable
from pathlib import Path

from .._decode import decode
from ..errors import FumehoodError
from ..models import Dataset, DatasetFile
from .noun import AsyncNoun
from .transport import path_of


class AsyncDatasets(AsyncNoun):
    """Data sets with versions and tags."""

    async def add(self, name: str, source: str | Path, *, tags: Iterable[str]) -> Dataset:
        """Adds a file or a folder as the next version; an unchanged one adds none."""
        upload = await self._transport.send("POST", path_of("datasets", name, "uploads"), body={"tags": list(tags)})
        try:
            for path, local in _files_below(Path(source)):
                with open(local, "rb") as file:
                    target = path_of("dataset-uploads", upload["id"], "files") + "/" + path_of(*path.split("/"))[8:]
                    await self._transport.send("PUT", target, content=file)
            finished = await self._transport.send("POST", path_of("dataset-uploads", upload["id"], "finish"))
        except BaseException:
            with contextlib.suppress(FumehoodError):
                await self._transport.send("DELETE", path_of("dataset-uploads", upload["id"]))
            raise
        return decode(Dataset, finished)

    async def get(self, name: str, version: int | None = None) -> Dataset:
        """A version of a data set, the newest unless said otherwise."""
        more = () if version is None else ("versions", version)
        return await self._transport.get(Dataset, path_of("datasets", name, *more))

    async def list(self) -> List[Dataset]:
        return await self._transport.all(Dataset, path_of("datasets"))

    async def versions(self, name: str) -> List[Dataset]:
        return await self._transport.all(Dataset, path_of("datasets", name, "versions"))

    async def files(self, name: str, version: int) -> List[DatasetFile]:
        return await self._transport.all(DatasetFile, path_of("datasets", name, "versions", version, "files"))

    async def tag(self, name: str, version: int, tags: Iterable[str]) -> Dataset:
        path = path_of("datasets", name, "versions", version, "tags")
        return decode(Dataset, await self._transport.send("POST", path, body={"tags": list(tags)}))

    async def delete(self, name: str, version: int) -> None:
        await self._transport.send("DELETE", path_of("datasets", name, "versions", version))


def _files_below(source: Path) -> list[tuple[str, Path]]:
    """Every regular file, by its path in the data set; links are not followed."""
    if source.is_file():
        return [(source.name, source)]
    found = []
    for folder, _, names in os.walk(source):
        for name in names:
            local = Path(folder) / name
            if local.is_file() and not local.is_symlink():
                found.append((local.relative_to(source).as_posix(), local))
    return sorted(found)
