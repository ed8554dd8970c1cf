"""Secrets, policies and requests for access."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class SecretVersion:
    path: str
    version: int
    created_at: datetime
    #: Only of one that was read.
    data: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Policy:
    name: str
    version: int
    digest: str
    for_: list[str]
    removed: bool
    applied_by: str
    applied_at: datetime
    #: Only of a single one.
    source: str = ""


@dataclass(frozen=True)
class AccessRequest:
    id: str
    #: pending, approved, denied, revoked, expired
    state: str
    requester: str
    dataset: str
    purpose: str
    labels: list[str]
    requested_at: datetime
    until: str
    decided_by: str | None
    decided_at: datetime | None
    reason: str
