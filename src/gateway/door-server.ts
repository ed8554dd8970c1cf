/** One HTTP server a door: it serves the connections that it is given, each with its peer attached before a byte is read. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Ids } from '#kernel/ids.ts';
import type { Log } from '#kernel/log.ts';
import type { WatchRequest } from '#src/telemetry/watch-requests.ts';
import { type BodyBudget, createBodyBudget } from './body-budget.ts';
import type { Door, Exchange, Peer } from './door.ts';
import { ListShim } from './list-shim.ts';
import { closeUnread, hasBody, isAnswerable, keepAnswerable } from './unread-body.ts';

export type DoorLimits = {
  /** Bytes of a request line with its headers. */
  maxHeaderBytes: number;
  /** Time for the headers of a request to arrive. */
  headersTimeoutMs: number;
  /** Time for which a connection may be silent, in either direction. */
  idleTimeoutMs: number;
  /** Time for which a body may be silent. */
  bodyTimeoutMs: number;
  /** Time for which a connection may wait for its next request. */
  keepAliveTimeoutMs: number;
};

export const DOOR_LIMITS: DoorLimits = {
  maxHeaderBytes: 32 * 1024,
  headersTimeoutMs: 20_000,
  idleTimeoutMs: 300_000,
  bodyTimeoutMs: 60_000,
  keepAliveTimeoutMs: 75_000,
};

export type DoorServerDeps = {
  door: Door;
  log: Log;
  ids: Ids;
  limits?: Partial<DoorLimits>;
  /** Shared by all doors. */
  budget?: BodyBudget;
  /** Sees every request from its head to its end. */
  watch?: WatchRequest;
};

export type DoorServer = {
  /** Serves one connection for this peer until either side closes it. */
  serve(socket: Duplex, peer: Peer): void;
  close(): void;
};

/** Builds a door's server. It listens nowhere itself. */
export function createDoorServer(deps: DoorServerDeps): DoorServer {
  const { door } = deps;
  const limits = { ...DOOR_LIMITS, ...deps.limits };
  const budget = deps.budget ?? createBodyBudget();
  const peers = new WeakMap<Duplex, Peer>();
  const server: Server = createServer({
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    // Large uploads take their time; a body that stalls ends with the idle time.
    requestTimeout: 0,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(5_000, limits.headersTimeoutMs),
  });
  server.timeout = limits.idleTimeoutMs;
  // Node starts to look for slow requests when a server listens; this one is given its connections instead.
  server.emit('listening');

  const fail = (requestId: string, error: unknown): void =>
    deps.log('error', 'a door failed', { door: door.id, requestId, error });

  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const peer = peers.get(request.socket);
    if (peer === undefined) return void request.socket.destroy();
    if (!isAnswerable(request)) return;
    const requestId = deps.ids.next('req');
    response.setHeader('x-request-id', requestId);
    // A broken connection is seen by whoever reads or writes; without a listener it would end the process.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    keepAnswerable(request);
    if (door.listVerb === true && request.method === 'LINK') request.method = 'LIST';
    if (Number(request.headers['content-length'] ?? 0) > (door.maxBodyBytes ?? Number.POSITIVE_INFINITY)) {
      closeUnread(request, response);
      return answer(response, 413, 'too_large', `The body is larger than ${door.maxBodyBytes} bytes.`, requestId);
    }
    const { hold, release } = budget.open(peer);
    const exchange: Exchange = { request, response, peer, requestId, hold };
    response.once('close', release);
    boundBody(request, limits);
    const watched = deps.watch?.(arrivalOf(door, exchange));
    response.once('close', () => watched?.end({ status: response.statusCode, route: exchange.route }));
    const handle = (): Promise<void> => door.handle(exchange);
    serveSafely(
      () => (watched === undefined ? handle() : watched.within(handle)),
      (error) => {
        fail(requestId, error);
        if (response.headersSent) response.destroy();
        else {
          closeUnread(request, response);
          answer(response, 500, 'internal', 'Something went wrong inside Fumehood.', requestId);
        }
      },
    );
  });

  server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const peer = peers.get(socket);
    const requestId = deps.ids.next('req');
    socket.on('error', () => undefined);
    if (peer === undefined) return void socket.destroy();
    if (door.connect === undefined) {
      return endRaw(socket, '405 Method Not Allowed', requestId);
    }
    const { connect } = door;
    const watched = deps.watch?.(arrivalOf(door, { request, peer, requestId }));
    socket.once('close', () => watched?.end({ status: 200, route: 'CONNECT' }));
    const handle = (): Promise<void> => connect({ request, socket, head, peer, requestId });
    serveSafely(
      () => (watched === undefined ? handle() : watched.within(handle)),
      (error) => {
        fail(requestId, error);
        socket.destroy();
      },
    );
  });

  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
    const status = CLIENT_ERRORS[error.code ?? ''] ?? '400 Bad Request';
    endRaw(socket, status, deps.ids.next('req'));
  });

  return {
    serve: (socket, peer) => {
      const connection = door.listVerb === true ? new ListShim(socket) : socket;
      connection.on('error', () => undefined);
      peers.set(connection, peer);
      server.emit('connection', connection);
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A body that stalls ends sooner than a connection that waits. */
function boundBody(request: IncomingMessage, limits: DoorLimits): void {
  if (!hasBody(request) || limits.bodyTimeoutMs >= limits.idleTimeoutMs) return;
  request.socket.setTimeout(limits.bodyTimeoutMs);
  request.once('end', () => request.socket.setTimeout(limits.idleTimeoutMs));
}

const CLIENT_ERRORS: Record<string, string> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

const arrivalOf = (door: Door, { request, peer, requestId }: Pick<Exchange, 'request' | 'peer' | 'requestId'>) => ({
  door: door.id,
  request,
  requestId,
  ...(peer.kind === 'sandbox' ? { sandboxId: peer.sandboxId } : {}),
});

/** Runs a handler; whatever it throws, now or later, goes to `onError`. */
function serveSafely(handle: () => Promise<void>, onError: (error: unknown) => void): void {
  new Promise<void>((resolve) => resolve(handle())).catch(onError);
}

function answer(response: ServerResponse, status: number, code: string, message: string, requestId: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: { code, message, requestId } }));
}

function endRaw(socket: Duplex, status: string, requestId: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nx-request-id: ${requestId}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
}
