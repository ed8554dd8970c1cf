import type { IncomingMessage } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { AppError, toAppError } from '#kernel/errors.ts';
import type { Ids } from '#kernel/ids.ts';
import type { Log } from '#kernel/log.ts';
import type { Gateway, Identity } from '#src/gateway/crossing.ts';
import type { WatchRequest } from '#src/telemetry/watch-requests.ts';
import { type ExecChannel, openChannel } from './exec-stream.ts';
import { parsePart, queryObject } from './parse-request.ts';
import { problemOf } from './problem.ts';
import { bearerOf, DOOR, refusing, requestIdOf } from './request-context.ts';
import { guardRequest } from './request-guard.ts';
import { createRouter } from './router.ts';
import { crossOf } from './serve-request.ts';
import type { CrossingWatch } from './watch-crossings.ts';
import type { WebSocketRoute } from './websocket-route.ts';

const START_TIMEOUT_MS = 10_000;
const LARGEST_MESSAGE_BYTES = 1024 * 1024 + 16;

type UpgradeDeps = {
  webSocketRoutes?: readonly WebSocketRoute[];
  gateway: Pick<Gateway, 'cross' | 'refuse'>;
  crossings: CrossingWatch;
  authenticate: (bearer: string | undefined) => Promise<Identity>;
  ids: Ids;
  log: Log;
  watch?: WatchRequest;
};

/** Serves the routes that become streams: refused with problem+json before the upgrade, with an `error` frame after it. */
export function createUpgrade(deps: UpgradeDeps) {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: LARGEST_MESSAGE_BYTES, perMessageDeflate: false });
  const router = createRouter(deps.webSocketRoutes ?? []);

  const arrive = async (request: IncomingMessage, requestId: string) => {
    const url = new URL(request.url ?? '/', 'http://fumehood.invalid');
    const refuse = refusing(deps, requestId, `GET ${url.pathname}`);
    const identity = await deps.authenticate(bearerOf(request)).catch((thrown) => refuse(thrown, 'api.authenticate'));
    const match = router(request.method ?? 'GET', url.pathname);
    if (match.kind !== 'found') {
      const error = new AppError('not_found', `There is no stream at ${url.pathname}.`, {
        details: { hint: 'See /api/v1/openapi.json for the routes that exist.' },
      });
      return refuse(error, 'api.route', identity);
    }
    const route = match.row;
    try {
      const params = parsePart('path', route.params, route.params === undefined ? {} : match.params);
      const query = parsePart('query', route.query, queryObject(url.searchParams));
      return { route, params, query, identity, refuse };
    } catch (thrown) {
      return refuse(thrown, route.action, identity);
    }
  };
  type Arrived = Awaited<ReturnType<typeof arrive>>;

  const run = async (socket: WebSocket, arrived: Arrived, requestId: string): Promise<void> => {
    const { route, params, query, identity } = arrived;
    const channel = openChannel(socket);
    const gone = new AbortController();
    void channel.closed.then(() => gone.abort());
    const unfollow = deps.crossings.follow(requestId);
    const cross = crossOf(deps.gateway, { identity, requestId, action: route.action });
    try {
      const first = await firstFrame(channel);
      const start = await parseStart(route, first).catch((thrown) => arrived.refuse(thrown, route.action, identity));
      await route.handle({ params, query, start, identity, requestId, cross, signal: gone.signal, channel });
      if (!deps.crossings.crossed(requestId)) throw new Error(`${route.path} ended without a crossing`);
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === 'internal')
        deps.log('error', 'stream failed', { requestId, path: route.path, error: error.cause ?? error });
      const { code, detail: message, hint, decisionId } = problemOf(error, requestId);
      channel.control({
        type: 'error',
        error: { code: code as AppError['code'], message, hint, requestId, ...(decisionId ? { decisionId } : {}) },
      });
    } finally {
      unfollow();
      channel.close();
    }
  };

  return {
    serve: async (
      request: IncomingMessage,
      socket: Duplex,
      head: Buffer,
      guard: { hosts: readonly string[]; tls: boolean },
    ): Promise<void> => {
      const requestId = requestIdOf(request, deps.ids);
      const watched = deps.watch?.({ door: DOOR, request, requestId });
      const seen: { status: number; route: string | undefined } = { status: 101, route: undefined };
      socket.once('close', () => watched?.end(seen));
      socket.on('error', () => socket.destroy());
      const within = (work: () => Promise<void>): Promise<void> =>
        watched === undefined ? work() : watched.within(work);
      try {
        guardRequest(request, guard);
        const arrived = await arrive(request, requestId);
        seen.route = arrived.route.path;
        sockets.handleUpgrade(request, socket, head, (open) => void within(() => run(open, arrived, requestId)));
      } catch (thrown) {
        seen.status = toAppError(thrown).status;
        const error = toAppError(thrown);
        if (error.code === 'internal') deps.log('error', 'upgrade failed', { requestId, error: error.cause ?? error });
        refuseUpgrade(socket, error, requestId);
      }
    },
    /** Tells every client that the server goes away. */
    close: (): void => {
      for (const client of sockets.clients) client.close(1001, 'the control plane stops');
    },
  };
}

async function parseStart(route: WebSocketRoute, frame: unknown): Promise<unknown> {
  return parsePart('body', route.start, frame);
}

function firstFrame(channel: ExecChannel): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new AppError('timeout', 'The first frame did not arrive.')),
      START_TIMEOUT_MS,
    );
    channel.onControl((message) => {
      clearTimeout(timer);
      if (message.type === 'start') resolve(message.start);
      else reject(new AppError('invalid', 'The first frame must be of type "start".'));
    });
    void channel.closed.then(() => {
      clearTimeout(timer);
      reject(new AppError('unavailable', 'The client went away.'));
    });
  });
}

function refuseUpgrade(socket: Duplex, error: AppError, requestId: string): void {
  const body = JSON.stringify(problemOf(error, requestId));
  socket.end(
    [
      `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ''}`,
      'Connection: close',
      'Content-Type: application/problem+json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Request-Id: ${requestId}`,
      '',
      body,
    ].join('\r\n'),
  );
}
