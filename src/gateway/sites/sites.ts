/**
 * Everything that is served under another name than the API's: a browser is admitted by a one-time ticket, known again by its cookie, and what
 * it asks for is decided. Nothing falls through to the API, and nothing of the API is here.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '#kernel/clock.ts';
import { AppError, toAppError } from '#kernel/errors.ts';
import type { Ids } from '#kernel/ids.ts';
import type { Log } from '#kernel/log.ts';
import type { Gateway, Identity } from '#src/gateway/crossing.ts';
import { VisitRefused, type Visits } from '#src/identity/visits.ts';
import type { WatchRequest } from '#src/telemetry/watch-requests.ts';
import type { PortSite, Visitor } from './port-site.ts';
import type { Site, SiteAddresses } from './site-address.ts';
import { visitCookie, visitCookies } from './site-cookie.ts';
import { guardSite } from './site-guard.ts';
import { refuseSocket, sendEntered, sendSiteError } from './site-page.ts';

export type SitesDeps = {
  addresses: SiteAddresses;
  visits: Visits;
  /** Admits the bearer of a ticket in one decision with its entry; gives the cookie and when it ends. */
  admit: (asked: { site: Site; identity: Identity; requestId: string; ticket: string }) => Promise<{
    cookie: string;
    expiresMs: number;
  }>;
  ports: PortSite;
  /** Serves the pages of runs. */
  runs: (
    visitor: Visitor,
    raw: { request: IncomingMessage; response: ServerResponse },
    requestId: string,
  ) => Promise<void>;
  gateway: Pick<Gateway, 'refuse'>;
  clock: Clock;
  ids: Ids;
  log: Log;
  watch: WatchRequest;
};

/** The part of the listener that serves by Host name; `tls` says how the connection came. */
export type Sites = {
  claims(request: IncomingMessage): boolean;
  request(request: IncomingMessage, response: ServerResponse, tls: boolean): Promise<void>;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, tls: boolean): Promise<void>;
  close(): void;
};

export const ENTRY_PATH = '/.fumehood/open';

export function createSites(deps: SitesDeps): Sites {
  /** Says no with an audit entry, and throws the error on. */
  const refuse = async (thrown: unknown, request: IncomingMessage, requestId: string): Promise<never> => {
    const error = toAppError(thrown);
    const identity = thrown instanceof VisitRefused ? thrown.identity : undefined;
    const path = (request.url ?? '').split('?')[0] ?? '';
    await deps.gateway.refuse({
      ...(identity === undefined ? {} : { identity }),
      door: 'port',
      requestId,
      action: 'port.open',
      object: { kind: 'site', id: `${request.headers.host ?? ''}${path}`.slice(0, 256) },
      error,
    });
    throw error;
  };

  /** The browser's visit to this site. */
  const visitorOf = async (request: IncomingMessage, site: Site, tls: boolean): Promise<Visitor> => {
    const cookies = visitCookies(request, tls);
    let last: unknown = new AppError('unauthenticated', 'This browser was not let in here.', {
      details: { hint: HINT },
    });
    for (const cookie of cookies) {
      try {
        return { ...(await deps.visits.check(cookie, site.label)), cookie };
      } catch (thrown) {
        last = thrown;
      }
    }
    throw site.kind === 'runs' ? forRuns(last, request) : last;
  };

  const enter = async (
    request: IncomingMessage,
    response: ServerResponse,
    site: Site,
    requestId: string,
    tls: boolean,
  ) => {
    const ticket = new URL(request.url ?? '/', site.origin).searchParams.get('ticket') ?? '';
    const found = await deps.visits.find(ticket, site.label).catch((thrown) => refuse(thrown, request, requestId));
    const { cookie, expiresMs } = await deps.admit({ site, identity: found.identity, requestId, ticket });
    const maxAgeMs = expiresMs - deps.clock.nowMs();
    sendEntered(response, found.ticket.path, visitCookie(cookie, { tls, maxAgeMs }));
  };

  const arrive = async (request: IncomingMessage, requestId: string, upgrade: boolean): Promise<Site> => {
    try {
      const site = deps.addresses.siteOf(request);
      guardSite(request, site, { upgrade });
      return site;
    } catch (thrown) {
      return refuse(thrown, request, requestId);
    }
  };

  const serve = async (request: IncomingMessage, response: ServerResponse, requestId: string, tls: boolean) => {
    const site = await arrive(request, requestId, false);
    const path = (request.url ?? '/').split('?')[0];
    if (path === ENTRY_PATH && request.method === 'GET') return enter(request, response, site, requestId, tls);
    const visitor = await visitorOf(request, site, tls).catch((thrown) => refuse(thrown, request, requestId));
    if (site.kind === 'runs') return deps.runs(visitor, { request, response }, requestId);
    return deps.ports.request(site, visitor, { request, response }, requestId);
  };

  const failed = (what: string, thrown: unknown, requestId: string): AppError => {
    const error = toAppError(thrown);
    if (error.code === 'internal') deps.log('error', what, { requestId, error: error.cause ?? error });
    return error;
  };

  return {
    claims: deps.addresses.claims,
    request: async (request, response, tls) => {
      const requestId = deps.ids.next('req');
      request.on('error', () => undefined);
      response.on('error', () => undefined);
      const watched = deps.watch({ door: 'port', request, requestId });
      response.once('close', () => watched.end({ status: response.statusCode, route: 'site' }));
      const work = () => serve(request, response, requestId, tls);
      await watched
        .within(work)
        .catch((thrown) =>
          sendSiteError(request, response, failed('a request to a site failed', thrown, requestId), requestId),
        );
    },
    upgrade: async (request, socket, head, tls) => {
      const requestId = deps.ids.next('req');
      socket.on('error', () => socket.destroy());
      const watched = deps.watch({ door: 'port', request, requestId });
      socket.once('close', () => watched.end({ status: 101, route: 'site' }));
      try {
        const site = await arrive(request, requestId, true);
        const visitor = await visitorOf(request, site, tls).catch((thrown) => refuse(thrown, request, requestId));
        if (site.kind !== 'port') return await refuse(noSockets(), request, requestId);
        await deps.ports.upgrade(site, visitor, { request, socket, head }, requestId);
      } catch (thrown) {
        const error = failed('a WebSocket to a site failed', thrown, requestId);
        watched.end({ status: error.status, route: 'site' });
        refuseSocket(socket, error, requestId);
      }
    },
    close: deps.ports.close,
  };
}

/** Why a browser is not let in to the pages of runs, with the command that lets it in. */
function forRuns(thrown: unknown, request: IncomingMessage): unknown {
  if (!(thrown instanceof AppError) || thrown.code !== 'unauthenticated') return thrown;
  const [, runId = 'ID'] = /^\/([0-9a-zA-Z]{1,64})$/.exec(request.url ?? '') ?? [];
  const identity = thrown instanceof VisitRefused ? thrown.identity : undefined;
  return new VisitRefused(thrown.message, identity, `Open it with "fumehood run open ${runId}".`);
}

const HINT = 'Open it with "fumehood sandbox open ID", which prints a link for one browser.';
const noSockets = (): AppError => new AppError('not_found', 'There is no WebSocket here.');
