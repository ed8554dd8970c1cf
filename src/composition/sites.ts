/** What is served under names of its own: ports of sandboxes and the pages of runs. */
import { AppError } from '#kernel/errors.ts';
import { createPortSite } from '#src/gateway/sites/port-site.ts';
import type { RunFile } from '#src/gateway/sites/run-page.ts';
import { createRunsSite } from '#src/gateway/sites/runs-site.ts';
import { createSiteAddresses, RUNS_SITE, type SiteAddresses } from '#src/gateway/sites/site-address.ts';
import { createSites, ENTRY_PATH, type Sites } from '#src/gateway/sites/sites.ts';
import { hashToken, looksLikeToken } from '#src/identity/token.ts';
import { createVisits, type Visits } from '#src/identity/visits.ts';
import { showLineage } from '#src/lineage/show-lineage.ts';
import { EDGE_KINDS } from '#src/lineage/trace-lineage.ts';
import type { LiveSandbox } from '#src/sandboxes/live-sandboxes.ts';
import { NOTEBOOK_PORT } from '#src/sandboxes/notebook-server.ts';
import { enterPort, latestEndOf, mayStayOpen } from '#src/sandboxes/open-port.ts';
import type { SandboxDeps } from '#src/sandboxes/sandbox-deps.ts';
import type { WatchRequest } from '#src/telemetry/watch-requests.ts';
import { openExperiment, showExperiment } from '#src/tracking/show-experiment.ts';
import { openRun, showRun } from '#src/tracking/show-run.ts';
import type { Core } from './core.ts';
import type { Data } from './data.ts';

export type OpenedSites = {
  sites: Sites;
  visits: Visits;
  /** Cuts what is open to a sandbox that has ended. */
  endSandbox(sandboxId: string): void;
  entryUrl(site: string, ticket: string): string;
  /** The address of the page of a run (of all of them, for an empty id); null where no sites can be served. */
  runPage(runId: string): string | null;
  tokenHashOf(authorization: string | undefined): string | undefined;
};

const RUN_VISIT_MS = 12 * 3_600_000;
const MOST_FILES = 500;

export function openSites(
  core: Core,
  data: Data,
  deps: { sandboxes: () => SandboxDeps; url: () => string; watch: WatchRequest },
): OpenedSites {
  const { clock, ids, log, gateway, database, lineage, settings } = core;
  const visits = createVisits({ database, clock });
  const addresses = createSiteAddresses({
    domain: settings['apps.domain'],
    notebookPort: NOTEBOOK_PORT,
    url: deps.url,
  });
  const entryUrl = (site: string, ticket: string): string =>
    `${addresses.originOf(site)}${ENTRY_PATH}?ticket=${ticket}`;
  const ports = openPorts(core, deps.sandboxes, { visits, addresses, entryUrl });
  const runs = createRunsSite({
    show: (by, runId) => showRun({ gateway, lineage, clock, ids, sourcesOf }, { ...by, door: 'runs' }, runId),
    experiment: (by, experimentId) =>
      showExperiment({ gateway, lineage, clock, ids }, { ...by, door: 'runs' }, experimentId),
    files: (by, artifactUri) => filesOf(data, { ...by, door: 'runs' }, artifactUri),
  });
  const sites = createSites({
    addresses,
    visits,
    ports,
    runs,
    gateway,
    clock,
    ids,
    log,
    watch: deps.watch,
    admit: async ({ site, identity, requestId, ticket }) => {
      if (site.kind === 'runs')
        return gateway.cross({
          identity,
          door: 'runs',
          requestId,
          action: 'run.list',
          object: { kind: 'site', id: RUNS_SITE },
          ask: async () => [
            { action: 'run.list', resource: 'run', object: { type: 'run', id: '*', owner: identity.user, labels: [] } },
          ],
          act: (tx) => visits.redeem(tx, ticket, clock.nowMs() + RUN_VISIT_MS),
        });
      const use = { identity, requestId, ref: site.sandboxId };
      const entered = await enterPort(deps.sandboxes(), use, { port: site.port, step: 'visit' }, (tx, sandbox) =>
        visits.redeem(tx, ticket, latestEndOf(deps.sandboxes(), sandbox)),
      );
      return entered.answer;
    },
  });
  return {
    sites,
    visits,
    entryUrl,
    runPage: (runId) => (addresses.served() ? `${addresses.originOf(RUNS_SITE)}/${runId}` : null),
    endSandbox: ports.endSandbox,
    tokenHashOf: (authorization) => {
      const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1] ?? '';
      return looksLikeToken(token) ? hashToken(token) : undefined;
    },
  };
}

/** The sites of sandboxes' ports over the use cases of sandboxes. */
function openPorts(
  core: Core,
  sandboxes: () => SandboxDeps,
  parts: { visits: Visits; addresses: SiteAddresses; entryUrl: OpenedSites['entryUrl'] },
) {
  const { clock, ids, gateway, lineage } = core;
  const running = (sandboxId: string): LiveSandbox => {
    const live = sandboxes().live.get(sandboxId);
    if (live === undefined) throw new AppError('conflict', 'This sandbox has ended.');
    return live;
  };
  return createPortSite({
    clock,
    enter: async ({ identity, requestId, sandboxId, port, step }) => {
      const use = { identity, requestId, ref: sandboxId };
      await enterPort(sandboxes(), use, { port, step }, async () => undefined);
    },
    about: (sandboxId) => {
      const { name, expiresMs } = running(sandboxId).sandbox;
      return { name, expiresMs };
    },
    mayStay: async ({ identity: _past, requestId, sandboxId, port, step, cookie, label }) => {
      const { identity } = await parts.visits.check(cookie, label);
      await mayStayOpen(sandboxes(), { identity, requestId, ref: sandboxId }, { port, step });
    },
    connect: async (sandboxId, port) => (await sandboxes().driver.session(running(sandboxId).handle)).connectPort(port),
    touch: (sandboxId) => {
      const live = sandboxes().live.get(sandboxId);
      if (live !== undefined) live.lastActiveMs = clock.nowMs();
    },
    runLink: async ({ identity, tokenHash }, requestId, runId) => {
      const caller = { identity, door: 'port', requestId };
      const wanted = { runId, site: RUNS_SITE, tokenHash };
      const { ticket } = await openRun({ gateway, lineage, clock, ids, visits: parts.visits }, caller, wanted);
      return parts.entryUrl(RUNS_SITE, ticket);
    },
    experimentLink: async ({ identity, tokenHash }, requestId, experimentId) => {
      const caller = { identity, door: 'port', requestId };
      const wanted = { experimentId, site: RUNS_SITE, tokenHash };
      const { ticket } = await openExperiment({ gateway, lineage, clock, ids, visits: parts.visits }, caller, wanted);
      return parts.entryUrl(RUNS_SITE, ticket);
    },
  });
}

const sourcesOf: Parameters<typeof showRun>[0]['sourcesOf'] = async (reader, runId) => {
  const root = `run:${runId}`;
  const graph = await showLineage(reader, { node: root, directions: ['up'], kinds: EDGE_KINDS }).catch((thrown) => {
    // A run that crossed nothing is in no graph.
    if (thrown instanceof AppError && thrown.code === 'not_found') return undefined;
    throw thrown;
  });
  return graph?.nodes.filter((node) => node.id !== root) ?? [];
};

/** The files below a run's place; undefined when policy does not let this reader see them, which is an entry of its own. */
async function filesOf(
  data: Data,
  caller: { identity: Parameters<Data['objects']['list']>[0]['identity']; door: string; requestId: string },
  artifactUri: string,
): Promise<RunFile[] | undefined> {
  const [, bucket, place] = /^(?:mlflow-artifacts:\/*|s3:\/\/(?<bucket>[^/]+)\/)(.+)$/.exec(artifactUri) ?? [];
  const prefix = `${(place ?? '').replace(/\/$/, '')}/`;
  if (prefix === '/') return [];
  try {
    const page = await data.objects.list({ ...caller, bucket: bucket ?? 'mlflow', prefix, limit: MOST_FILES });
    return page.objects.map(({ key, sizeBytes }) => ({ path: key.slice(prefix.length), sizeBytes }));
  } catch (thrown) {
    if (thrown instanceof AppError && ['denied', 'approval_required', 'not_found'].includes(thrown.code))
      return undefined;
    throw thrown;
  }
}
