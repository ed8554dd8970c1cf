"""Tracked runs and registered models."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Run:
    id: str
    name: str
    experiment: str
    status: str
    owner: str
    sandbox: str | None
    labels: list[str]
    started_at: datetime | None
    ended_at: datetime | None
    lifecycle: str
    #: Address of its page, for a browser that ``fumehood run open`` has let in.
    page: str | None
    #: These four only of a single one.
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    artifact_uri: str = ""


@dataclass(frozen=True)
class RunLink:
    id: str
    #: For one visit, within a short time; whoever has it is let in.
    url: str = field(repr=False)
    url_expires_at: datetime


@dataclass(frozen=True)
class ModelVersion:
    version: str
    stage: str
    status: str
    run_id: str
    source: str
    owner: str
    aliases: list[str]
    tags: dict[str, str]
    created_at: datetime


@dataclass(frozen=True)
class Model:
    name: str
    description: str
    owner: str
    labels: list[str]
    aliases: dict[str, str]
    tags: dict[str, str]
    versions: list[ModelVersion]
    created_at: datetime
    updated_at: datetime
