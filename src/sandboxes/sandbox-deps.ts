/** What the use cases of sandboxes are handed by the composition root. */
import type { Clock } from '#kernel/clock.ts';
import type { Ids } from '#kernel/ids.ts';
import type { KeyedMutex } from '#kernel/keyed-mutex.ts';
import type { Log } from '#kernel/log.ts';
import type { Database, Reader, Tx } from '#kernel/sql.ts';
import type { Driver, ImageRoot } from '#src/drivers/driver.ts';
import type { Gateway } from '#src/gateway/crossing.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import type { PolicyObject } from '#src/policies/decision.ts';
import type { ExecHistory } from './exec-history.ts';
import type { KeepReady } from './keep-ready.ts';
import type { LiveSandboxes } from './live-sandboxes.ts';

/** What a spec may leave out, and the bounds of what it may ask for. Sizes in bytes, times in ms. */
export type SandboxDefaults = {
  memoryBytes: number;
  cpus: number;
  diskBytes: number;
  pids: number;
  ttlMs: number;
  idleMs: number | null;
  maxTtlMs: number;
  runtime: string;
};

export type ResolvedDataset = { name: string; version: string; digest: string; tags: string[]; owner: string };

export type SandboxDeps = {
  database: Database;
  gateway: Gateway;
  driver: Driver;
  clock: Clock;
  ids: Ids;
  log: Log;
  live: LiveSandboxes;
  mutex: KeyedMutex;
  defaults: SandboxDefaults;
  /** Door id → port inside. */
  doors: Record<string, number>;
  teamOf: (reader: Reader, user: string) => Promise<string>;
  labelsOf: (reader: Reader, nodes: NodeRef[]) => Promise<string[]>;
  environments: {
    /** By name or digest; undefined when there is none. */
    find(reader: Reader, name: string): Promise<{ name: string; digest: string } | undefined>;
    /** Host folder of the installed environment (mounted at its own path) and what its warm interpreter imports. */
    locate(digest: string): Promise<{ dir: string; warmImports: string[] }>;
  };
  images: {
    /** By digest; undefined when there is none. */
    find(
      digest: string,
    ): { digest: string; name: string; owner: string; workingDir: string; fitsEnvironments: boolean } | undefined;
    /** The unpacked root with what its commands are told; this counts as a use. Throws `not_found`. */
    locate(digest: string): ImageRoot & { searchPath: string[] };
  };
  datasets: {
    find(reader: Reader, name: string, version: string | undefined): Promise<ResolvedDataset | undefined>;
    /** A read-only host folder with the version's files, kept until `release`. */
    materialize(dataset: ResolvedDataset, sandboxId: string): Promise<string>;
    release(sandboxId: string): Promise<void>;
  };
  grants: {
    /** What a grant such as `model:NAME/VERSION` lets a sandbox do: scopes for its identity, and the question whether its maker may hand it on. */
    resolve(reader: Reader, grant: string): Promise<{ scopes: string[]; object: PolicyObject }>;
  };
  quotas: {
    reserve(
      tx: Tx,
      asked: {
        user: string;
        team: string;
        sandboxId: string;
        amounts: { sandboxes: number; cpus: number; memoryBytes: number; diskBytes: number; gpus: number };
      },
    ): Promise<void>;
    release(tx: Tx, sandboxId: string): Promise<void>;
  };
  /** Bytes that went through its doors, into the sandbox and out of it. */
  trafficOf: (sandboxId: string) => { inBytes: number; outBytes: number };
  ready: KeepReady;
  execHistory: ExecHistory;
  /** Runs after a sandbox ended: its keys are revoked, its tunnels closed. */
  onEnd: (sandboxId: string) => Promise<void>;
};
