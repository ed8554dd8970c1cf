/**
 * The driver contract: what a place that can run sandboxes must offer. Data first, option objects so that
 * signatures can grow, JSON handles that the control plane persists and gives back after a restart.
 */
import type { Readable, Writable } from 'node:stream';

/** One control that a driver may be able to enforce; a spec that needs one which is missing is refused at admission. */
export const CAPABILITIES = [
  'network-seal',
  'user-namespace',
  'seccomp',
  'memory',
  'cpu',
  'pids',
  'disk',
  'inodes',
  'gpu',
  'pause',
  'terminal',
  'read-only-root',
  'image',
] as const;
export type Capability = (typeof CAPABILITIES)[number];

/** The state of one thing that the driver needs or could use, with what follows from it and what mends it. */
export type Check = {
  id: string;
  title: string;
  state: 'ok' | 'missing' | 'degraded' | 'unknown';
  /** What was found, in words (a version, a path, a count). */
  found: string;
  /** What cannot be done while it is so; empty when `state` is ok. */
  consequence: string;
  /** The command that mends it, or an empty string. */
  fix: string;
  /** Whether no sandbox can be run without it. */
  required: boolean;
};

export type Probe = {
  usable: boolean;
  capabilities: Capability[];
  runtimes: string[];
  checks: Check[];
};

/** Where the Python environment of a sandbox is, inside of it. */
export const ENVIRONMENT_PATH = '/opt/environment';

/** A read-only folder of the host that appears in the sandbox. `target` is absolute. */
export type Mount = { source: string; target: string };

/** Files and folders that an unpacked image must have as plain ones, because a driver mounts on them. */
export const ROOT_FILES: readonly string[] = [
  'passwd',
  'group',
  'hostname',
  'hosts',
  'nsswitch.conf',
  'resolv.conf',
  'gai.conf',
].map((name) => `etc/${name}`);
export const ROOT_FOLDERS: readonly string[] = ['etc', ENVIRONMENT_PATH.slice(1)];

/** An unpacked image. What it says of itself acts on commands in the sandbox alone, never on what starts them. */
export type ImageRoot = {
  /** Absolute host folder: no device, no set-id bit, and what `ROOT_FILES` and `ROOT_FOLDERS` name. */
  rootDir: string;
  /** The interpreter for the agent, an absolute path in the image. */
  python: string;
  /** Variables of commands, below those of `StartOptions.env`. */
  env: Record<string, string>;
  /** Where commands start; empty for /workspace. */
  workingDir: string;
};

/** Everything a driver needs to start one sandbox; sizes in bytes, cpus in cores. */
export type StartOptions = {
  sandboxId: string;
  /** Which OCI runtime to use (`runc`, `crun`, `runsc`). */
  runtime: string;
  hostname: string;
  memoryBytes: number;
  cpus: number;
  pids: number;
  diskBytes: number;
  gpus: number;
  /** Environment variables of every process in the sandbox. */
  env: Record<string, string>;
  /** Those that only this sandbox has, its id among them; every command has them too. */
  ownEnv?: Record<string, string>;
  /** Absolute host folder of a relocatable Python environment, mounted read-only at `ENVIRONMENT_PATH`; undefined = system Python only. */
  environmentDir?: string;
  /** Modules that the warm interpreter imports at start. */
  warmImports?: string[];
  mounts: Mount[];
  /** An unpacked image to be the root instead of the host's /usr. */
  image?: ImageRoot;
  /** Doors to open inside the network namespace: door id to TCP port on 127.0.0.1. */
  doors: Record<string, number>;
  /** Called as each part of the start has ended, with its name: one of a few words of the driver's own. */
  onPhase?: (phase: string) => void;
  /** May be called once it runs under all its limits, before its agent answers, with the handle that `start` will give. */
  onRunning?: (handle: Handle) => void;
};

/** What is the same for many sandboxes: those of one template are interchangeable until they are somebody's. */
export type Template = Omit<StartOptions, 'sandboxId' | 'hostname' | 'ownEnv' | 'onPhase' | 'onRunning'>;

export function templateOf(options: StartOptions): Template {
  const { sandboxId: _id, hostname: _name, ownEnv: _own, onPhase: _phase, onRunning: _running, ...template } = options;
  return template;
}

/** A GPU of the host: its number there, the name that it never loses, and what it is. */
export type Gpu = { index: number; uuid: string; model: string };

/** What the control plane persists of a started sandbox: JSON, versioned, only the driver reads `data`. `gpus`: those that are the sandbox's alone. */
export type Handle = { driver: string; version: 1; sandboxId: string; data: Record<string, unknown>; gpus?: Gpu[] };

export type Status = { state: 'running' | 'paused' | 'exited' | 'gone'; exitCode?: number; detail?: string };

/** Readings of a running sandbox; cpu in seconds since the start, sizes in bytes. */
export type Stats = {
  cpuSeconds: number;
  memoryBytes: number;
  memoryPeakBytes: number;
  pids: number;
  diskBytes: number;
  diskLimitBytes: number;
  oomKills: number;
};

export type ExecOptions = {
  argv: string[];
  env?: Record<string, string>;
  cwd?: string;
  timeoutMs?: number;
  /** Bytes of stdout and stderr together after which the child is killed; the result then says `truncated`. */
  maxOutputBytes?: number;
  terminal?: { rows: number; cols: number };
};

export type ExecResult = {
  /** The child's exit code, or 128 + signal. */
  exitCode: number;
  signal?: string;
  timedOut: boolean;
  truncated: boolean;
};

/** A running command. Streams carry back-pressure both ways. */
export type Exec = {
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  result: Promise<ExecResult>;
  signal(name: string): void;
  resize(size: { rows: number; cols: number }): void;
};

export type FileInfo = {
  name: string;
  kind: 'file' | 'directory' | 'symlink' | 'other';
  sizeBytes: number;
  mode: number;
  modifiedMs: number;
};
/** `missed`: more happened at or below the path than could be told. */
export type FileChange = { path: string; kind: 'created' | 'modified' | 'deleted' | 'missed' };
export type FileWatch = {
  onChange(change: FileChange): void;
  /** The folder or the sandbox is gone, or its agent does not answer. */
  onEnd(): void;
};

/** File operations, all resolved inside the wall by the agent: no path of the sandbox is ever resolved on the host. */
export type Files = {
  read(path: string): Promise<Readable>;
  write(path: string, content: Readable, options?: { mode?: number }): Promise<{ sizeBytes: number }>;
  list(path: string): Promise<FileInfo[]>;
  stat(path: string): Promise<FileInfo>;
  remove(path: string, options?: { recursive?: boolean }): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  /** Calls back on changes below a folder, until the returned function is called or the watch ends by itself. */
  watch(path: string, watch: FileWatch): Promise<() => void>;
};

/** What is inside a running sandbox, through its agent. */
export type Session = {
  /** Opens the way for what will be asked first, so that it need not wait for that; `leave` closes it unused. */
  approach(): void;
  leave(): void;
  exec(options: ExecOptions): Promise<Exec>;
  /** Runs Python source in the warm interpreter (forked for this call); streams as exec. */
  runPython(options: {
    source: string;
    name?: string;
    env?: Record<string, string>;
    cwd?: string;
    timeoutMs?: number;
    maxOutputBytes?: number;
  }): Promise<Exec>;
  files: Files;
  /** A byte stream to a TCP port on the sandbox's loopback. */
  connectPort(port: number): Promise<import('node:stream').Duplex>;
  /** Seconds since the last exec ended, and how many run now. */
  activity(): Promise<{ runningExecs: number; idleMs: number }>;
};

/** A connection that arrived on one of a sandbox's doors. Which listener it came from is its identity. */
export type DoorConnection = { sandboxId: string; door: string; socket: import('node:net').Socket };

export type LeftOver = {
  kind: 'process' | 'mount' | 'cgroup' | 'namespace' | 'loop' | 'file' | 'listener' | 'container' | 'gpu';
  what: string;
};

/**
 * How the driver itself is: what it keeps ready, by pool, whether the processes that it needs beside it answer, and how many of the host's GPUs
 * are handed out.
 */
export type Vitals = { pools: Record<string, number>; helpers: boolean; gpus?: { total: number; used: number } };

export interface Driver {
  readonly id: string;
  probe(): Promise<Probe>;
  /** Left out by a driver that has neither pools nor processes beside it. */
  vitals?(): Promise<Vitals>;
  /** Starts the sandbox, agent answering, doors open; idempotent by sandbox id. Throws AppError('capability_missing') for what it cannot enforce. */
  start(options: StartOptions): Promise<Handle>;
  /** Makes a sandbox that outlived the control plane usable again: doors reopened, agent found. Throws when it is gone. */
  recover(handle: Handle): Promise<void>;
  inspect(handle: Handle): Promise<Status>;
  stats(handle: Handle): Promise<Stats>;
  session(handle: Handle): Promise<Session>;
  pause(handle: Handle): Promise<void>;
  resume(handle: Handle): Promise<void>;
  /** Ends every process (TERM, then KILL after the grace time), keeps the workspace; idempotent. */
  stop(handle: Handle, options?: { graceMs?: number }): Promise<void>;
  /** Removes everything, then proves it by re-inventory; what remains is returned (empty = nothing left). Idempotent. */
  destroy(handle: Handle): Promise<LeftOver[]>;
  /** Everything on this host that belongs to this home and to none of the given sandboxes; `remove` removes it. */
  inventory(options: { keep: string[]; remove: boolean }): Promise<LeftOver[]>;
  /** Registers who serves connections on doors. */
  onConnection(listener: (connection: DoorConnection) => void): void;
  /**
   * Says what to keep ready: network namespaces, workspaces, and sandboxes made ahead of each template, in place of what was said before.
   * Resolves when it is, or cannot be for now. What is made ahead is nobody's: it runs nothing and crosses no door before it is claimed.
   */
  prepare(options: {
    networks: number;
    workspaces: number;
    warm: { count: number; template: Template }[];
  }): Promise<void>;
  /** Lets go of everything of this process (helper, pools), leaving sandboxes running. */
  close(): Promise<void>;
}

/** A driver as the catalog lists it. */
export type DriverModule = {
  id: string;
  create(deps: DriverDeps): Driver;
};

export type DriverDeps = {
  /** Where this home keeps the driver's files (0700). */
  stateDir: string;
  /** Folder of the Python sources (agent and helper). */
  pythonDir: string;
  log: (level: 'debug' | 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void;
  nowMs: () => number;
  /** `gpus`: whether GPUs may be handed out at all. */
  config: { gpus?: boolean };
  /** How long one call of a runtime may take (60 s when unset). */
  startTimeoutMs?: number;
};
