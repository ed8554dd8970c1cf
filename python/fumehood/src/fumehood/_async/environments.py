"""Python environments and images."""

from __future__ import annotations

from builtins import list as List  # the classes have methods of that name
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path

from .._decode import decode
from ..models import BuildLine, Environment, Image
from .noun import AsyncNoun
from .transport import path_of


class AsyncEnvironments(AsyncNoun):
    """Locked Python environments, shared by sandboxes."""

    async def create(
        self, name: str, *, packages: Iterable[str] | None = None, requirements: str | None = None
    ) -> Environment:
        """Resolves, locks and installs; `requirements` is the text of a requirements file."""
        body = {"name": name, "packages": None if packages is None else list(packages), "requirements": requirements}
        return decode(Environment, await self._transport.send("POST", path_of("environments"), body=body))

    def follow(self, name: str) -> AsyncGenerator[BuildLine, None]:
        """What your own builds of that name do, while they run: phases, and the lines of resolver and installer."""
        return self._transport.lines(BuildLine, path_of("environments", name, "build"))

    async def get(self, name: str) -> Environment:
        return await self._transport.get(Environment, path_of("environments", name))

    async def delete(self, name: str) -> None:
        await self._transport.send("DELETE", path_of("environments", name))

    async def list(self) -> List[Environment]:
        return await self._transport.all(Environment, path_of("environments"))


class AsyncImages(AsyncNoun):
    """OCI images that can be the root of a sandbox."""

    async def add(self, archive: str | Path, *, name: str | None = None) -> Image:
        """Adds an image: a tar file of an OCI image layout."""
        with open(archive, "rb") as file:
            return decode(Image, await self._transport.send("PUT", path_of("images"), query={"name": name}, content=file))

    async def get(self, digest: str) -> Image:
        return await self._transport.get(Image, path_of("images", digest))

    async def list(self) -> List[Image]:
        return await self._transport.all(Image, path_of("images"))

    async def delete(self, digest: str) -> None:
        await self._transport.send("DELETE", path_of("images", digest))
