/** The sites of sandboxes' ports: decided, then passed through as bytes. Fumehood's own paths on them begin with `/.fumehood/`. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '#kernel/clock.ts';
import { AppError } from '#kernel/errors.ts';
import type { Identity } from '#src/gateway/crossing.ts';
import { forwardRequest } from './forward-request.ts';
import { forwardUpgrade } from './forward-upgrade.ts';
import { PortAgent } from './port-agent.ts';
import type { Site } from './site-address.ts';

export type PortAddress = Extract<Site, { kind: 'port' }>;
export type Visitor = { identity: Identity; cookie: string; tokenHash: string };
type Step = 'page' | 'websocket';
type Asked = { identity: Identity; requestId: string; sandboxId: string; port: number; step: Step };

export type PortSiteDeps = {
  clock: Clock;
  /** Decides with an audit entry. Throws what the reader is told. */
  enter: (asked: Asked) => Promise<void>;
  /** What its page is told of a running sandbox. */
  about: (sandboxId: string) => { name: string; expiresMs: number };
  /** Decides again without an entry for a yes: whether the visit is still good. */
  mayStay: (asked: Asked & { cookie: string; label: string }) => Promise<void>;
  connect: (sandboxId: string, port: number) => Promise<Duplex>;
  /** Counts as work of the sandbox. */
  touch: (sandboxId: string) => void;
  /** A link to the page of a run for this visitor. */
  runLink: (visitor: Visitor, requestId: string, runId: string) => Promise<string>;
  /** The same for an experiment. */
  experimentLink: (visitor: Visitor, requestId: string, experimentId: string) => Promise<string>;
};

/** Between pages one decision holds for so long. */
const DECIDED_MS = 60_000;
const LOOK_EVERY_MS = 15_000;
const MOST_REMEMBERED = 10_000;

type Decided = { atMs: number; allowed: Promise<void> };
type Open = { asked: Asked & { cookie: string; label: string }; end: () => void };

export function createPortSite(deps: PortSiteDeps) {
  const decided = new Map<string, Decided>();
  const agents = new Map<string, { sandboxId: string; agent: PortAgent }>();
  const open = new Set<Open>();

  const askedBy = (site: PortAddress, visitor: Visitor, requestId: string, step: Step): Asked => ({
    identity: visitor.identity,
    requestId,
    sandboxId: site.sandboxId,
    port: site.port,
    step,
  });
  /** A page is decided anew with its own entry; what a page then loads shares a decision of at most a minute. */
  const decide = async (site: PortAddress, visitor: Visitor, requestId: string, isPage: boolean) => {
    const nowMs = deps.clock.nowMs();
    const known = decided.get(visitor.cookie);
    if (known !== undefined && !isPage && nowMs - known.atMs < DECIDED_MS) return known.allowed;
    if (decided.size >= MOST_REMEMBERED) decided.clear();
    const allowed = deps.enter(askedBy(site, visitor, requestId, 'page'));
    decided.set(visitor.cookie, { atMs: nowMs, allowed });
    allowed.catch(() => decided.delete(visitor.cookie));
    return allowed;
  };
  const agentOf = (site: PortAddress): PortAgent => {
    const known = agents.get(site.label);
    if (known !== undefined) return known.agent;
    const agent = new PortAgent(() => deps.connect(site.sandboxId, site.port));
    agents.set(site.label, { sandboxId: site.sandboxId, agent });
    return agent;
  };
  /** What lasts is looked at again and again: it ends with the visit, the right and the sandbox. */
  const watching = async (one: Open, work: () => Promise<void>): Promise<void> => {
    open.add(one);
    try {
      await work();
    } finally {
      open.delete(one);
    }
  };
  const look = (): void => {
    for (const one of [...open]) deps.mayStay(one.asked).catch(() => one.end());
  };
  const timer = setInterval(look, LOOK_EVERY_MS).unref();

  return {
    request: async (
      site: PortAddress,
      visitor: Visitor,
      raw: { request: IncomingMessage; response: ServerResponse },
      requestId: string,
    ): Promise<void> => {
      const { request, response } = raw;
      const isPage = request.headers['sec-fetch-dest'] === 'document';
      await decide(site, visitor, requestId, isPage);
      const path = request.url ?? '/';
      if (path.startsWith('/.fumehood/')) return own(site, visitor, raw, requestId);
      if (isPage || (request.method !== 'GET' && request.method !== 'HEAD')) deps.touch(site.sandboxId);
      const asked = { ...askedBy(site, visitor, requestId, 'page'), cookie: visitor.cookie, label: site.label };
      await watching({ asked, end: () => void response.destroy() }, () =>
        forwardRequest({ request, response, site, agent: agentOf(site) }),
      );
    },
    upgrade: async (
      site: PortAddress,
      visitor: Visitor,
      raw: { request: IncomingMessage; socket: Duplex; head: Buffer },
      requestId: string,
    ): Promise<void> => {
      const asked = askedBy(site, visitor, requestId, 'websocket');
      await deps.enter(asked);
      const one = {
        asked: { ...asked, cookie: visitor.cookie, label: site.label },
        end: () => void raw.socket.destroy(),
      };
      await watching(one, () =>
        forwardUpgrade({ ...raw, site, connect: () => deps.connect(site.sandboxId, site.port) }),
      );
    },
    /** A sandbox has ended: what is open to it is cut. */
    endSandbox: (sandboxId: string): void => {
      for (const [label, one] of agents) {
        if (one.sandboxId !== sandboxId) continue;
        one.agent.destroy();
        agents.delete(label);
      }
      for (const one of open) if (one.asked.sandboxId === sandboxId) one.end();
    },
    close: (): void => {
      clearInterval(timer);
      for (const { agent } of agents.values()) agent.destroy();
      for (const one of open) one.end();
    },
  };

  /** `/.fumehood/sandbox`: when this sandbox ends. `/.fumehood/runs/<id>`, `/.fumehood/experiments/<id>`: on to their pages. */
  async function own(
    site: PortAddress,
    visitor: Visitor,
    { request, response }: { request: IncomingMessage; response: ServerResponse },
    requestId: string,
  ): Promise<void> {
    const path = request.url ?? '';
    const [, of, id] = /^\/\.fumehood\/(runs|experiments)\/([0-9a-zA-Z]{1,64})$/.exec(path) ?? [];
    if (request.method === 'GET' && id !== undefined) {
      response.writeHead(303, {
        location: await (of === 'runs' ? deps.runLink : deps.experimentLink)(visitor, requestId, id),
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'content-length': 0,
      });
      response.end();
      return;
    }
    if (request.method !== 'GET' || path !== '/.fumehood/sandbox')
      throw new AppError('not_found', 'Fumehood has no such page here.');
    const { name, expiresMs } = deps.about(site.sandboxId);
    const body = JSON.stringify({
      id: site.sandboxId,
      name,
      now: new Date(deps.clock.nowMs()).toISOString(),
      expiresAt: new Date(expiresMs).toISOString(),
    });
    response.writeHead(200, {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-length': Buffer.byteLength(body),
    });
    response.end(body);
  }
}

export type PortSite = ReturnType<typeof createPortSite>;
