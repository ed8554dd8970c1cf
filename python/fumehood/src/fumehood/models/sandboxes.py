"""Sandboxes: what they are asked to be, what they are and use, and what is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict


class SandboxOptions(TypedDict, total=False):
    """What a sandbox may be asked to be; `Sandbox.create` says what each means."""

    name: str | None
    environment: str | None
    memory: str | int | None
    cpus: float | None
    disk: str | int | None
    pids: int | None
    gpus: int | None
    ttl: str | int | None
    idle: str | int | None
    mounts: Sequence[str]
    egress: Sequence[str]
    grants: Sequence[str]
    purpose: str | None
    runtime: str | None
    image: str | None


@dataclass(frozen=True)
class EnvironmentRef:
    name: str
    digest: str


@dataclass(frozen=True)
class Mount:
    dataset: str
    version: str
    digest: str
    tags: list[str]
    target: str


@dataclass(frozen=True)
class EgressGrant:
    host: str
    port: int


@dataclass(frozen=True)
class GpuDevice:
    #: N of /dev/nvidiaN on the host and in the sandbox
    index: int
    uuid: str
    model: str


@dataclass(frozen=True)
class SandboxInfo:
    id: str
    name: str
    owner: str
    #: starting, running, stopping, stopped, deleting, deleted, failed
    state: str
    reason: str
    labels: list[str]
    environment: EnvironmentRef | None
    memory_bytes: int
    cpus: float
    disk_bytes: int
    pids: int
    gpus: int
    gpu_devices: list[GpuDevice]
    runtime: str
    image: str | None
    purpose: str
    mounts: list[Mount]
    egress: list[EgressGrant]
    grants: list[str]
    created_at: datetime
    expires_at: datetime
    idle_timeout_ms: int | None


@dataclass(frozen=True)
class SandboxStats:
    id: str
    cpu_seconds: float
    memory_bytes: int
    memory_peak_bytes: int
    pids: int
    disk_bytes: int
    disk_limit_bytes: int
    oom_kills: int
    running_execs: int
    idle_ms: float


@dataclass(frozen=True)
class SandboxSample:
    """What one running sandbox uses; times since its start."""

    id: str
    name: str
    owner: str
    cpus: float
    cpu_seconds: float
    memory_bytes: int
    memory_peak_bytes: int
    memory_limit_bytes: int
    pids: int
    disk_bytes: int
    disk_limit_bytes: int
    oom_kills: int
    network_in_bytes: int
    network_out_bytes: int
    running_execs: int
    idle_ms: float
    expires_at: datetime


@dataclass(frozen=True)
class SandboxLook:
    """All running sandboxes at one moment."""

    time: datetime
    items: list[SandboxSample]


@dataclass(frozen=True)
class SandboxEvent:
    position: int
    time: datetime
    kind: str
    message: str


@dataclass(frozen=True)
class OpenPort:
    id: str
    name: str
    port: int
    #: For one visit, within a short time; whoever has it is let in.
    url: str = field(repr=False)
    url_expires_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class LeftOver:
    kind: str
    what: str


@dataclass(frozen=True)
class Removed:
    id: str
    name: str
    state: str
    #: What of the sandbox could not be removed; empty when nothing is left.
    remains: list[LeftOver]
