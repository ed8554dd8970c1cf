"""What the server answers, as data. Sizes are in bytes, times of day are `datetime`, time spans say their unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict


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
