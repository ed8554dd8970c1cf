/** The egress proxy: the only way from a sandbox to a host outside, and only to hosts that it was granted. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { AppError, toAppError } from '#kernel/errors.ts';
import type { Identity } from '#src/gateway/crossing.ts';
import type { Door, Exchange, Peer } from '#src/gateway/door.ts';
import { authorityOf, parseAuthority, type Target } from './authority.ts';
import { dialAddresses, dialOne } from './dial.ts';
import { EGRESS_DEFAULTS, type EgressDeps } from './egress-deps.ts';
import { forwardHttp, parseForward } from './forward-http.ts';
import { closeEgress, type EgressRequest, openEgress } from './open-egress.ts';
import { relay } from './relay.ts';
import { createTunnels, type Tunnel, type Tunnels } from './tunnels.ts';
import { dialThrough, parseUpstreamProxy, type UpstreamProxy } from './upstream-proxy.ts';

const DOOR = 'egress';
const ACTION = 'egress.connect';

export type EgressDoor = Door & {
  /** Ends every open connection of a sandbox: it stopped, or it gathered a label. */
  closeTunnels(sandboxId: string): void;
};

type Parts = {
  deps: EgressDeps;
  tunnels: Tunnels;
  upstreamProxy: UpstreamProxy | undefined;
  settings: typeof EGRESS_DEFAULTS;
};

/** Builds the proxy. Throws `invalid` when its configuration is wrong. */
export function createEgressDoor(deps: EgressDeps): EgressDoor {
  const settings = { ...EGRESS_DEFAULTS, ...deps.config };
  const { upstreamProxy } = deps.config ?? {};
  const parts: Parts = {
    deps,
    settings,
    tunnels: createTunnels({ maxPerSandbox: settings.maxTunnelsPerSandbox }),
    upstreamProxy: upstreamProxy === undefined ? undefined : parseUpstreamProxy(upstreamProxy),
  };
  return {
    id: DOOR,
    port: 3128,
    routes: [
      { method: 'CONNECT', path: '*target', action: ACTION },
      { method: '*', path: 'http://*target', action: ACTION },
    ],
    handle: (exchange) => serveHttp(parts, exchange),
    connect: (exchange) => serveConnect(parts, exchange),
    closeTunnels: (sandboxId) => parts.tunnels.closeAll(sandboxId),
  };
}

async function serveConnect(
  parts: Parts,
  exchange: { request: { url?: string | undefined }; socket: Duplex; head: Buffer; peer: Peer; requestId: string },
): Promise<void> {
  const { socket, head, peer, requestId } = exchange;
  const { deps, settings } = parts;
  socket.pause();
  if (head.length > 0) socket.unshift(head);
  try {
    const opened = await open(parts, {
      peer,
      requestId,
      how: 'connect',
      parse: () => parseAuthority(exchange.request.url ?? ''),
    });
    const { request, tunnel, addresses } = opened;
    await finish(parts, opened, async (startedMs) => {
      const upstream = await dial(parts, request.target, addresses);
      tunnel.holds(upstream);
      socket.write(`HTTP/1.1 200 Connection Established\r\nx-request-id: ${requestId}\r\n\r\n`);
      tunnel.holds(socket);
      const { idleTimeoutMs, helloTimeoutMs } = settings;
      const end = await relay({ client: socket, upstream, target: request.target, idleTimeoutMs, helloTimeoutMs });
      const reason = tunnel.closed ? 'closed by the gateway' : end.reason;
      return { ...end, reason, startedMs };
    });
  } catch (thrown) {
    const error = toAppError(thrown);
    report(deps, error, requestId);
    const { status, headers, body } = renderError(error, requestId);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    if (socket.writable) socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join('')}connection: close\r\n\r\n${body}`);
    socket.resume();
  }
}

async function serveHttp(parts: Parts, exchange: Exchange): Promise<void> {
  const { deps } = parts;
  const { request: incoming, response, peer, requestId } = exchange;
  exchange.route = 'http://';
  try {
    let path = '/';
    const parse = (): Target => {
      const forward = parseForward(incoming);
      path = forward.path;
      return forward.target;
    };
    const opened = await open(parts, { peer, requestId, how: 'http', parse });
    const { request, tunnel, addresses } = opened;
    await finish(parts, opened, async (startedMs) => {
      const { target } = request;
      const proxy = parts.upstreamProxy;
      const socket =
        proxy === undefined
          ? await dial(parts, target, addresses)
          : await dialOne(proxy.host, proxy.port, parts.settings.dialTimeoutMs);
      tunnel.holds(socket);
      socket.setTimeout(parts.settings.idleTimeoutMs, () => socket.destroy());
      const onward = proxy === undefined ? path : `http://${authorityOf(target)}${path}`;
      const extraHeaders = proxy?.authorization === undefined ? [] : ['Proxy-Authorization', proxy.authorization];
      let reason = 'ended';
      try {
        await forwardHttp({ request: incoming, response, socket, path: onward, extraHeaders });
      } catch (error) {
        if (!response.headersSent) throw error;
        reason = tunnel.closed ? 'closed by the gateway' : 'broken';
        response.destroy();
      } finally {
        socket.destroy();
      }
      return { bytesOut: socket.bytesWritten, bytesIn: socket.bytesRead, reason, outcome: 'ok', startedMs };
    });
  } catch (thrown) {
    const error = toAppError(thrown);
    report(deps, error, requestId);
    if (response.headersSent) return void response.destroy();
    const { status, headers, body } = renderError(error, requestId);
    response.writeHead(status, headers).end(body);
  }
}

type Opened = { request: EgressRequest; tunnel: Tunnel; addresses: string[] };

/** Who asks, where to, and whether: what is refused before policy can be asked is audited here. */
async function open(
  parts: Parts,
  asked: { peer: Peer; requestId: string; how: EgressRequest['how']; parse: () => Target },
): Promise<Opened> {
  const { deps } = parts;
  const { peer, requestId, how } = asked;
  let identity: Identity | undefined;
  let target: Target;
  let tunnel: Tunnel;
  try {
    if (peer.kind !== 'sandbox') throw new AppError('denied', 'The egress proxy serves sandboxes only.');
    identity = await deps.identify(peer, undefined);
    target = asked.parse();
    tunnel = parts.tunnels.open(peer.sandboxId);
  } catch (thrown) {
    const error = toAppError(thrown);
    const object = { kind: 'egress', id: 'unread' };
    await deps.gateway.refuse({
      ...(identity === undefined ? {} : { identity }),
      door: DOOR,
      requestId,
      action: ACTION,
      object,
      error,
    });
    throw error;
  }
  const request = { identity, requestId, target, how };
  try {
    return { request, tunnel, addresses: await openEgress(deps, request) };
  } catch (error) {
    tunnel.close();
    throw error;
  }
}

type End = Parameters<typeof closeEgress>[2];

/** Runs a connection to its end and writes the closing entry, whatever happens. */
async function finish(parts: Parts, opened: Opened, run: (startedMs: number) => Promise<End>): Promise<void> {
  const { deps } = parts;
  const { request, tunnel } = opened;
  const startedMs = deps.clock.nowMs();
  let end: End = { bytesOut: 0, bytesIn: 0, startedMs, reason: 'failed', outcome: 'failed' };
  try {
    if (tunnel.closed) throw new AppError('denied', 'This sandbox may no longer reach the outside.');
    end = await run(startedMs);
  } catch (thrown) {
    const error = toAppError(thrown);
    end = { ...end, reason: error.message };
    throw error;
  } finally {
    tunnel.close();
    await closeEgress(deps, request, end);
  }
}

async function dial(parts: Parts, target: Target, addresses: readonly string[]): Promise<Socket> {
  const { dialTimeoutMs } = parts.settings;
  if (parts.upstreamProxy !== undefined) return dialThrough(parts.upstreamProxy, target, dialTimeoutMs);
  return dialAddresses(addresses, target.port, dialTimeoutMs);
}

function report(deps: EgressDeps, error: AppError, requestId: string): void {
  if (error.code === 'internal') deps.log('error', 'the egress proxy failed', { requestId, error: error.cause });
}

function renderError(
  error: AppError,
  requestId: string,
): { status: number; headers: Record<string, string>; body: string } {
  const { code, message, hint, details } = error;
  const { decisionId } = details;
  const body = `${JSON.stringify({ error: { code, message, hint, decisionId, requestId } })}\n`;
  const status = code === 'unavailable' ? 502 : error.status;
  const headers = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'x-request-id': requestId,
  };
  return { status, headers, body };
}
