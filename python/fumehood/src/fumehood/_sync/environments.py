# Made from _async/environments.py by make_sync.py.
"""Python environments and images."""

from __future__ import annotations

from builtins import list as List  # the classes have methods of that name
from collections.abc import Generator, Iterable
from pathlib import Path

from .._decode import decode
from ..models import BuildLine, Environment, Image
from .noun import Noun
from .transport import path_of


class Environments(Noun):
    """Locked Python environments, shared by sandboxes."""

    def create(
        self, name: str, *, packages: Iterable[str] | None = None, requirements: str | None = None
    ) -> Environment:
        """Resolves, locks and installs; `requirements` is the text of a requirements file."""
        body = {"name": name, "packages": None if packages is None else list(packages), "requirements": requirements}
        return decode(Environment, self._transport.send("POST", path_of("environments"), body=body))

    def follow(self, name: str) -> Generator[BuildLine, None]:
        """What your own builds of that name do, while they run: phases, and the lines of resolver and installer."""
        return self._transport.lines(BuildLine, path_of("environments", name, "build"))

    def get(self, name: str) -> Environment:
        return self._transport.get(Environment, path_of("environments", name))

    def delete(self, name: str) -> None:
        self._transport.send("DELETE", path_of("environments", name))

    def list(self) -> List[Environment]:
        return self._transport.all(Environment, path_of("environments"))


class Images(Noun):
    """OCI images that can be the root of a sandbox."""

    def add(self, archive: str | Path, *, name: str | None = None) -> Image:
        """Adds an image: a tar file of an OCI image layout."""
        with open(archive, "rb") as file:
            return decode(Image, self._transport.send("PUT", path_of("images"), query={"name": name}, content=file))

    def get(self, digest: str) -> Image:
        return self._transport.get(Image, path_of("images", digest))

    def list(self) -> List[Image]:
        return self._transport.all(Image, path_of("images"))

    def delete(self, digest: str) -> None:
        self._transport.send("DELETE", path_of("images", digest))
