"""Data sets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Dataset:
    name: str
    version: int
    digest: str
    tags: list[str]
    size_bytes: int
    file_count: int
    owner: str
    created_at: datetime


@dataclass(frozen=True)
class DatasetFile:
    path: str
    size_bytes: int
    digest: str
