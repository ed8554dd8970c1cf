# Made from _async/platform.py by make_sync.py.
"""The control plane itself."""

from __future__ import annotations

import os
from pathlib import Path

from .._decode import decode
from ..models import Rotation
from . import io
from .noun import Noun
from .transport import path_of


class Backups(Noun):
    """Backups of a control plane that runs, by operators."""

    def create(self, local: str | Path) -> int:
        """Writes store and blobs, without keys, to a new file that `fumehood backup verify` and `restore` take; gives its size. The file is whole or not there."""
        target = Path(local)
        partial = target.with_name(f"{target.name}.part-{os.getpid()}")
        try:
            with open(partial, "xb") as file:
                for chunk in self._transport.download(path_of("backups"), method="POST"):
                    io.write(file, chunk)
                # The server leaves the end of the archive to who has received all of it.
                io.write(file, bytes(1024))
                size = file.tell()
            os.replace(partial, target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        return size


class Keys(Noun):
    """The key that protects objects and secrets, by operators."""

    def rotate(self) -> Rotation:
        """Gives it a new version and wraps all data keys anew."""
        return decode(Rotation, self._transport.send("POST", path_of("keys", "rotate"), body={}))
