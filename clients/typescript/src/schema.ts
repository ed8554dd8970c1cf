/** Generated from the OpenAPI document (docs/reference/openapi.json); a test compares. */
import type { Bytes, Lines } from './bytes.ts';

export type Operations = {
  /** Admit and start a sandbox; answers when it runs */
  'POST /api/v1/sandboxes': {
    params: undefined;
    query: undefined;
    body: { name?: string; environment?: string; memory?: string | number; cpus?: number; disk?: string | number; pids?: number; gpus?: number; ttl?: string | number; idle?: string | number; mounts?: string[]; egress?: string[]; grants?: string[]; purpose?: string; runtime?: "runc" | "crun" | "runsc"; image?: string };
    answer: { id: string; name: string; owner: string; state: "starting" | "running" | "stopping" | "stopped" | "deleting" | "deleted" | "failed"; reason: string; labels: string[]; environment: { name: string; digest: string } | null; memoryBytes: number; cpus: number; diskBytes: number; pids: number; gpus: number; gpuDevices: { index: number; uuid: string; model: string }[]; runtime: string; image: string | null; purpose: string; mounts: { dataset: string; version: string; digest: string; tags: string[]; target: string }[]; egress: { host: string; port: number }[]; grants: string[]; createdAt: string; expiresAt: string; idleTimeoutMs: number | null };
    start: undefined;
  };
  /** Sandboxes, newest first */
  'GET /api/v1/sandboxes': {
    params: undefined;
    query: { limit?: number; cursor?: string; all?: boolean; mine?: boolean };
    body: undefined;
    answer: { items: { id: string; name: string; owner: string; state: "starting" | "running" | "stopping" | "stopped" | "deleting" | "deleted" | "failed"; reason: string; labels: string[]; environment: { name: string; digest: string } | null; memoryBytes: number; cpus: number; diskBytes: number; pids: number; gpus: number; gpuDevices: { index: number; uuid: string; model: string }[]; runtime: string; image: string | null; purpose: string; mounts: { dataset: string; version: string; digest: string; tags: string[]; target: string }[]; egress: { host: string; port: number }[]; grants: string[]; createdAt: string; expiresAt: string; idleTimeoutMs: number | null }[]; next: string | null };
    start: undefined;
  };
  /** End a sandbox and prove that nothing of it remains */
  'DELETE /api/v1/sandboxes/{id}': {
    params: { id: string };
    query: { dryRun?: boolean };
    body: undefined;
    answer: { id: string; name: string; state: string; remains: { kind: string; what: string }[] };
    start: undefined;
  };
  /** One sandbox */
  'GET /api/v1/sandboxes/{id}': {
    params: { id: string };
    query: undefined;
    body: undefined;
    answer: { id: string; name: string; owner: string; state: "starting" | "running" | "stopping" | "stopped" | "deleting" | "deleted" | "failed"; reason: string; labels: string[]; environment: { name: string; digest: string } | null; memoryBytes: number; cpus: number; diskBytes: number; pids: number; gpus: number; gpuDevices: { index: number; uuid: string; model: string }[]; runtime: string; image: string | null; purpose: string; mounts: { dataset: string; version: string; digest: string; tags: string[]; target: string }[]; egress: { host: string; port: number }[]; grants: string[]; createdAt: string; expiresAt: string; idleTimeoutMs: number | null };
    start: undefined;
  };
  /** End every process of a sandbox; its workspace stays until it is deleted */
  'POST /api/v1/sandboxes/{id}/stop': {
    params: { id: string };
    query: undefined;
    body: { graceMs?: number };
    answer: { id: string; name: string; owner: string; state: "starting" | "running" | "stopping" | "stopped" | "deleting" | "deleted" | "failed"; reason: string; labels: string[]; environment: { name: string; digest: string } | null; memoryBytes: number; cpus: number; diskBytes: number; pids: number; gpus: number; gpuDevices: { index: number; uuid: string; model: string }[]; runtime: string; image: string | null; purpose: string; mounts: { dataset: string; version: string; digest: string; tags: string[]; target: string }[]; egress: { host: string; port: number }[]; grants: string[]; createdAt: string; expiresAt: string; idleTimeoutMs: number | null };
    start: undefined;
  };
  /** Count as work now; with ttl, move the end */
  'POST /api/v1/sandboxes/{id}/keepalive': {
    params: { id: string };
    query: undefined;
    body: { ttl?: string | number };
    answer: { id: string; name: string; owner: string; state: "starting" | "running" | "stopping" | "stopped" | "deleting" | "deleted" | "failed"; reason: string; labels: string[]; environment: { name: string; digest: string } | null; memoryBytes: number; cpus: number; diskBytes: number; pids: number; gpus: number; gpuDevices: { index: number; uuid: string; model: string }[]; runtime: string; image: string | null; purpose: string; mounts: { dataset: string; version: string; digest: string; tags: string[]; target: string }[]; egress: { host: string; port: number }[]; grants: string[]; createdAt: string; expiresAt: string; idleTimeoutMs: number | null };
    start: undefined;
  };
  /** What a running sandbox uses */
  'GET /api/v1/sandboxes/{id}/stats': {
    params: { id: string };
    query: undefined;
    body: undefined;
    answer: { id: string; cpuSeconds: number; memoryBytes: number; memoryPeakBytes: number; pids: number; diskBytes: number; diskLimitBytes: number; oomKills: number; runningExecs: number; idleMs: number };
    start: undefined;
  };
  /** The history of a sandbox: states, execs and how they ended (never their output) */
  'GET /api/v1/sandboxes/{id}/logs': {
    params: { id: string };
    query: { after?: number; waitMs?: number };
    body: undefined;
    answer: { items: { position: number; time: string; kind: string; message: string }[]; next: string | null };
    start: undefined;
  };
  /** What running sandboxes use, as JSON lines, one a look */
  'GET /api/v1/sandbox-stats': {
    params: undefined;
    query: { mine?: boolean; sandbox?: string | string[]; everyMs?: number; samples?: number };
    body: undefined;
    answer: Lines<{ time: string; items: { id: string; name: string; owner: string; cpus: number; cpuSeconds: number; memoryBytes: number; memoryPeakBytes: number; memoryLimitBytes: number; pids: number; diskBytes: number; diskLimitBytes: number; oomKills: number; networkInBytes: number; networkOutBytes: number; runningExecs: number; idleMs: number; expiresAt: string }[] }>;
    start: undefined;
  };
  /** List a folder of a sandbox */
  'GET /api/v1/sandboxes/{id}/files': {
    params: { id: string };
    query: { path: string };
    body: undefined;
    answer: { items: { name: string; kind: string; sizeBytes: number; mode: number; modifiedMs: number }[]; next: null };
    start: undefined;
  };
  /** Remove a file or a folder of a sandbox */
  'DELETE /api/v1/sandboxes/{id}/files': {
    params: { id: string };
    query: { path: string; recursive?: boolean };
    body: undefined;
    answer: { path: string };
    start: undefined;
  };
  /** Read a file of a sandbox */
  'GET /api/v1/sandboxes/{id}/files/content': {
    params: { id: string };
    query: { path: string };
    body: undefined;
    answer: Bytes;
    start: undefined;
  };
  /** Write a file of a sandbox; a whole new file or none */
  'PUT /api/v1/sandboxes/{id}/files/content': {
    params: { id: string };
    query: { path: string; mode?: string; parents?: boolean };
    body: Bytes;
    answer: { path: string; sizeBytes: number };
    start: undefined;
  };
  /** Watch a folder of a sandbox with all folders below, as JSON lines, one a change */
  'GET /api/v1/sandboxes/{id}/files/watch': {
    params: { id: string };
    query: { path: string; forMs?: number };
    body: undefined;
    answer: Lines<{ time: string; kind: "ready" | "created" | "modified" | "deleted" | "missed" | "alive" | "ended"; path: string }>;
    start: undefined;
  };
  /** A one-time link to a port of a sandbox, on an origin of its own; JupyterLab is started when no port is named */
  'POST /api/v1/sandboxes/{id}/open': {
    params: { id: string };
    query: undefined;
    body: { port?: number };
    answer: { id: string; name: string; port: number; url: string; urlExpiresAt: string; expiresAt: string };
    start: undefined;
  };
  /** Resolve packages to a lock and install it */
  'POST /api/v1/environments': {
    params: undefined;
    query: undefined;
    body: { name: string; packages?: string[]; requirements?: string };
    answer: { name: string; digest: string; python: string; packages: number; sizeBytes: number; owner: string; createdAt: string; requirements: string[] };
    start: undefined;
  };
  /** Environments by name */
  'GET /api/v1/environments': {
    params: undefined;
    query: { limit?: number; cursor?: string };
    body: undefined;
    answer: { items: { name: string; digest: string; python: string; packages: number; sizeBytes: number; owner: string; createdAt: string; requirements: string[] }[]; next: string | null };
    start: undefined;
  };
  /** One environment with all its packages */
  'GET /api/v1/environments/{name}': {
    params: { name: string };
    query: undefined;
    body: undefined;
    answer: { name: string; digest: string; python: string; packages: number; sizeBytes: number; owner: string; createdAt: string; requirements: string[]; lock: string[] };
    start: undefined;
  };
  /** Remove an environment that no sandbox uses */
  'DELETE /api/v1/environments/{name}': {
    params: { name: string };
    query: { dryRun?: boolean };
    body: undefined;
    answer: { name: string; digest: string; python: string; packages: number; sizeBytes: number; owner: string; createdAt: string; requirements: string[] };
    start: undefined;
  };
  /** Follow your own builds of an environment, as JSON lines: the phases, and what the installer says */
  'GET /api/v1/environments/{name}/build': {
    params: { name: string };
    query: undefined;
    body: undefined;
    answer: Lines<{ time: string; build: string; kind: "ready" | "phase" | "log" | "done" | "failed" | "alive" | "ended"; phase: "" | "resolve" | "build" | "wait" | "download" | "install" | "compile" | "measure" | "store"; text: string }>;
    start: undefined;
  };
  /** Add an image: the body is a tar of an OCI image layout */
  'PUT /api/v1/images': {
    params: undefined;
    query: { name?: string };
    body: Bytes;
    answer: { digest: string; name: string; owner: string; layers: number; files: number; sizeBytes: number; python: string; workingDir: string | null; addedAt: string; added: boolean };
    start: undefined;
  };
  /** Images by digest */
  'GET /api/v1/images': {
    params: undefined;
    query: { limit?: number; cursor?: string };
    body: undefined;
    answer: { items: { digest: string; name: string; owner: string; layers: number; files: number; sizeBytes: number; python: string; workingDir: string | null; addedAt: string }[]; next: string | null };
    start: undefined;
  };
  /** One image */
  'GET /api/v1/images/{digest}': {
    params: { digest: string };
    query: undefined;
    body: undefined;
    answer: { digest: string; name: string; owner: string; layers: number; files: number; sizeBytes: number; python: string; workingDir: string | null; addedAt: string };
    start: undefined;
  };
  /** Remove an image that no sandbox uses */
  'DELETE /api/v1/images/{digest}': {
    params: { digest: string };
    query: { dryRun?: boolean };
    body: undefined;
    answer: { digest: string; name: string; owner: string; layers: number; files: number; sizeBytes: number; python: string; workingDir: string | null; addedAt: string };
    start: undefined;
  };
  /** List data sets, each with its latest version */
  'GET /api/v1/datasets': {
    params: undefined;
    query: { limit?: number; cursor?: string };
    body: undefined;
    answer: { items: { name: string; version: number; digest: string; tags: string[]; sizeBytes: number; fileCount: number; owner: string; createdAt: string }[]; next: string | null };
    start: undefined;
  };
  /** The latest version of a data set */
  'GET /api/v1/datasets/{name}': {
    params: { name: string };
    query: undefined;
    body: undefined;
    answer: { name: string; version: number; digest: string; tags: string[]; sizeBytes: number; fileCount: number; owner: string; createdAt: string };
    start: undefined;
  };
  /** The versions of a data set, the latest first */
  'GET /api/v1/datasets/{name}/versions': {
    params: { name: string };
    query: undefined;
    body: undefined;
    answer: { items: { name: string; version: number; digest: string; tags: string[]; sizeBytes: number; fileCount: number; owner: string; createdAt: string }[]; next: string | null };
    start: undefined;
  };
  /** One version of a data set */
  'GET /api/v1/datasets/{name}/versions/{version}': {
    params: { name: string; version: number };
    query: undefined;
    body: undefined;
    answer: { name: string; version: number; digest: string; tags: string[]; sizeBytes: number; fileCount: number; owner: string; createdAt: string };
    start: undefined;
  };
  /** Remove a version that no sandbox has mounted */
  'DELETE /api/v1/datasets/{name}/versions/{version}': {
    params: { name: string; version: number };
    query: undefined;
    body: undefined;
    answer: undefined;
    start: undefined;
  };
  /** The files of a version: names can carry data, so this asks as for reading */
  'GET /api/v1/datasets/{name}/versions/{version}/files': {
    params: { name: string; version: number };
    query: undefined;
    body: undefined;
    answer: { items: { path: string; sizeBytes: number; digest: string }[]; next: string | null };
    start: undefined;
  };
  /** Begin to add a version */
  'POST /api/v1/datasets/{name}/uploads': {
    params: { name: string };
    query: undefined;
    body: { tags: string[] };
    answer: { id: string; name: string; tags: string[] };
    start: undefined;
  };
  /** Send one file of the version, as it is */
  'PUT /api/v1/dataset-uploads/{id}/files/{path}': {
    params: { id: string; path: string };
    query: undefined;
    body: Bytes;
    answer: { path: string; sizeBytes: number; digest: string };
    start: undefined;
  };
  /** Make what was sent a version, whole or not at all */
  'POST /api/v1/dataset-uploads/{id}/finish': {
    params: { id: string };
    query: undefined;
    body: undefined;
    answer: { name: string; version: number; digest: string; tags: string[]; sizeBytes: number; fileCount: number; owner: string; createdAt: string; added: boolean };
    start: undefined;
  };
  /** Give an upload up */
  'DELETE /api/v1/dataset-uploads/{id}': {
    params: { id: string };
    query: undefined;
    body: undefined;
    answer: undefined;
    start: undefined;
  };
  /** Add tags to a version; none is ever taken off here */
  'POST /api/v1/datasets/{name}/versions/{version}/tags': {
    params: { name: string; version: number };
    query: undefined;
    body: { tags: string[] };
    answer: { name: string; version: number; digest: string; tags: string[]; sizeBytes: number; fileCount: number; owner: string; createdAt: string };
    start: undefined;
  };
  /** Your S3 key pairs that work: ids and times, never the secrets; those of sandboxes end with them */
  'GET /api/v1/access-keys': {
    params: undefined;
    query: { limit?: number; cursor?: string; all?: boolean };
    body: undefined;
    answer: { items: { accessKeyId: string; user: string; readOnly: boolean; createdAt: string; expiresAt: string }[]; next: string | null };
    start: undefined;
  };
  /** Make an S3 key pair of your own for use outside of sandboxes; its secret is shown once */
  'POST /api/v1/access-keys': {
    params: undefined;
    query: undefined;
    body: { readOnly?: boolean; ttlSeconds?: number };
    answer: { accessKeyId: string; secretAccessKey: string; readOnly: boolean; expiresAt: string };
    start: undefined;
  };
  /** Revoke an S3 key pair */
  'DELETE /api/v1/access-keys/{id}': {
    params: { id: string };
    query: undefined;
    body: undefined;
    answer: undefined;
    start: undefined;
  };
  /** Your own runs, newest first; an officer sees those of all */
  'GET /api/v1/runs': {
    params: undefined;
    query: { limit?: number; cursor?: string; experiment?: string; filter?: string };
    body: undefined;
    answer: { items: { id: string; name: string; experiment: string; status: string; owner: string; sandbox: string | null; labels: string[]; startedAt: string | null; endedAt: string | null; lifecycle: string; page: string | null }[]; next: string | null };
    start: undefined;
  };
  /** One run: parameters, latest metrics, tags, labels */
  'GET /api/v1/runs/{id}': {
    params: { id: string };
    query: undefined;
    body: undefined;
    answer: { id: string; name: string; experiment: string; status: string; owner: string; sandbox: string | null; labels: string[]; startedAt: string | null; endedAt: string | null; lifecycle: string; page: string | null; params: Record<string, string>; tags: Record<string, string>; metrics: Record<string, number | string>; artifactUri: string };
    start: undefined;
  };
  /** A one-time link to the page of a run */
  'POST /api/v1/runs/{id}/open': {
    params: { id: string };
    query: undefined;
    body: Record<string, never>;
    answer: { id: string; url: string; urlExpiresAt: string };
    start: undefined;
  };
  /** Your own registered models by name; an officer sees those of all */
  'GET /api/v1/models': {
    params: undefined;
    query: { limit?: number; cursor?: string };
    body: undefined;
    answer: { items: { name: string; description: string; owner: string; labels: string[]; aliases: Record<string, string>; tags: Record<string, string>; versions: { version: string; stage: string; status: string; runId: string; source: string; owner: string; aliases: string[]; tags: Record<string, string>; createdAt: string }[]; createdAt: string; updatedAt: string }[]; next: string | null };
    start: undefined;
  };
  /** One registered model with its versions, or one version of it */
  'GET /api/v1/models/{name}': {
    params: { name: string };
    query: undefined;
    body: undefined;
    answer: { name: string; description: string; owner: string; labels: string[]; aliases: Record<string, string>; tags: Record<string, string>; versions: { version: string; stage: string; status: string; runId: string; source: string; owner: string; aliases: string[]; tags: Record<string, string>; createdAt: string }[]; createdAt: string; updatedAt: string };
    start: undefined;
  };
  /** List the names below a prefix */
  'GET /api/v1/secrets': {
    params: undefined;
    query: { prefix?: string };
    body: undefined;
    answer: { items: string[] };
    start: undefined;
  };
  /** Add a version of a secret */
  'PUT /api/v1/secrets/{path}': {
    params: { path: string };
    query: undefined;
    body: { data: Record<string, unknown>; cas?: number };
    answer: { path: string; version: number; createdAt: string };
    start: undefined;
  };
  /** Read a secret */
  'GET /api/v1/secrets/{path}': {
    params: { path: string };
    query: { version?: number };
    body: undefined;
    answer: { path: string; version: number; createdAt: string; data: Record<string, unknown> };
    start: undefined;
  };
  /** Delete the current version (it can be undeleted), or with all=true the secret for good */
  'DELETE /api/v1/secrets/{path}': {
    params: { path: string };
    query: { all?: boolean };
    body: undefined;
    answer: undefined;
    start: undefined;
  };
  /** Compile a policy and put it in force for kinds of resource */
  'POST /api/v1/policies': {
    params: undefined;
    query: undefined;
    body: { name: string; for: ("sandbox" | "gpu" | "data" | "object" | "run" | "model" | "secret" | "egress" | "port" | "environment" | "policy" | "approval" | "token" | "user" | "quota" | "audit" | "lineage")[]; source: string };
    answer: { name: string; version: number; digest: string; for: ("sandbox" | "gpu" | "data" | "object" | "run" | "model" | "secret" | "egress" | "port" | "environment" | "policy" | "approval" | "token" | "user" | "quota" | "audit" | "lineage")[]; removed: boolean; appliedBy: string; appliedAt: string; package: string; rules: string[]; converted: boolean; source: string };
    start: undefined;
  };
  /** The policies in force, besides the default bundle */
  'GET /api/v1/policies': {
    params: undefined;
    query: undefined;
    body: undefined;
    answer: { items: { name: string; version: number; digest: string; for: ("sandbox" | "gpu" | "data" | "object" | "run" | "model" | "secret" | "egress" | "port" | "environment" | "policy" | "approval" | "token" | "user" | "quota" | "audit" | "lineage")[]; removed: boolean; appliedBy: string; appliedAt: string }[]; next: string | null };
    start: undefined;
  };
  /** Put an earlier version in force again */
  'POST /api/v1/policies/{name}/rollback': {
    params: { name: string };
    query: undefined;
    body: { to?: number };
    answer: { name: string; version: number; digest: string; for: ("sandbox" | "gpu" | "data" | "object" | "run" | "model" | "secret" | "egress" | "port" | "environment" | "policy" | "approval" | "token" | "user" | "quota" | "audit" | "lineage")[]; removed: boolean; appliedBy: string; appliedAt: string };
    start: undefined;
  };
  /** Take a policy out of force; its versions stay */
  'DELETE /api/v1/policies/{name}': {
    params: { name: string };
    query: undefined;
    body: undefined;
    answer: { name: string; version: number; digest: string; for: ("sandbox" | "gpu" | "data" | "object" | "run" | "model" | "secret" | "egress" | "port" | "environment" | "policy" | "approval" | "token" | "user" | "quota" | "audit" | "lineage")[]; removed: boolean; appliedBy: string; appliedAt: string };
    start: undefined;
  };
  /** One policy: its source and all its versions */
  'GET /api/v1/policies/{name}': {
    params: { name: string };
    query: undefined;
    body: undefined;
    answer: { name: string; version: number; digest: string; for: ("sandbox" | "gpu" | "data" | "object" | "run" | "model" | "secret" | "egress" | "port" | "environment" | "policy" | "approval" | "token" | "user" | "quota" | "audit" | "lineage")[]; removed: boolean; appliedBy: string; appliedAt: string; source: string; submitted: string; versions: { name: string; version: number; digest: string; for: ("sandbox" | "gpu" | "data" | "object" | "run" | "model" | "secret" | "egress" | "port" | "environment" | "policy" | "approval" | "token" | "user" | "quota" | "audit" | "lineage")[]; removed: boolean; appliedBy: string; appliedAt: string }[] };
    start: undefined;
  };
  /** Evaluate a decision again and say which conditions failed */
  'GET /api/v1/policies/decisions/{id}/explain': {
    params: { id: string };
    query: undefined;
    body: undefined;
    answer: { id: string; time: string; user: string; requestId: string; allowed: boolean; summary: string[]; questions: { action: string; resource: string; requested?: number; tag?: string; object: string; input: Record<string, unknown>; answers: { policy: string; version?: number; digest: string; allowed: boolean; reasons: { code: string; message: string; hint?: string; approvable?: boolean }[]; failed: { file: string; line: number; expression: string; values: Record<string, unknown> }[] }[] }[] };
    start: undefined;
  };
  /** Ask for access to a data set for a purpose */
  'POST /api/v1/access-requests': {
    params: undefined;
    query: undefined;
    body: { dataset: string; purpose: string; until?: string };
    answer: { id: string; state: "pending" | "approved" | "denied" | "revoked" | "expired"; requester: string; dataset: string; purpose: string; labels: string[]; requestedAt: string; until: string; decidedBy: string | null; decidedAt: string | null; reason: string };
    start: undefined;
  };
  /** Requests for access, newest first: your own, or all for an officer */
  'GET /api/v1/access-requests': {
    params: undefined;
    query: { limit?: number; cursor?: string; state?: "pending" | "approved" | "denied" | "revoked" | "expired" };
    body: undefined;
    answer: { items: { id: string; state: "pending" | "approved" | "denied" | "revoked" | "expired"; requester: string; dataset: string; purpose: string; labels: string[]; requestedAt: string; until: string; decidedBy: string | null; decidedAt: string | null; reason: string }[]; next: string | null };
    start: undefined;
  };
  /** One request for access */
  'GET /api/v1/access-requests/{id}': {
    params: { id: string };
    query: undefined;
    body: undefined;
    answer: { id: string; state: "pending" | "approved" | "denied" | "revoked" | "expired"; requester: string; dataset: string; purpose: string; labels: string[]; requestedAt: string; until: string; decidedBy: string | null; decidedAt: string | null; reason: string };
    start: undefined;
  };
  /** Decide on a request for access: approve */
  'POST /api/v1/access-requests/{id}/approve': {
    params: { id: string };
    query: undefined;
    body: { reason: string; until?: string };
    answer: { id: string; state: "pending" | "approved" | "denied" | "revoked" | "expired"; requester: string; dataset: string; purpose: string; labels: string[]; requestedAt: string; until: string; decidedBy: string | null; decidedAt: string | null; reason: string };
    start: undefined;
  };
  /** Decide on a request for access: deny */
  'POST /api/v1/access-requests/{id}/deny': {
    params: { id: string };
    query: undefined;
    body: { reason: string; until?: string };
    answer: { id: string; state: "pending" | "approved" | "denied" | "revoked" | "expired"; requester: string; dataset: string; purpose: string; labels: string[]; requestedAt: string; until: string; decidedBy: string | null; decidedAt: string | null; reason: string };
    start: undefined;
  };
  /** Decide on a request for access: revoke */
  'POST /api/v1/access-requests/{id}/revoke': {
    params: { id: string };
    query: undefined;
    body: { reason: string; until?: string };
    answer: { id: string; state: "pending" | "approved" | "denied" | "revoked" | "expired"; requester: string; dataset: string; purpose: string; labels: string[]; requestedAt: string; until: string; decidedBy: string | null; decidedAt: string | null; reason: string };
    start: undefined;
  };
  /** Entries of the audit log, newest first */
  'GET /api/v1/audit': {
    params: undefined;
    query: { limit?: number; cursor?: string; user?: string; actor?: string; action?: string; object?: string; outcome?: "ok" | "denied" | "failed"; requestId?: string; since?: string; until?: string; order?: "asc" | "desc" };
    body: undefined;
    answer: { items: { seq: number; time: string; actor: { type: string; id: string; user?: string }; action: string; object: { kind: string; id: string; name?: string; version?: string; digest?: string }; decision: { id: string; allowed: boolean; bundles: string[]; inputDigest: string } | null; outcome: string; requestId: string; door?: string; details: Record<string, string | number | boolean | null>; leafHash: string }[]; next: string | null };
    start: undefined;
  };
  /** One entry */
  'GET /api/v1/audit/entries/{seq}': {
    params: { seq: number };
    query: undefined;
    body: undefined;
    answer: { seq: number; time: string; actor: { type: string; id: string; user?: string }; action: string; object: { kind: string; id: string; name?: string; version?: string; digest?: string }; decision: { id: string; allowed: boolean; bundles: string[]; inputDigest: string } | null; outcome: string; requestId: string; door?: string; details: Record<string, string | number | boolean | null>; leafHash: string };
    start: undefined;
  };
  /** Compare store, tiles and checkpoints; name the first wrong entry */
  'POST /api/v1/audit/verify': {
    params: undefined;
    query: undefined;
    body: { checkpoint?: string };
    answer: { ok: boolean; size: number; root: string; findings: { seq?: number; what: string }[]; rows?: number; publicKey: string };
    start: undefined;
  };
  /** Prove that an entry is in the log */
  'GET /api/v1/audit/entries/{seq}/proof': {
    params: { seq: number };
    query: undefined;
    body: undefined;
    answer: { seq: number; size: number; leaf: string; leafHash: string; proof: string[]; checkpoint: string; publicKey: string };
    start: undefined;
  };
  /** The newest checkpoint (a signed note) and the key that checks it */
  'GET /api/v1/audit/checkpoint': {
    params: undefined;
    query: undefined;
    body: undefined;
    answer: { checkpoint: string; publicKey: string };
    start: undefined;
  };
  /** The whole log as of the newest checkpoint: one JSON line for the checkpoint, then one a bundle of 256 entries */
  'GET /api/v1/audit/export': {
    params: undefined;
    query: undefined;
    body: undefined;
    answer: Bytes;
    start: undefined;
  };
  /** Erase a person's name from all entries; every proof stays valid */
  'DELETE /api/v1/audit/personal/{user}': {
    params: { user: string };
    query: undefined;
    body: undefined;
    answer: { asActor: number; asObject: number };
    start: undefined;
  };
  /** The graph of what went into a thing and what came of it */
  'GET /api/v1/lineage': {
    params: undefined;
    query: { node: string; direction?: "up" | "down" | "both"; kinds?: string };
    body: undefined;
    answer: { root: string; nodes: { id: string; kind: string; name: string; digest?: string; labels: string[] }[]; edges: { from: string; to: string; kind: "observed" | "derived" | "declared"; relation: string; time: string }[]; truncated: boolean };
    start: undefined;
  };
  /** The same graph as OpenLineage run events */
  'GET /api/v1/lineage/openlineage': {
    params: undefined;
    query: { node: string; direction?: "up" | "down" | "both"; kinds?: string };
    body: undefined;
    answer: { items: unknown[]; next: null };
    start: undefined;
  };
  /** Add a user; the answer holds its first token, once */
  'POST /api/v1/users': {
    params: undefined;
    query: undefined;
    body: { name: string; role?: "engineer" | "operator" | "officer"; roles?: ("engineer" | "operator" | "officer")[]; team?: string };
    answer: { name: string; roles: ("engineer" | "operator" | "officer")[]; team: string; disabled: boolean; createdAt: string; token: string };
    start: undefined;
  };
  /** Users by name */
  'GET /api/v1/users': {
    params: undefined;
    query: { limit?: number; cursor?: string };
    body: undefined;
    answer: { items: { name: string; roles: ("engineer" | "operator" | "officer")[]; team: string; disabled: boolean; createdAt: string }[]; next: string | null };
    start: undefined;
  };
  /** Change roles or team of a user, disable or enable it */
  'PATCH /api/v1/users/{name}': {
    params: { name: string };
    query: undefined;
    body: { roles?: ("engineer" | "operator" | "officer")[]; team?: string; disabled?: boolean };
    answer: { name: string; roles: ("engineer" | "operator" | "officer")[]; team: string; disabled: boolean; createdAt: string };
    start: undefined;
  };
  /** Delete a user and end its tokens */
  'DELETE /api/v1/users/{name}': {
    params: { name: string };
    query: undefined;
    body: undefined;
    answer: { name: string; roles: ("engineer" | "operator" | "officer")[]; team: string; disabled: boolean; createdAt: string };
    start: undefined;
  };
  /** One user */
  'GET /api/v1/users/{name}': {
    params: { name: string };
    query: undefined;
    body: undefined;
    answer: { name: string; roles: ("engineer" | "operator" | "officer")[]; team: string; disabled: boolean; createdAt: string };
    start: undefined;
  };
  /** Whom the token stands for */
  'GET /api/v1/whoami': {
    params: undefined;
    query: undefined;
    body: undefined;
    answer: { user: string; roles: ("engineer" | "operator" | "officer")[]; team: string; scopes: string[] };
    start: undefined;
  };
  /** Make a further token of your own; it is shown once */
  'POST /api/v1/tokens': {
    params: undefined;
    query: undefined;
    body: { name?: string; scopes?: string[]; until?: string };
    answer: { id: string; user: string; name: string; scopes: string[]; createdAt: string; expiresAt: string | null; revokedAt: string | null; lastUsedAt: string | null; token: string };
    start: undefined;
  };
  /** Your tokens: names, scopes and times, never the tokens */
  'GET /api/v1/tokens': {
    params: undefined;
    query: { limit?: number; cursor?: string; all?: boolean };
    body: undefined;
    answer: { items: { id: string; user: string; name: string; scopes: string[]; createdAt: string; expiresAt: string | null; revokedAt: string | null; lastUsedAt: string | null }[]; next: string | null };
    start: undefined;
  };
  /** End a token at once */
  'DELETE /api/v1/tokens/{id}': {
    params: { id: string };
    query: undefined;
    body: undefined;
    answer: { id: string; user: string; name: string; scopes: string[]; createdAt: string; expiresAt: string | null; revokedAt: string | null; lastUsedAt: string | null };
    start: undefined;
  };
  /** Your own limits and what you hold of them */
  'GET /api/v1/quotas': {
    params: undefined;
    query: undefined;
    body: undefined;
    answer: { scope: "user" | "team"; name: string; limits: { sandboxes: number; cpus: number; memoryBytes: number; diskBytes: number; gpus: number }; used: { sandboxes: number; cpus: number; memoryBytes: number; diskBytes: number; gpus: number } };
    start: undefined;
  };
  /** Limits of a user or a team, and what is in use */
  'GET /api/v1/quotas/{target}': {
    params: { target: string };
    query: undefined;
    body: undefined;
    answer: { scope: "user" | "team"; name: string; limits: { sandboxes: number; cpus: number; memoryBytes: number; diskBytes: number; gpus: number }; used: { sandboxes: number; cpus: number; memoryBytes: number; diskBytes: number; gpus: number } };
    start: undefined;
  };
  /** Set limits; those that are left out stay as they are */
  'PUT /api/v1/quotas/{target}': {
    params: { target: string };
    query: undefined;
    body: { sandboxes?: number; cpus?: number; gpus?: number; memory?: string | number; disk?: string | number };
    answer: { scope: "user" | "team"; name: string; limits: { sandboxes: number; cpus: number; memoryBytes: number; diskBytes: number; gpus: number }; used: { sandboxes: number; cpus: number; memoryBytes: number; diskBytes: number; gpus: number } };
    start: undefined;
  };
  /** The control plane and what it runs */
  'GET /api/v1/status': {
    params: undefined;
    query: undefined;
    body: undefined;
    answer: { pid: number; url: string; version: string; home: string; uptimeSeconds: number; sandboxes: { running: number; starting: number; stopped: number; failed: number }; endingSoon: { id: string; name: string; expiresAt: string }[]; doors: Record<string, string>; runPages: string | null; driver: { id: string; usable: boolean; runtimes: string[] }; database: string; auditEntries: number; memoryBytes: number };
    start: undefined;
  };
  /** Stream a backup of the store and of all blobs, without keys; the end of the tar file is left to the reader */
  'POST /api/v1/backups': {
    params: undefined;
    query: undefined;
    body: Record<string, never>;
    answer: Bytes;
    start: undefined;
  };
  /** Give the key of this home a new version and wrap all data keys anew */
  'POST /api/v1/keys/rotate': {
    params: undefined;
    query: undefined;
    body: Record<string, never>;
    answer: { key: string; version: number; rewrapped: number; retiring: number[] };
    start: undefined;
  };
  /** Metrics of the control plane in the Prometheus text format */
  'GET /metrics': {
    params: undefined;
    query: undefined;
    body: undefined;
    answer: Bytes;
    start: undefined;
  };
  /** Run a command in a sandbox */
  'GET /api/v1/sandboxes/{id}/exec': {
    params: { id: string };
    query: undefined;
    body: undefined;
    answer: never;
    start: { argv: string[]; env?: Record<string, string>; cwd?: string; timeoutMs?: number; maxOutputBytes?: number; terminal?: { rows: number; cols: number } };
  };
  /** Run Python source in the warm interpreter of a sandbox */
  'GET /api/v1/sandboxes/{id}/python': {
    params: { id: string };
    query: undefined;
    body: undefined;
    answer: never;
    start: { source: string; name?: string; env?: Record<string, string>; cwd?: string; timeoutMs?: number; maxOutputBytes?: number };
  };
};
