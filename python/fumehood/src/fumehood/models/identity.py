"""People, tokens and quotas."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class User:
    name: str
    roles: list[str]
    team: str
    disabled: bool
    created_at: datetime
    #: Shown once, when the user is made.
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Whoami:
    user: str
    roles: list[str]
    team: str
    scopes: list[str]


@dataclass(frozen=True)
class Token:
    id: str
    user: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    #: Shown once, when it is made.
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class S3KeyPair:
    access_key_id: str
    #: Shown once, when the pair is made.
    secret_access_key: str = field(repr=False)
    read_only: bool
    expires_at: datetime


@dataclass(frozen=True)
class S3Key:
    access_key_id: str
    user: str
    read_only: bool
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Amounts:
    sandboxes: float
    cpus: float
    memory_bytes: float
    disk_bytes: float
    gpus: float


@dataclass(frozen=True)
class Quota:
    scope: str
    name: str
    limits: Amounts
    used: Amounts
