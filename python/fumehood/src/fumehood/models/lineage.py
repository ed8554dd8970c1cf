"""What came from what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class LineageNode:
    id: str
    kind: str
    name: str
    labels: list[str]
    digest: str | None = None


@dataclass(frozen=True)
class LineageEdge:
    from_: str
    to: str
    #: observed, derived, declared
    kind: str
    relation: str
    time: datetime


@dataclass(frozen=True)
class LineageGraph:
    root: str
    nodes: list[LineageNode]
    edges: list[LineageEdge]
    truncated: bool
