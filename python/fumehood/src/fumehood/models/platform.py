"""The control plane itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class EndingSandbox:
    """A sandbox of one's own that ends within ten minutes."""

    id: str
    name: str
    expires_at: datetime


@dataclass(frozen=True)
class SandboxCounts:
    running: int
    starting: int
    stopped: int
    failed: int


@dataclass(frozen=True)
class DriverStatus:
    id: str
    usable: bool
    runtimes: list[str]


@dataclass(frozen=True)
class Status:
    pid: int
    url: str
    version: str
    home: str
    uptime_seconds: int
    sandboxes: SandboxCounts
    ending_soon: list[EndingSandbox]
    doors: dict[str, str]
    #: Below which the pages of runs are.
    run_pages: str | None
    driver: DriverStatus
    database: str
    audit_entries: int
    memory_bytes: int


@dataclass(frozen=True)
class Rotation:
    key: str
    version: int
    #: How many data keys were wrapped anew.
    rewrapped: int
    #: Versions that are not needed any more once no backup uses them.
    retiring: list[int]
