import { createHash } from 'node:crypto';
import { canonicalJson } from '#kernel/canonical-json.ts';
import { AppError } from '#kernel/errors.ts';
import type { Capability, Probe } from '#src/drivers/driver.ts';
import type { Crossing, Identity } from '#src/gateway/crossing.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import type { Decision, PolicyObject, Question } from '#src/policies/decision.ts';
import { type Resolved, resolveRequest } from './resolve-sandbox.ts';
import type { Sandbox, SandboxSpec } from './sandbox.ts';
import type { ResolvedDataset, SandboxDeps } from './sandbox-deps.ts';
import type { SandboxRequest } from './sandbox-request.ts';
import { insertSandbox, insertSandboxEvent, selectSandboxByName } from './sandbox-store.ts';

/** `rules`: what admitted the sandbox, as nodes of the graph: the policies that spoke and the approvals of what it mounts. */
export type Admission = { sandbox: Sandbox; datasets: ResolvedDataset[]; rules: { node: NodeRef; relation: string }[] };

/** Names resolved, policy, capabilities, quota: one transaction. Policy speaks before capability. */
export async function admitSandbox(
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
      resolved = await resolveRequest(deps, reader, request);
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
      crossing.attest('sandbox', id);
      await insertSandboxEvent(tx, id, { atMs: crossing.nowMs, kind: 'admitted', message: `by ${identity.user}` });
      recordSpec(crossing, spec);
      const digest = `sha256:${createHash('sha256').update(canonicalJson(spec)).digest('hex')}`;
      await crossing.writes({ kind: 'sandbox', id, name, digest }, 'created');
      return { sandbox, datasets: resolved.datasets, rules: rulesOf(crossing.decision, spec) };
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
    begunMs: nowMs,
    startedMs: null,
    endedMs: null,
    expiresMs: nowMs + options.spec.ttlMs,
    lastActiveMs: nowMs,
    reason: 'starting',
  };
}

function questionsOf(id: string, identity: Identity, resolved: Resolved): Question[] {
  const { spec, datasets, granted, image } = resolved;
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
  if (image !== null) {
    const { digest, name, owner } = image;
    questions.push({
      action: 'image.use',
      resource: 'environment',
      object: { type: 'image', id: digest, digest, name, owner, labels: [] },
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
  if (spec.image !== null) needed.push('image');
  const missing = needed.filter((capability) => !probe.capabilities.includes(capability));
  if (missing.length > 0) {
    throw new AppError(
      'capability_missing',
      `This host cannot enforce: ${missing.join(', ')}. The sandbox is refused.`,
      { details: { missing: missing.join(',') } },
    );
  }
  if (!probe.runtimes.includes(spec.runtime)) throw unusableRuntime(spec.runtime, probe);
}

/** Says why, and what would mend it, in the words of the probe. */
function unusableRuntime(runtime: string, { runtimes, checks }: Probe): AppError {
  const { found = 'this driver does not know it', fix = '' } = checks.find(({ id }) => id === runtime) ?? {};
  const others = runtimes.join(', ') || 'none';
  return new AppError('capability_missing', `The runtime "${runtime}" cannot be used on this host: ${found}.`, {
    details: {
      field: 'runtime',
      missing: runtime,
      hint: `${fix === '' ? '' : `To mend it: ${fix}. `}Usable here: ${others}.`,
    },
  });
}

/** The policies that spoke, and the approvals for the data sets and the purpose of this sandbox. */
function rulesOf(decision: Decision, spec: SandboxSpec): Admission['rules'] {
  const mounted = new Set(spec.mounts.map((mount) => mount.dataset));
  const approvals = (decision.approvals ?? []).filter(
    ({ dataset, purpose }) => mounted.has(dataset) && purpose === spec.purpose,
  );
  return [
    ...decision.bundles.map((digest) => ({
      node: { kind: 'policy', id: digest, digest } as const,
      relation: 'admitted under',
    })),
    ...approvals.map(({ id, dataset }) => ({
      node: { kind: 'approval', id, name: `${dataset} for ${spec.purpose}` } as const,
      relation: 'approved by',
    })),
  ];
}

function recordSpec(crossing: Crossing, spec: SandboxSpec): void {
  crossing.detail('memoryBytes', spec.memoryBytes);
  crossing.detail('cpus', spec.cpus);
  crossing.detail('diskBytes', spec.diskBytes);
  crossing.detail('gpus', spec.gpus);
  crossing.detail('runtime', spec.runtime);
  if (spec.image !== null) crossing.detail('image', spec.image.digest);
  crossing.detail('mounts', spec.mounts.map((mount) => `${mount.dataset}@${mount.version}`).join(' '));
  crossing.detail('egress', spec.egress.map(({ host, port }) => `${host}:${port}`).join(' '));
}
