"""The audit log and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Actor:
    type: str
    id: str
    user: str | None = None


@dataclass(frozen=True)
class EntryObject:
    kind: str
    id: str
    name: str | None = None
    version: str | None = None
    digest: str | None = None


@dataclass(frozen=True)
class EntryDecision:
    id: str
    allowed: bool
    bundles: list[str]
    input_digest: str


@dataclass(frozen=True)
class AuditEntry:
    seq: int
    time: datetime
    actor: Actor
    action: str
    object: EntryObject
    decision: EntryDecision | None
    outcome: str
    request_id: str
    details: dict[str, Any]
    leaf_hash: str
    door: str | None = None


@dataclass(frozen=True)
class Finding:
    what: str
    seq: int | None = None


@dataclass(frozen=True)
class Verification:
    ok: bool
    size: int
    root: str
    findings: list[Finding]
    public_key: str


@dataclass(frozen=True)
class InclusionProof:
    """That an entry is in the log of that size: the hashes beside its way to the root (RFC 6962)."""

    seq: int
    size: int
    leaf: str
    leaf_hash: str
    proof: list[str]
    checkpoint: str
    public_key: str


@dataclass(frozen=True)
class Checkpoint:
    checkpoint: str
    public_key: str


@dataclass(frozen=True)
class Erased:
    as_actor: int
    as_object: int
