"""Files and commands in sandboxes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class FileInfo:
    name: str
    #: file, directory, symlink, other
    kind: str
    size_bytes: int
    mode: int
    modified_ms: float


@dataclass(frozen=True)
class FileChange:
    time: datetime
    #: created, modified, deleted; missed: more happened below the path than could be told
    kind: str
    path: str


@dataclass(frozen=True)
class CommandResult:
    exit_code: int
    stdout: str
    stderr: str
    #: The name of the signal that ended it, such as KILL.
    signal: str | None = None
    timed_out: bool = False
    #: It was ended because it wrote more than `max_output_bytes`.
    truncated: bool = False
