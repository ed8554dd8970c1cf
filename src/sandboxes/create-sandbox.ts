import { AppError, toAppError } from '#kernel/errors.ts';
import type { Reader } from '#kernel/sql.ts';
import type { Capability, Handle, Probe, StartOptions } from '#src/drivers/driver.ts';
import type { Crossing, Identity } from '#src/gateway/crossing.ts';
import type { PolicyObject, Question } from '#src/policies/decision.ts';
import { destroyRemains } from './delete-sandbox.ts';
import { identityOfSandbox } from './live-sandboxes.ts';
import type { Sandbox, SandboxSpec } from './sandbox.ts';
import type { ResolvedDataset, SandboxDefaults, SandboxDeps } from './sandbox-deps.ts';
import { parseEgress, type SandboxRequest } from './sandbox-request.ts';
import { insertSandbox, insertSandboxEvent, selectSandboxByName, updateSandboxState } from './sandbox-store.ts';
import { presetVariables } from './sandbox-variables.ts';

type Admission = { sandbox: Sandbox; datasets: ResolvedDataset[] };

/**
 * Admits (names resolved, policy, capabilities, quota: one transaction) and starts a sandbox; answers when its agent does.
 * Policy speaks before capability. What cannot be enforced here is refused with `capability_missing`, and nothing is left behind.
 */
export async function createSandbox(
  deps: SandboxDeps,
  input: { identity: Identity; requestId: string; request: SandboxRequest },
): Promise<Sandbox> {
  const id = deps.ids.next('sb');
  return deps.mutex(id, async () => {
    const probe = await deps.driver.probe();
    const admission = await admit(deps, id, probe, input);
    return start(deps, admission, input.requestId);
  });
}

async function admit(
  deps: SandboxDeps,
  id: string,
  probe: Probe,
  input: { identity: Identity; requestId: string; request: SandboxRequest },
): Promise<Admission> {
  const { request } = input;
  const identity: Identity = { ...input.identity, purpose: request.purpose ?? '' };
  let resolved: Resolved | undefined;
  return deps.gateway.cross<Admission>({
    identity,
    door: 'api',
    requestId: input.requestId,
    action: 'sandbox.create',
    object: { kind: 'sandbox', id, ...(request.name === undefined ? {} : { name: request.name }) },
    ask: async (reader) => {
      resolved = await resolve(deps, reader, request);
      return questionsOf(id, identity, resolved);
    },
    act: async (tx, crossing) => {
      if (resolved === undefined) throw new AppError('internal', 'The request was not resolved.');
      const { spec } = resolved;
      const name = request.name ?? `sandbox-${id.slice(3, 11)}`;
      if ((await selectSandboxByName(tx, identity.user, name)) !== undefined) {
        throw new AppError('conflict', `You have a sandbox named "${name}" already.`, {
          details: { field: 'name', hint: 'Choose another --name, or delete that one.' },
        });
      }
      assertEnforceable(spec, probe);
      const team = await deps.teamOf(tx, identity.user);
      const { cpus, memoryBytes, diskBytes, gpus } = spec;
      await deps.quotas.reserve(tx, {
        user: identity.user,
        team,
        sandboxId: id,
        amounts: { sandboxes: 1, cpus, memoryBytes, diskBytes, gpus },
      });
      const sandbox = newSandbox({
        id,
        name,
        owner: identity.user,
        team,
        roles: identity.roles,
        spec,
        nowMs: crossing.nowMs,
      });
      await insertSandbox(tx, sandbox);
      await insertSandboxEvent(tx, id, { atMs: crossing.nowMs, kind: 'admitted', message: `by ${identity.user}` });
      recordSpec(crossing, spec);
      return { sandbox, datasets: resolved.datasets };
    },
  });
}

function newSandbox(options: {
  id: string;
  name: string;
  owner: string;
  team: string;
  roles: string[];
  spec: SandboxSpec;
  nowMs: number;
}): Sandbox {
  const { nowMs, ...rest } = options;
  return {
    ...rest,
    state: 'starting',
    handle: null,
    createdMs: nowMs,
    startedMs: null,
    endedMs: null,
    expiresMs: nowMs + options.spec.ttlMs,
    lastActiveMs: nowMs,
    reason: 'starting',
  };
}

type Resolved = { spec: SandboxSpec; datasets: ResolvedDataset[]; granted: PolicyObject[] };

async function resolve(deps: SandboxDeps, reader: Reader, request: SandboxRequest): Promise<Resolved> {
  const environment =
    request.environment === undefined ? null : await deps.environments.find(reader, request.environment);
  if (environment === undefined) {
    throw new AppError('not_found', `There is no environment "${request.environment}".`, {
      details: {
        field: 'environment',
        hint: 'See "fumehood environment list", or make it with "fumehood environment create".',
      },
    });
  }
  const datasets: ResolvedDataset[] = [];
  for (const mount of request.mounts ?? []) datasets.push(await resolveMount(deps, reader, mount));
  const grants = await Promise.all((request.grants ?? []).map((grant) => deps.grants.resolve(reader, grant)));
  const scopes = grants.flatMap((grant) => grant.scopes);
  return {
    datasets,
    granted: grants.map((grant) => grant.object),
    spec: {
      ...sizesOf(request, deps.defaults),
      environment,
      mounts: datasets.map(mountOf),
      ...restOf(request, deps.defaults),
      scopes: scopes.length > 0 ? scopes : ['*'],
    },
  };
}

function sizesOf(
  request: SandboxRequest,
  defaults: SandboxDefaults,
): Pick<SandboxSpec, 'memoryBytes' | 'cpus' | 'diskBytes' | 'pids' | 'gpus' | 'ttlMs' | 'idleMs'> {
  const ttlMs = request.ttl ?? defaults.ttlMs;
  if (ttlMs > defaults.maxTtlMs) {
    throw new AppError('invalid', `A sandbox lives at most ${Math.round(defaults.maxTtlMs / 60_000)} minutes here.`, {
      details: { field: 'ttl', hint: 'Ask for less, or ask an operator to raise sandbox.maxTtl.' },
    });
  }
  return {
    memoryBytes: request.memory ?? defaults.memoryBytes,
    cpus: request.cpus ?? defaults.cpus,
    diskBytes: request.disk ?? defaults.diskBytes,
    pids: request.pids ?? defaults.pids,
    gpus: request.gpus ?? 0,
    ttlMs,
    idleMs: request.idle ?? defaults.idleMs,
  };
}

function restOf(
  request: SandboxRequest,
  defaults: SandboxDefaults,
): Pick<SandboxSpec, 'egress' | 'grants' | 'purpose' | 'runtime' | 'image'> {
  return {
    egress: (request.egress ?? []).map(parseEgress),
    grants: request.grants ?? [],
    purpose: request.purpose ?? '',
    runtime: request.runtime ?? defaults.runtime,
    image: request.image ?? null,
  };
}

async function resolveMount(deps: SandboxDeps, reader: Reader, text: string): Promise<ResolvedDataset> {
  const [name = '', version] = text.split('@');
  const dataset = await deps.datasets.find(reader, name, version);
  if (dataset === undefined) {
    throw new AppError('not_found', `There is no data set "${text}".`, {
      details: { field: 'mounts', hint: 'See "fumehood dataset list".' },
    });
  }
  return dataset;
}

const mountOf = (dataset: ResolvedDataset): SandboxSpec['mounts'][number] => ({
  dataset: dataset.name,
  version: dataset.version,
  digest: dataset.digest,
  tags: dataset.tags,
  target: `/data/${dataset.name}`,
});

function questionsOf(id: string, identity: Identity, resolved: Resolved): Question[] {
  const { spec, datasets, granted } = resolved;
  const sandbox: PolicyObject = {
    type: 'sandbox',
    id,
    owner: identity.user,
    labels: [],
    memoryBytes: spec.memoryBytes,
    cpus: spec.cpus,
    diskBytes: spec.diskBytes,
    pids: spec.pids,
    gpus: spec.gpus,
    ttlMs: spec.ttlMs,
    runtime: spec.runtime,
    egress: spec.egress.map(({ host, port }) => `${host}:${port}`),
    purpose: spec.purpose,
  };
  const questions: Question[] = [{ action: 'sandbox.create', resource: 'sandbox', object: sandbox }];
  if (spec.gpus > 0)
    questions.push({
      action: 'sandbox.create',
      resource: 'gpu',
      requested: spec.gpus,
      object: { type: 'gpu', id: 'gpu', labels: [] },
    });
  for (const { name, version, digest, tags, owner } of datasets) {
    questions.push({
      action: 'data.mount',
      resource: 'data',
      object: { type: 'dataset', id: `${name}@${version}`, name, version, digest, owner, labels: tags },
    });
  }
  if (spec.environment !== null) {
    const { name, digest } = spec.environment;
    questions.push({
      action: 'environment.use',
      resource: 'environment',
      object: { type: 'environment', id: digest, name, digest, labels: [] },
    });
  }
  for (const object of granted) questions.push({ action: 'model.read', resource: 'model', object });
  return questions;
}

/** Refuses what this host cannot enforce, naming it: never a sandbox with less than what was asked. */
function assertEnforceable(spec: SandboxSpec, probe: Probe): void {
  const needed: Capability[] = [
    'network-seal',
    'user-namespace',
    'seccomp',
    'memory',
    'cpu',
    'pids',
    'disk',
    'inodes',
    'read-only-root',
  ];
  if (spec.gpus > 0) needed.push('gpu');
  const missing = needed.filter((capability) => !probe.capabilities.includes(capability));
  if (missing.length > 0) {
    throw new AppError(
      'capability_missing',
      `This host cannot enforce: ${missing.join(', ')}. The sandbox is refused.`,
      { details: { missing: missing.join(',') } },
    );
  }
  if (!probe.runtimes.includes(spec.runtime)) {
    throw new AppError(
      'capability_missing',
      `The runtime "${spec.runtime}" cannot be used on this host (usable: ${probe.runtimes.join(', ') || 'none'}).`,
      {
        details: { field: 'runtime', missing: spec.runtime },
      },
    );
  }
}

function recordSpec(crossing: Crossing, spec: SandboxSpec): void {
  crossing.detail('memoryBytes', spec.memoryBytes);
  crossing.detail('cpus', spec.cpus);
  crossing.detail('diskBytes', spec.diskBytes);
  crossing.detail('gpus', spec.gpus);
  crossing.detail('runtime', spec.runtime);
  crossing.detail('mounts', spec.mounts.map((mount) => `${mount.dataset}@${mount.version}`).join(' '));
  crossing.detail('egress', spec.egress.map(({ host, port }) => `${host}:${port}`).join(' '));
}

async function start(deps: SandboxDeps, { sandbox, datasets }: Admission, requestId: string): Promise<Sandbox> {
  let handle: Handle | undefined;
  try {
    handle = await deps.driver.start(await startOptionsOf(deps, sandbox, datasets));
    return await recordStart(deps, sandbox, datasets, handle, requestId);
  } catch (thrown) {
    const error = toAppError(thrown);
    deps.log('warn', 'a sandbox did not start', { sandboxId: sandbox.id, requestId, error: thrown });
    await destroyRemains(deps, sandbox, handle ?? null, {
      requestId,
      reason: `did not start: ${error.message}`,
      action: 'sandbox.start',
    });
    throw error.code === 'internal'
      ? new AppError('unavailable', 'The sandbox did not start; nothing of it is left.', { cause: thrown })
      : error;
  }
}

async function startOptionsOf(deps: SandboxDeps, sandbox: Sandbox, datasets: ResolvedDataset[]): Promise<StartOptions> {
  const { spec } = sandbox;
  const environment = spec.environment === null ? undefined : await deps.environments.locate(spec.environment.digest);
  const mounts = await Promise.all(
    datasets.map(async (dataset) => ({
      source: await deps.datasets.materialize(dataset, sandbox.id),
      target: `/data/${dataset.name}`,
    })),
  );
  return {
    sandboxId: sandbox.id,
    runtime: spec.runtime,
    hostname: sandbox.name,
    memoryBytes: spec.memoryBytes,
    cpus: spec.cpus,
    pids: spec.pids,
    diskBytes: spec.diskBytes,
    gpus: spec.gpus,
    env: presetVariables({
      sandboxId: sandbox.id,
      name: sandbox.name,
      doors: deps.doors,
      hasEnvironment: environment !== undefined,
      cpus: spec.cpus,
    }),
    ...(environment === undefined
      ? {}
      : {
          environmentDir: environment.dir,
          environmentKey: spec.environment?.digest ?? '',
          warmImports: environment.warmImports,
        }),
    mounts,
    ...(spec.image === null ? {} : { imageDir: spec.image }),
    doors: deps.doors,
  };
}

/** The start as an act of the system: state, and in the lineage graph what the sandbox was given. */
async function recordStart(
  deps: SandboxDeps,
  sandbox: Sandbox,
  datasets: ResolvedDataset[],
  handle: Handle,
  requestId: string,
): Promise<Sandbox> {
  const nowMs = deps.clock.nowMs();
  await deps.gateway.system({
    about: identityOfSandbox(sandbox),
    requestId,
    action: 'sandbox.start',
    object: { kind: 'sandbox', id: sandbox.id, name: sandbox.name },
    act: async (tx, crossing) => {
      await updateSandboxState(tx, sandbox.id, { state: 'running', reason: 'running', handle, startedMs: nowMs });
      await insertSandboxEvent(tx, sandbox.id, { atMs: nowMs, kind: 'started', message: `on ${sandbox.spec.runtime}` });
      for (const { name, version, digest } of datasets)
        await crossing.reads({ kind: 'dataset', id: `${name}@${version}`, name, digest }, 'mounted');
      const { environment } = sandbox.spec;
      if (environment !== null)
        await crossing.reads(
          { kind: 'environment', id: environment.digest, name: environment.name, digest: environment.digest },
          'ran in',
        );
    },
  });
  const started: Sandbox = { ...sandbox, state: 'running', reason: 'running', handle, startedMs: nowMs };
  deps.live.add(started, handle, nowMs);
  return started;
}
