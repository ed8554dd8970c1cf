import { AppError, toAppError } from '#kernel/errors.ts';
import type { Handle, StartOptions } from '#src/drivers/driver.ts';
import type { Identity } from '#src/gateway/crossing.ts';
import { type Admission, admitSandbox } from './admit-sandbox.ts';
import { destroyRemains } from './delete-sandbox.ts';
import { identityOfSandbox } from './live-sandboxes.ts';
import type { Sandbox } from './sandbox.ts';
import type { ResolvedDataset, SandboxDeps } from './sandbox-deps.ts';
import type { SandboxRequest } from './sandbox-request.ts';
import { insertSandboxEvent, updateSandboxState } from './sandbox-store.ts';
import { ownVariables, presetVariables } from './sandbox-variables.ts';

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
    const admission = await admitSandbox(deps, id, probe, input);
    return start(deps, admission, input.requestId);
  });
}

async function start(deps: SandboxDeps, admission: Admission, requestId: string): Promise<Sandbox> {
  const { sandbox, datasets } = admission;
  let recording: Promise<Sandbox> | undefined;
  // Written while the agent gets ready: it runs, whether or not that answers.
  const record = (handle: Handle): Promise<Sandbox> => {
    recording ??= recordStart(deps, admission, handle, requestId);
    recording.catch(() => undefined);
    return recording;
  };
  let handle: Handle | undefined;
  try {
    const options = await startOptionsOf(deps, sandbox, datasets);
    handle = await deps.driver.start({ ...options, onRunning: record });
    deps.ready.asked(options);
    const started = await record(handle);
    deps.live.add(started, handle, started.startedMs ?? started.createdMs);
    return started;
  } catch (thrown) {
    await recording?.catch(() => undefined);
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
  const image = spec.image === null ? undefined : deps.images.locate(spec.image.digest);
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
      doors: deps.doors,
      hasEnvironment: environment !== undefined,
      cpus: spec.cpus,
      searchPath: image?.searchPath ?? [],
    }),
    ownEnv: ownVariables(sandbox),
    ...(environment === undefined ? {} : { environmentDir: environment.dir, warmImports: environment.warmImports }),
    mounts,
    ...(image === undefined ? {} : { image }),
    doors: deps.doors,
  };
}

/** The start as an act of the system: state, and in the lineage graph what the sandbox was given. */
async function recordStart(
  deps: SandboxDeps,
  { sandbox, datasets, rules }: Admission,
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
      for (const { index, uuid, model } of handle.gpus ?? []) crossing.detail(`gpu${index}`, `${uuid} ${model}`);
      for (const { name, version, digest } of datasets)
        await crossing.reads({ kind: 'dataset', id: `${name}@${version}`, name, digest }, 'mounted');
      for (const { node, relation } of rules) await crossing.reads(node, relation);
      const { environment, image } = sandbox.spec;
      if (image !== null)
        await crossing.reads({ kind: 'image', id: image.digest, name: image.name, digest: image.digest }, 'ran on');
      if (environment !== null)
        await crossing.reads(
          { kind: 'environment', id: environment.digest, name: environment.name, digest: environment.digest },
          'ran in',
        );
    },
  });
  return { ...sandbox, state: 'running', reason: 'running', handle, startedMs: nowMs };
}
