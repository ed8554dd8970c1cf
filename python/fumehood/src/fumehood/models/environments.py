"""What sandboxes are made of: Python environments and images."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Environment:
    name: str
    digest: str
    python: str
    packages: int
    size_bytes: int
    owner: str
    created_at: datetime
    requirements: list[str]
    #: Only of a single one.
    lock: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class BuildLine:
    time: datetime
    #: The request that builds; empty in lines about the watch itself.
    build: str
    #: ready, phase (one begins), log, done, failed, alive, ended
    kind: str
    #: resolve, build, wait, download, install, compile, measure, store; empty in lines about the watch itself
    phase: str
    text: str


@dataclass(frozen=True)
class Image:
    digest: str
    name: str
    owner: str
    layers: int
    files: int
    size_bytes: int
    #: The version of its Python; empty when it has none that fits.
    python: str
    working_dir: str | None
    added_at: datetime
