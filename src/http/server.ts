import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '#kernel/clock.ts';
import { AppError, toAppError } from '#kernel/errors.ts';
import type { Ids } from '#kernel/ids.ts';
import type { Log } from '#kernel/log.ts';
import type { Database } from '#kernel/sql.ts';
import type { Gateway, Identity } from '#src/gateway/crossing.ts';
import { closeUnread, isAnswerable, keepAnswerable } from '#src/gateway/unread-body.ts';
import type { WatchRequest } from '#src/telemetry/watch-requests.ts';
import { createIdempotency } from './idempotency.ts';
import { openApiOf } from './openapi.ts';
import { sendProblem } from './problem.ts';
import { bearerOf, DOOR, refusing, requestIdOf } from './request-context.ts';
import { guardRequest, requireSafeListener } from './request-guard.ts';
import type { Route } from './route.ts';
import { createRouter } from './router.ts';
import { serveRequest } from './serve-request.ts';
import { createUpgrade } from './serve-websocket.ts';
import type { CrossingWatch } from './watch-crossings.ts';
import type { WebSocketRoute } from './websocket-route.ts';

export type ApiDeps = {
  routes: readonly Route[];
  webSocketRoutes?: readonly WebSocketRoute[];
  gateway: Pick<Gateway, 'cross' | 'refuse'>;
  /** From `watchCrossings`, whose gateway everything that handlers call must use. */
  crossings: CrossingWatch;
  /** Who a bearer token stands for; throws `unauthenticated` for none and for a wrong one. */
  authenticate: (bearer: string | undefined) => Promise<Identity>;
  database: Database;
  clock: Clock;
  ids: Ids;
  log: Log;
  version: string;
  /** What is answered without a token, by path. */
  open?: Readonly<Record<string, () => Promise<OpenAnswer>>>;
  /** Sees every request and every stream from its head to its end. */
  watch?: WatchRequest;
  /** Serves what comes under another name than the API's. */
  sites?: ByHost;
};

/** What has a Host name of its own on the API's listener: all that it claims is its, refusals too. */
export type ByHost = {
  claims(request: IncomingMessage): boolean;
  request(request: IncomingMessage, response: ServerResponse, tls: boolean): Promise<void>;
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, tls: boolean): Promise<void>;
  close(): void;
};

export type OpenAnswer = { status: number; type: string; body: string };

export type ListenOptions = {
  host: string;
  /** 0 takes a free port. */
  port: number;
  tls?: { cert: string | Buffer; key: string | Buffer };
  /** Names besides loopback under which this server is reached. */
  hosts?: readonly string[];
};

export type Api = {
  /** Starts to serve; throws `invalid` for a network address without TLS and `conflict` for a port that is taken. */
  listen(options: ListenOptions): Promise<{ url: string; port: number }>;
  /** Serves new connections with another certificate. */
  renewTls(tls: { cert: string | Buffer; key: string | Buffer }): void;
  /** Stops to accept, lets requests in flight end within the grace time (5 s), then cuts what is left. */
  close(options?: { graceMs?: number }): Promise<void>;
  /** The OpenAPI 3.1 document of all routes. */
  openapi(): Record<string, unknown>;
};

/** The REST API over a table of routes: authenticate, parse, cross, answer; errors as problem+json. */
export function createApi(deps: ApiDeps): Api {
  const handle = createHandler(deps);
  const upgrade = createUpgrade(deps);
  let server: ReturnType<typeof createServer> | undefined;
  return {
    openapi: () => openApiOf(deps),
    listen: async (options) => {
      const guard = { hosts: [options.host, ...(options.hosts ?? [])], tls: options.tls !== undefined };
      requireSafeListener({ host: options.host, tls: guard.tls });
      const settings = { headersTimeout: 20_000, requestTimeout: 0, keepAliveTimeout: 65_000, noDelay: true };
      const made =
        options.tls === undefined ? createServer(settings) : createTlsServer({ ...settings, ...options.tls });
      made.on('request', (request: IncomingMessage, response: ServerResponse) => {
        if (!isAnswerable(request)) return;
        if (deps.sites?.claims(request) === true) void deps.sites.request(request, response, guard.tls);
        else void handle(request, response, guard);
      });
      made.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        if (deps.sites?.claims(request) === true) void deps.sites.upgrade(request, socket, head, guard.tls);
        else void upgrade.serve(request, socket, head, guard);
      });
      await listening(made, options);
      server = made;
      const { port } = made.address() as AddressInfo;
      const host = options.host.includes(':') ? `[${options.host.replace(/[[\]]/g, '')}]` : options.host;
      return { url: `${guard.tls ? 'https' : 'http'}://${host}:${port}`, port };
    },
    renewTls: (tls) => {
      if (server instanceof TlsServer) server.setSecureContext(tls);
    },
    close: async ({ graceMs = 5000 } = {}) => {
      const closing = server;
      server = undefined;
      if (closing === undefined) return;
      upgrade.close();
      deps.sites?.close();
      const closed = new Promise<void>((resolve) => closing.close(() => resolve()));
      closing.closeIdleConnections();
      const timer = setTimeout(() => closing.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(timer);
    },
  };
}

function listening(server: ReturnType<typeof createServer>, options: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(
        new AppError(
          taken ? 'conflict' : 'invalid',
          taken
            ? `Port ${options.port} on ${options.host} is taken.`
            : `Cannot listen on ${options.host}:${options.port} (${error.code ?? error.message}).`,
          {
            details: { field: 'listen', hint: 'Choose another address: fumehood up --listen 127.0.0.1:PORT.' },
            cause: error,
          },
        ),
      );
    });
    server.listen({ host: options.host.replace(/[[\]]/g, ''), port: options.port }, resolve);
  });
}

type Guard = { hosts: readonly string[]; tls: boolean };

/** Serves one HTTP request; never throws. */
function createHandler(
  deps: ApiDeps,
): (request: IncomingMessage, response: ServerResponse, guard: Guard) => Promise<void> {
  const router = createRouter(deps.routes);
  const idempotency = createIdempotency(deps);
  let document: string | undefined;

  type Seen = { route: string | undefined };
  const serve = async (
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
    seen: Seen,
  ): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://fumehood.invalid');
    const method = request.method ?? 'GET';
    const open = method === 'GET' ? deps.open?.[url.pathname] : undefined;
    if (method === 'GET' && (open !== undefined || OPEN_PATHS.has(url.pathname))) seen.route = url.pathname;
    if (open !== undefined) return sendOpen(response, await open());
    if (method === 'GET' && url.pathname === '/healthz') return json(response, { status: 'ok', version: deps.version });
    if (method === 'GET' && url.pathname === '/api/v1/openapi.json') {
      document ??= JSON.stringify(openApiOf(deps));
      return json(response, document);
    }
    const refuse = refusing(deps, requestId, `${method} ${url.pathname}`);
    const identity = await deps.authenticate(bearerOf(request)).catch((thrown) => refuse(thrown, 'api.authenticate'));
    const match = router(method, url.pathname);
    if (match.kind === 'unknown') {
      const error = new AppError('not_found', `There is no route ${method} ${url.pathname}.`, {
        details: { hint: 'See /api/v1/openapi.json for the routes that exist.' },
      });
      return refuse(error, 'api.route', identity);
    }
    if (match.kind === 'wrong-method') {
      response.setHeader('allow', match.allowed.join(', '));
      const error = new AppError('method_not_allowed', `${url.pathname} takes ${match.allowed.join(', ')}.`);
      return refuse(error, 'api.route', identity);
    }
    seen.route = match.row.path;
    const arrived = { request, response, url, route: match.row, pathParams: match.params, identity, requestId };
    await serveRequest({ gateway: deps.gateway, crossings: deps.crossings, idempotency, refuse }, arrived);
  };

  return async (request, response, guard) => {
    const requestId = requestIdOf(request, deps.ids);
    keepAnswerable(request);
    response.setHeader('x-request-id', requestId);
    response.setHeader('cache-control', 'no-store');
    response.setHeader('x-content-type-options', 'nosniff');
    const unfollow = deps.crossings.follow(requestId);
    const seen: Seen = { route: undefined };
    const watched = deps.watch?.({ door: DOOR, request, requestId });
    response.once('close', () => watched?.end({ status: response.statusCode, route: seen.route }));
    const work = (): Promise<void> => serve(request, response, requestId, seen);
    try {
      guardRequest(request, guard);
      await (watched === undefined ? work() : watched.within(work));
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === 'internal')
        deps.log('error', 'request failed', { requestId, method: request.method, error: error.cause ?? error });
      closeUnread(request, response);
      sendProblem(response, error, requestId);
    } finally {
      unfollow();
    }
  };
}

/** What has no row in the table of routes. */
const OPEN_PATHS: ReadonlySet<string> = new Set(['/healthz', '/api/v1/openapi.json']);

function sendOpen(response: ServerResponse, { status, type, body }: OpenAnswer): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json');
  response.end(typeof value === 'string' ? value : JSON.stringify(value));
}
