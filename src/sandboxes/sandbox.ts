/** The noun: a sandbox, its spec and the states that it goes through. */
import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import type { Gpu, Handle } from '#src/drivers/driver.ts';

export const SANDBOX_STATES = ['starting', 'running', 'stopping', 'stopped', 'deleting', 'deleted', 'failed'] as const;
export type SandboxState = (typeof SANDBOX_STATES)[number];

/** From each state, the states that may follow. `deleted` is the end; `failed` waits only to be removed. */
const NEXT: Record<SandboxState, readonly SandboxState[]> = {
  starting: ['running', 'failed', 'deleting'],
  running: ['stopping', 'deleting', 'failed'],
  stopping: ['stopped', 'deleting', 'failed'],
  stopped: ['deleting', 'failed'],
  deleting: ['deleted', 'failed'],
  deleted: [],
  failed: ['deleting', 'deleted'],
};

/** Refuses a step that the state machine does not have. */
export function assertTransition(id: string, from: SandboxState, to: SandboxState): void {
  if (!NEXT[from].includes(to)) {
    throw new AppError('conflict', `Sandbox ${id} is ${from}; it cannot become ${to}.`, {
      details: { hint: `Look at it with "fumehood sandbox get ${id}".` },
    });
  }
}

const MountSpec = z.object({
  dataset: z.string(),
  version: z.string(),
  digest: z.string(),
  tags: z.array(z.string()),
  target: z.string(),
});

/** What was asked for and granted, complete: defaults filled in, names resolved. Sizes in bytes, times in ms, cpus in cores. */
export const SandboxSpec = z.object({
  environment: z.object({ name: z.string(), digest: z.string() }).nullable(),
  memoryBytes: z.number().int(),
  cpus: z.number(),
  diskBytes: z.number().int(),
  pids: z.number().int(),
  gpus: z.number().int(),
  ttlMs: z.number().int(),
  idleMs: z.number().int().nullable(),
  mounts: z.array(MountSpec),
  egress: z.array(z.object({ host: z.string(), port: z.number().int() })),
  grants: z.array(z.string()),
  scopes: z.array(z.string()),
  purpose: z.string(),
  runtime: z.string(),
  image: z.object({ digest: z.string(), name: z.string(), workingDir: z.string() }).nullable(),
});
export type SandboxSpec = z.infer<typeof SandboxSpec>;

export type Sandbox = {
  id: string;
  name: string;
  owner: string;
  team: string;
  roles: string[];
  state: SandboxState;
  spec: SandboxSpec;
  handle: Handle | null;
  createdMs: number;
  /** When its life began, by the clock as it is now: the same as `createdMs` until the clock is set. */
  begunMs: number;
  startedMs: number | null;
  endedMs: number | null;
  expiresMs: number;
  lastActiveMs: number;
  /** Why it is in this state, in words. */
  reason: string;
};

/** States in which a sandbox holds resources of the host and of its owner's quota. */
export const holdsResources = (state: SandboxState): boolean => state !== 'deleted';

/** Those that it was handed, also after its end. */
const gpusOf = ({ handle }: Pick<Sandbox, 'handle'>): Gpu[] => handle?.gpus ?? [];

/** The sandbox as the API shows it. */
export const SandboxView = z.object({
  id: z.string(),
  name: z.string(),
  owner: z.string(),
  state: z.enum(SANDBOX_STATES),
  reason: z.string(),
  labels: z.array(z.string()),
  environment: z.object({ name: z.string(), digest: z.string() }).nullable(),
  memoryBytes: z.number(),
  cpus: z.number(),
  diskBytes: z.number(),
  pids: z.number(),
  gpus: z.number(),
  gpuDevices: z
    .array(z.object({ index: z.number(), uuid: z.string(), model: z.string() }))
    .describe('the GPUs of the host that it was handed'),
  runtime: z.string(),
  image: z.string().nullable().describe('the digest of its image'),
  purpose: z.string(),
  mounts: z.array(
    z.object({
      dataset: z.string(),
      version: z.string(),
      digest: z.string(),
      tags: z.array(z.string()),
      target: z.string(),
    }),
  ),
  egress: z.array(z.object({ host: z.string(), port: z.number() })),
  grants: z.array(z.string()),
  createdAt: z.string(),
  expiresAt: z.string(),
  idleTimeoutMs: z.number().nullable(),
});
export type SandboxView = z.infer<typeof SandboxView>;

/** Renders a sandbox with its labels; times as ISO 8601. */
export function viewSandbox(sandbox: Sandbox, labels: string[]): SandboxView {
  const { spec } = sandbox;
  return {
    id: sandbox.id,
    name: sandbox.name,
    owner: sandbox.owner,
    state: sandbox.state,
    reason: sandbox.reason,
    labels,
    environment: spec.environment,
    memoryBytes: spec.memoryBytes,
    cpus: spec.cpus,
    diskBytes: spec.diskBytes,
    pids: spec.pids,
    gpus: spec.gpus,
    gpuDevices: gpusOf(sandbox),
    runtime: spec.runtime,
    image: spec.image?.digest ?? null,
    purpose: spec.purpose,
    mounts: spec.mounts,
    egress: spec.egress,
    grants: spec.grants,
    createdAt: new Date(sandbox.createdMs).toISOString(),
    expiresAt: new Date(sandbox.expiresMs).toISOString(),
    idleTimeoutMs: spec.idleMs,
  };
}
