/** Sandboxes over a driver, and the keeper that looks after them. */
import { join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { createKeyedMutex } from '#kernel/keyed-mutex.ts';
import { findDataset } from '#src/datasets/find-dataset.ts';
import { DRIVERS } from '#src/drivers/catalog.ts';
import type { Driver } from '#src/drivers/driver.ts';
import { warmImportsOf } from '#src/environments/environment.ts';
import { selectEnvironment } from '#src/environments/environment-store.ts';
import { selectTeam } from '#src/identity/user-store.ts';
import { findImage } from '#src/images/manage-images.ts';
import { resolveModelGrant } from '#src/models/model-grant.ts';
import { createExecHistory } from '#src/sandboxes/exec-history.ts';
import { createKeepReady, type KeepReady } from '#src/sandboxes/keep-ready.ts';
import { reapSandboxes, recoverSandboxes } from '#src/sandboxes/keep-sandboxes.ts';
import type { SandboxDeps } from '#src/sandboxes/sandbox-deps.ts';
import { usualVariables } from '#src/sandboxes/sandbox-variables.ts';
import { createSettling } from '#src/sandboxes/settle-sandboxes.ts';
import type { Core } from './core.ts';
import type { Data } from './data.ts';
import { DOOR_PORTS } from './doors.ts';
import { followClock } from './follow-clock.ts';

const REAP_EVERY_MS = 1000;
const PYTHON_DIR = join(import.meta.dirname, '../../python');

export function createDriver(core: Core): Driver {
  const module = DRIVERS[core.settings['sandbox.driver']];
  if (module === undefined) {
    throw new AppError('invalid', `There is no driver "${core.settings['sandbox.driver']}".`, {
      details: { hint: `Set sandbox.driver to one of: ${Object.keys(DRIVERS).join(', ')}.` },
    });
  }
  const { log, clock } = core;
  return module.create({
    stateDir: join(core.home, 'driver'),
    pythonDir: PYTHON_DIR,
    log,
    nowMs: clock.nowMs,
    config: { gpus: core.settings['sandbox.gpus'] },
    startTimeoutMs: core.settings['sandbox.startTimeout'],
  });
}

export async function openSandboxes(
  core: Core,
  data: Data,
  parts: Pick<SandboxDeps, 'driver' | 'live' | 'onEnd' | 'trafficOf'>,
): Promise<SandboxDeps> {
  const { settings } = core;
  const probe = await parts.driver.probe();
  const defaults = {
    memoryBytes: settings['sandbox.defaults.memory'],
    cpus: settings['sandbox.defaults.cpus'],
    diskBytes: settings['sandbox.defaults.disk'],
    pids: settings['sandbox.defaults.pids'],
    ttlMs: settings['sandbox.defaults.ttl'],
    idleMs: settings['sandbox.defaults.idle'],
    maxTtlMs: settings['sandbox.maxTtl'],
    runtime: settings['sandbox.defaults.runtime'] ?? probe.runtimes[0] ?? 'runc',
  };
  return {
    ...core,
    ...parts,
    mutex: createKeyedMutex(),
    defaults,
    ready: createPools(core, parts.driver, defaults),
    execHistory: createExecHistory(core),
    doors: DOOR_PORTS,
    teamOf: async (reader, user) => (await selectTeam(reader, user)) ?? 'default',
    labelsOf: core.lineage.labelsOf,
    environments: {
      find: selectEnvironment,
      locate: async (digest) => {
        const found = await core.database.read((reader) => selectEnvironment(reader, digest));
        if (found === undefined || !data.environmentFiles.isInstalled(digest)) {
          throw new AppError('not_found', 'The files of this environment are not there.', {
            details: { hint: 'Make it again with "fumehood environment create".' },
          });
        }
        return { dir: data.environmentFiles.dirOf(digest), warmImports: warmImportsOf(found.lock) };
      },
    },
    images: imagesOf(data),
    datasets: { find: findDataset, materialize: data.mounts.materialize, release: data.mounts.release },
    grants: { resolve: (reader, grant) => resolveModelGrant(core.lineage.labelsOf, reader, grant) },
    quotas: core.quotas,
  };
}

/** The images of this host, as sandboxes see them. */
function imagesOf({ images }: Data): SandboxDeps['images'] {
  return {
    find: (digest) => {
      const image = images.find(digest);
      return image === undefined ? undefined : { ...image, fitsEnvironments: images.fitsEnvironments(digest) };
    },
    locate: (digest) => {
      const { python, env, workingDir, searchPath } = findImage(images, digest);
      return { rootDir: images.rootOf(digest), python, env, workingDir, searchPath };
    },
  };
}

/** Recovers what outlived the last control plane, fills the pools, and reaps every second until `stop`. */
export async function keepSandboxes(
  deps: SandboxDeps,
  core: Core,
  data: Data,
  forget: () => void,
): Promise<{ stop(): Promise<void> }> {
  await followClock(core, deps.live, forget);
  await recoverSandboxes(deps);
  await data.mounts.recover(new Set(deps.live.all().map((live) => live.sandbox.id)));
  deps.ready.fill().catch((error) => core.log('warn', 'the pools could not be filled', { error }));
  let reaping: Promise<void> | undefined;
  const settle = createSettling(deps, () => performance.now());
  const timer = setInterval(() => {
    deps.ready.look();
    reaping ??= followClock(core, deps.live, forget)
      .then(() => reapSandboxes(deps))
      .then(settle)
      .catch((error) => core.log('error', 'reaping failed', { error }))
      .finally(() => {
        reaping = undefined;
      });
  }, REAP_EVERY_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      await reaping;
      await deps.execHistory.written();
    },
  };
}

/** The pools of the driver: their usual kind is a sandbox that asks for nothing. */
function createPools(core: Core, driver: Driver, defaults: SandboxDeps['defaults']): KeepReady {
  const { settings, log, clock } = core;
  const { memoryBytes, cpus, diskBytes, pids, runtime } = defaults;
  const env = usualVariables(DOOR_PORTS, cpus);
  return createKeepReady(
    {
      driver,
      nowMs: clock.nowMs,
      onError: (error) => log('warn', 'the pools could not be filled', { error }),
    },
    { runtime, memoryBytes, cpus, pids, diskBytes, gpus: 0, env, mounts: [], doors: DOOR_PORTS },
    {
      networks: settings['pool.networks'],
      workspaces: settings['pool.workspaces'],
      each: settings['pool.warm'],
      total: settings['pool.total'],
      forgetMs: settings['pool.forget'],
    },
  );
}
