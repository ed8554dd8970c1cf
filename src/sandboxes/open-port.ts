/** Opening a port of a sandbox to its owner's browser: the decisions, and the ticket that starts a visit. */
import { AppError } from '#kernel/errors.ts';
import type { Reader, Tx } from '#kernel/sql.ts';
import type { CrossingRequest } from '#src/gateway/crossing.ts';
import type { Visits } from '#src/identity/visits.ts';
import type { Question } from '#src/policies/decision.ts';
import { findSandbox, liveOrRefuse } from './find-sandbox.ts';
import type { LiveSandbox } from './live-sandboxes.ts';
import { ensureNotebook, NOTEBOOK_PORT } from './notebook-server.ts';
import type { Sandbox } from './sandbox.ts';
import type { SandboxDeps } from './sandbox-deps.ts';
import { insertSandboxEvent } from './sandbox-store.ts';
import type { Use } from './use-sandbox.ts';

/** What of a visit is decided: that it may begin, that it begins, a page of it, a WebSocket of it. */
export type Step = 'ticket' | 'visit' | 'page' | 'websocket';

type PortDeps = Pick<SandboxDeps, 'gateway' | 'labelsOf' | 'live'>;
type Asked = { port: number; step: Step };

/** The label of a port's own origin: `<id>` for the notebook, `<port>--<id>` for any other. */
export const siteOfPort = (sandboxId: string, port: number): string =>
  port === NOTEBOOK_PORT ? sandboxId : `${port}--${sandboxId}`;

/** One decision about a port with its audit entry; `act` runs in its transaction. Throws `conflict` when the sandbox does not run. */
export async function enterPort<T>(
  deps: PortDeps,
  use: Use,
  asked: Asked,
  act: (tx: Tx, sandbox: Sandbox) => Promise<T>,
): Promise<{ sandbox: Sandbox; live: LiveSandbox; answer: T }> {
  const { crossing, found } = crossingAbout(deps, use, asked);
  const answer = await deps.gateway.cross({
    ...crossing,
    act: async (tx, open) => {
      const sandbox = found();
      liveOrRefuse(deps, sandbox);
      open.detail('sandbox', sandbox.id);
      open.detail('port', asked.port);
      open.detail('step', asked.step);
      return act(tx, sandbox);
    },
  });
  return { sandbox: found(), live: liveOrRefuse(deps, found()), answer };
}

/** Asks again whether a port may still be open, without an entry for a yes; throws for a no. */
export const mayStayOpen = (deps: PortDeps, use: Use, asked: Asked): Promise<void> =>
  deps.gateway.check(crossingAbout(deps, use, asked).crossing);

function crossingAbout(deps: PortDeps, use: Use, asked: Asked) {
  let sandbox: Sandbox | undefined;
  const crossing: Omit<CrossingRequest<unknown>, 'act'> = {
    identity: use.identity,
    door: asked.step === 'ticket' ? 'api' : 'port',
    requestId: use.requestId,
    action: 'port.open',
    object: { kind: 'sandbox', id: use.ref },
    ask: async (reader) => {
      sandbox = await findSandbox(reader, use.identity, use.ref);
      return [await questionOf(deps, reader, sandbox, asked.port)];
    },
  };
  const found = (): Sandbox => {
    if (sandbox === undefined) throw new AppError('internal', 'The sandbox was not resolved.');
    return sandbox;
  };
  return { crossing, found };
}

async function questionOf(deps: PortDeps, reader: Reader, sandbox: Sandbox, port: number): Promise<Question> {
  const labels = await deps.labelsOf(reader, [{ kind: 'sandbox', id: sandbox.id }]);
  return {
    action: 'port.open',
    resource: 'port',
    requested: port,
    object: {
      type: 'port',
      id: `${sandbox.id}:${port}`,
      name: sandbox.name,
      owner: sandbox.owner,
      purpose: sandbox.spec.purpose,
      labels,
      sandbox: sandbox.id,
      port,
    },
  };
}

/** Decides, starts the notebook server where it is wanted, and gives a one-time ticket for the port's own origin. */
export async function openPort(
  deps: SandboxDeps & { visits: Visits },
  use: Use,
  wanted: { port: number | undefined; tokenHash: string },
): Promise<{ sandbox: Sandbox; port: number; site: string; ticket: string; expiresMs: number }> {
  const port = wanted.port ?? NOTEBOOK_PORT;
  const door = Object.entries(deps.doors).find(([, number]) => number === port)?.[0];
  if (door !== undefined)
    throw new AppError('invalid', `Port ${port} is the sandbox's way to ${door}, not a port of its own.`, {
      details: { field: 'port', hint: 'Open a port on which something of yours listens.' },
    });
  const asked: Asked = { port, step: 'ticket' };
  if (port === NOTEBOOK_PORT) await startNotebook(deps, use, asked);
  const { sandbox, live, answer } = await enterPort(deps, use, asked, (tx, found) =>
    deps.visits.issue(tx, {
      site: siteOfPort(found.id, port),
      path: port === NOTEBOOK_PORT ? '/lab' : '/',
      tokenHash: wanted.tokenHash,
    }),
  );
  live.lastActiveMs = deps.clock.nowMs();
  return { sandbox, port, site: siteOfPort(sandbox.id, port), ...answer };
}

async function startNotebook(deps: SandboxDeps, use: Use, asked: Asked): Promise<void> {
  await mayStayOpen(deps, use, asked);
  const sandbox = await deps.database.read((reader) => findSandbox(reader, use.identity, use.ref));
  const { handle } = liveOrRefuse(deps, sandbox);
  await deps.mutex(`notebook ${sandbox.id}`, async () => {
    if (!(await ensureNotebook(await deps.driver.session(handle)))) return;
    await deps.gateway.system({
      action: 'sandbox.notebook',
      object: { kind: 'sandbox', id: sandbox.id, name: sandbox.name },
      requestId: use.requestId,
      act: (tx, crossing) =>
        insertSandboxEvent(tx, sandbox.id, {
          atMs: crossing.nowMs,
          kind: 'notebook',
          message: `JupyterLab started for ${use.identity.user}`,
        }),
    });
  });
}

/** A visit's longest end: that of the longest life that the sandbox may get. */
export const latestEndOf = (deps: Pick<SandboxDeps, 'defaults'>, sandbox: Sandbox): number =>
  sandbox.begunMs + deps.defaults.maxTtlMs;
