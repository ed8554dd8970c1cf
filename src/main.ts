/** The composition root: starts a control plane out of all its parts, in the order in which they stand on each other. */
import { realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { createKeyedMutex } from '#kernel/keyed-mutex.ts';
import type { Reader } from '#kernel/sql.ts';
import { approvalRoutes } from '#src/approvals/approval-routes.ts';
import { auditRoutes } from '#src/audit/audit-routes.ts';
import { findUv } from '#src/cli/find-uv.ts';
import { VERSION } from '#src/cli/version.ts';
import { createBuildSandboxes } from '#src/composition/build-sandbox.ts';
import { type Core, openCore } from '#src/composition/core.ts';
import { type Data, openData } from '#src/composition/data.ts';
import { type Doors, openDoors } from '#src/composition/doors.ts';
import { createEnding, type Ending } from '#src/composition/ending.ts';
import { makeFirstOperator, renewOperatorToken } from '#src/composition/first-operator.ts';
import { listen } from '#src/composition/listen.ts';
import { metricsRoute } from '#src/composition/metrics-route.ts';
import { createDriver, keepSandboxes, openSandboxes } from '#src/composition/sandboxes.ts';
import { type OpenedSites, openSites } from '#src/composition/sites.ts';
import { statusRoutes } from '#src/composition/status-routes.ts';
import { collectState, openAnswers } from '#src/composition/telemetry.ts';
import { keepKeys, takeOverRestored, upkeepRoutes } from '#src/composition/upkeep.ts';
import { createLogVerifier } from '#src/composition/verify-worker.ts';
import type { Config } from '#src/config/load-config.ts';
import { datasetRoutes } from '#src/datasets/dataset-routes.ts';
import { selectTagsOfName } from '#src/datasets/dataset-store.ts';
import { sweepDatasetUploads } from '#src/datasets/upload-dataset.ts';
import { createBuildProgress } from '#src/environments/build-progress.ts';
import { environmentRoutes } from '#src/environments/environment-routes.ts';
import { RUNS_SITE } from '#src/gateway/sites/site-address.ts';
import type { Route } from '#src/http/route.ts';
import { createApi } from '#src/http/server.ts';
import { createAuthenticator } from '#src/identity/authenticate.ts';
import { tokenRoutes } from '#src/identity/token-routes.ts';
import { userRoutes } from '#src/identity/user-routes.ts';
import { selectUser } from '#src/identity/user-store.ts';
import { imageRoutes } from '#src/images/image-routes.ts';
import { lineageRoutes } from '#src/lineage/lineage-routes.ts';
import { selectLabelsByNode } from '#src/lineage/lineage-store.ts';
import { nodeKey } from '#src/lineage/node.ts';
import { modelRoutes } from '#src/models/model-routes.ts';
import { accessKeyRoutes } from '#src/objects/access-key-routes.ts';
import { findOpa } from '#src/policies/opa.ts';
import { policyRoutes } from '#src/policies/policy-routes.ts';
import { createLiveSandboxes } from '#src/sandboxes/live-sandboxes.ts';
import { portRoutes } from '#src/sandboxes/port-routes.ts';
import type { SandboxDeps } from '#src/sandboxes/sandbox-deps.ts';
import { sandboxRoutes } from '#src/sandboxes/sandbox-routes.ts';
import { sandboxStatsRoutes } from '#src/sandboxes/sandbox-stats-routes.ts';
import { isUsedBySandbox } from '#src/sandboxes/sandbox-store.ts';
import { sandboxFileRoutes, sandboxStreamRoutes } from '#src/sandboxes/sandbox-stream-routes.ts';
import { secretRoutes } from '#src/secrets/secret-routes.ts';
import { observeDriver } from '#src/telemetry/observe-driver.ts';
import { NO_SANDBOX_TRACES, openSandboxTraces } from '#src/telemetry/sandbox-traces.ts';
import { createRequestWatch } from '#src/telemetry/watch-requests.ts';
import { ensureDefaultExperiment, selectExperiment } from '#src/tracking/experiment-store.ts';
import { runOpenRoutes } from '#src/tracking/run-open-routes.ts';
import { runRoutes } from '#src/tracking/run-routes.ts';
import { quotaRoutes } from '#src/usage/quota-routes.ts';

export type ControlPlane = {
  url: string;
  /** How many run now; they go on when the control plane is closed. */
  sandboxes(): number;
  close(): Promise<void>;
};

const DAY_MS = 86_400_000;
const SWEEP_EVERY_MS = 600_000;
const SWEEP_GRACE_MS = 600_000;
const LAST_USED_EVERY_MS = 60_000;

/** Starts the control plane of a home; everything that does not fit stops the start with its reason. */
export async function startControlPlane(
  config: Config,
  options: { newOperatorToken?: boolean } = {},
): Promise<ControlPlane> {
  const ending = createEnding();
  try {
    return { ...(await open(config, options, ending)), close: ending.run };
  } catch (error) {
    // The reason of the failed start is what matters; what cannot be closed either ends with the process.
    await ending.run().catch(() => undefined);
    throw error;
  }
}

async function open(
  config: Config,
  options: { newOperatorToken?: boolean },
  ending: Ending,
): Promise<Omit<ControlPlane, 'close'>> {
  const { home, settings } = config;
  const core = await openCore({ home, settings, env: process.env, version: VERSION });
  ending.add(core.close);
  const { gateway, database, clock, ids, log } = core;
  const data = await openData(core, {
    uv: findUv(process.env),
    uvCacheDir: uvCacheDir(),
    pythonVersion: pythonVersion(),
  });
  await keepKeys(core);
  const authenticator = createAuthenticator({ database, clock });
  ending.add(authenticator.flushLastUsed);
  await makeFirstOperator(core);
  if (options.newOperatorToken === true) await renewOperatorToken(core);
  await makeDefaultExperiment(core);
  const live = createLiveSandboxes();
  const { authenticateToken } = authenticator;
  const { metrics, tracer } = core.telemetry;
  const traces = tracer === undefined ? NO_SANDBOX_TRACES : await openSandboxTraces(core);
  const watch = createRequestWatch({ log, metrics, tracer, traceOf: traces.of });
  const doors = openDoors(core, data, { live, authenticateToken, version: VERSION, watch });
  // A way out that was allowed to a sandbox without this label is decided anew.
  core.onLabelled(doors.egress.closeTunnels);
  const driver = observeDriver(createDriver(core), { metrics, tracer, traces });
  ending.add(driver.close);
  ending.add(doors.listeners.close);
  collectState(core, driver, VERSION);
  driver.onConnection(doors.listeners.acceptSandbox);
  const places: { url: string; doors: Record<string, string> } = { url: '', doors: {} };
  const sites = openSites(core, data, { sandboxes: () => sandboxes, url: () => places.url, watch });
  const sandboxes = await openSandboxes(core, data, {
    driver,
    live,
    onEnd: (id) => endOfSandbox(core, data, { doors, sites }, id),
    trafficOf: doors.listeners.trafficOf,
  });
  await takeOverRestored(core, data, sandboxes);
  const keeper = await keepSandboxes(sandboxes, core, data, () => authenticator.forgetAll());
  ending.add(keeper.stop);
  const api = createApi({
    routes: [
      ...routesOf(core, data, { sandboxes, authenticator, sites }),
      ...statusRoutes({ core, live, driver, places, runPage: sites.runPage, version: VERSION }),
      ...upkeepRoutes(core, data, VERSION),
      metricsRoute(metrics),
    ],
    webSocketRoutes: sandboxStreamRoutes(sandboxes),
    gateway,
    crossings: core.crossings,
    authenticate: authenticateToken,
    database,
    clock,
    ids,
    log,
    version: VERSION,
    open: openAnswers(core, driver),
    watch,
    sites: sites.sites,
  });
  ending.add(() => api.close());
  Object.assign(places, await listen(api, doors, config, { clock, log, ending }));
  const timers = startTimers(core, data, authenticator);
  ending.add(() => timers.forEach(clearInterval));
  return { url: places.url, sandboxes: () => live.all().length };
}

function routesOf(
  core: Core,
  data: Data,
  parts: { sandboxes: SandboxDeps; authenticator: ReturnType<typeof createAuthenticator>; sites: OpenedSites },
): Route[] {
  const { sandboxes, authenticator, sites } = parts;
  const { gateway, database, clock, ids, tiles, signer, home, auditLog, registry, quotaDefaults } = core;
  const identity = { gateway, clock, ids, authenticator };
  const environments = {
    gateway,
    database,
    files: data.environmentFiles,
    mutex: createKeyedMutex(),
    clock,
    python: data.python,
    indexUrl: core.settings['index.url'],
    builds: createBuildProgress({ clock, indexUrl: core.settings['index.url'] }),
    withSandbox: createBuildSandboxes(sandboxes),
    inUse: (digest: string) => database.read((reader) => isUsedBySandbox(reader, digest)),
  };
  return [
    ...sandboxRoutes(sandboxes),
    ...sandboxStatsRoutes(sandboxes),
    ...sandboxFileRoutes(sandboxes),
    ...portRoutes({ ...sandboxes, ...sites }),
    ...environmentRoutes(environments),
    ...imageRoutes({ gateway, clock, files: data.images, inUse: environments.inUse }),
    ...datasetRoutes(data.datasets),
    ...accessKeyRoutes({ accessKeys: data.accessKeys }),
    ...runRoutes({ labelsOf: core.lineage.labelsOf, labelsByRun, runPage: (id) => sites.runPage(id) }),
    ...runOpenRoutes({ gateway, lineage: core.lineage, clock, ids, ...sites, site: RUNS_SITE }),
    ...modelRoutes({ labelsOf: core.lineage.labelsOf }),
    ...secretRoutes(data.secrets),
    ...policyRoutes({ gateway, database, clock, registry, opa: findOpa }),
    ...approvalRoutes({ gateway, clock, ids, tagsOfDataset: selectTagsOfName }),
    ...auditRoutes({
      database,
      publicKey: signer.publicKey,
      flushTiles: tiles.flush,
      verify: createLogVerifier({
        databaseUrl: core.databaseUrl,
        publicKey: signer.publicKey,
        folder: join(home, 'audit'),
      }),
      size: auditLog.size,
    }),
    ...lineageRoutes({ producer: `https://fumehood.local/${VERSION}` }),
    ...userRoutes(identity),
    ...tokenRoutes(identity),
    ...quotaRoutes({
      clock,
      defaults: quotaDefaults,
      userExists: async (reader, name) => (await selectUser(reader, name)) !== undefined,
    }),
  ];
}

/** The labels of each of these runs, by id. */
async function labelsByRun(reader: Reader, ids: string[]): Promise<Map<string, string[]>> {
  const labels = await selectLabelsByNode(
    reader,
    ids.map((id) => nodeKey({ kind: 'run', id })),
  );
  return new Map(ids.map((id) => [id, labels.get(nodeKey({ kind: 'run', id })) ?? []]));
}

/** Clients that name no experiment log into this one. */
async function makeDefaultExperiment({ gateway, clock, ids, database }: Core): Promise<void> {
  if ((await database.read((reader) => selectExperiment(reader, '0'))) !== undefined) return;
  await gateway.system({
    action: 'experiment.first',
    object: { kind: 'experiment', id: '0' },
    requestId: ids.next('req'),
    act: (tx) => ensureDefaultExperiment(tx, clock.nowMs()),
  });
}

/** A sandbox has ended: its connections are cut, its tunnels closed, its keys revoked. */
async function endOfSandbox(
  core: Core,
  data: Data,
  { doors, sites }: { doors: Doors; sites: OpenedSites },
  sandboxId: string,
): Promise<void> {
  sites.endSandbox(sandboxId);
  doors.listeners.closeSandbox(sandboxId);
  doors.egress.closeTunnels(sandboxId);
  await core.gateway.system({
    action: 'access-key.revoke',
    object: { kind: 'sandbox', id: sandboxId },
    requestId: core.ids.next('req'),
    act: (tx) => data.accessKeys.revokeOf(tx, sandboxId),
  });
}

function startTimers(core: Core, data: Data, authenticator: ReturnType<typeof createAuthenticator>): NodeJS.Timeout[] {
  const { log, ids } = core;
  const quietly = (what: string, work: () => Promise<unknown>) => (): void => {
    work().catch((error) => log('warn', what, { error }));
  };
  const sweep = quietly('unnamed bytes could not be removed', () =>
    data.objects.sweep({ requestId: ids.next('req'), graceMs: SWEEP_GRACE_MS, abandonedMs: DAY_MS }),
  );
  const sweepUploads = quietly('abandoned uploads of data sets could not be removed', () =>
    sweepDatasetUploads(data.datasets, { requestId: ids.next('req'), abandonedMs: DAY_MS }),
  );
  return [
    setInterval(sweep, SWEEP_EVERY_MS).unref(),
    setInterval(sweepUploads, SWEEP_EVERY_MS).unref(),
    setInterval(
      quietly('last uses of tokens were not written', authenticator.flushLastUsed),
      LAST_USED_EVERY_MS,
    ).unref(),
  ];
}

const uvCacheDir = (): string =>
  process.env.UV_CACHE_DIR ?? join(process.env.XDG_CACHE_HOME ?? join(process.env.HOME ?? homedir(), '.cache'), 'uv');

/** The version of the system's Python, by the name of the file that `python3` is (`python3.11`). */
const pythonVersion = (): string => basename(realpathSync('/usr/bin/python3'));
