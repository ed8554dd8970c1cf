# Made from _async/tracking.py by make_sync.py.
"""Tracked runs and registered models."""

from __future__ import annotations

from builtins import list as List  # the classes have methods of that name
from collections.abc import Iterator

from .._decode import decode
from ..models import Model, Run, RunLink
from .noun import Noun
from .transport import path_of

Pages = Iterator


class Runs(Noun):
    """Tracked runs."""

    def get(self, run: str) -> Run:
        return self._transport.get(Run, path_of("runs", run))

    def list(self, *, experiment: str | None = None, filter: str | None = None) -> Pages[Run]:
        """Runs, newest first, page after page; `filter` in MLflow's language."""
        return self._transport.pages(Run, path_of("runs"), {"experiment": experiment, "filter": filter})

    def open(self, run: str) -> RunLink:
        """A link to its page, for one visit."""
        return decode(RunLink, self._transport.send("POST", path_of("runs", run, "open"), body={}))


class Models(Noun):
    """Registered models."""

    def get(self, name: str) -> Model:
        return self._transport.get(Model, path_of("models", name))

    def list(self) -> List[Model]:
        return self._transport.all(Model, path_of("models"))
