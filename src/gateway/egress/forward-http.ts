/** Plain HTTP through the proxy: absolute-form only, and the Host header names the same host (RFC 9112 section 3.2.2). */
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { AppError } from '#kernel/errors.ts';
import { authorityOf, parseAuthority, type Target } from './authority.ts';

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'proxy-authentication-info',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'http2-settings',
]);

/** Reads where a plain request goes. Throws `invalid`. */
export function parseForward(request: IncomingMessage): { target: Target; path: string } {
  const match = /^http:\/\/([^/?#]*)(\/[^#]*|\?[^#]*)?$/i.exec(request.url ?? '');
  if (match === null) {
    throw new AppError('invalid', 'This is a proxy: it takes absolute http:// addresses, and CONNECT for the rest.', {
      details: { hint: 'Set HTTP_PROXY and HTTPS_PROXY to http://localhost:3128 and ask for the host itself.' },
    });
  }
  const target = parseAuthority(match[1] ?? '', 80);
  const hosts = request.rawHeaders.filter(
    (_name, at) => request.rawHeaders[at - 1]?.toLowerCase() === 'host' && at % 2 === 1,
  );
  const [host = ''] = hosts;
  if (hosts.length !== 1 || authorityOf(parseAuthority(host, 80)) !== authorityOf(target))
    throw new AppError('invalid', 'The Host header must name the same host as the request.');
  const path = match[2] ?? '/';
  return { target, path: path.startsWith('/') ? path : `/${path}` };
}

/** The headers that go on: neither those of this hop nor those that `Connection` names. */
export function endToEnd(rawHeaders: readonly string[]): string[] {
  const named = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (rawHeaders[at]?.toLowerCase() === 'connection')
      for (const name of (rawHeaders[at + 1] ?? '').split(',')) named.add(name.trim().toLowerCase());
  const kept: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    const lower = name.toLowerCase();
    // Framing and routing are never the client's to remove.
    const removable = named.has(lower) && lower !== 'host' && lower !== 'content-length';
    if (!HOP_BY_HOP.has(lower) && !removable) kept.push(name, rawHeaders[at + 1] ?? '');
  }
  return kept;
}

/** Sends the request over a connection that is open, and its answer back. Throws `unavailable` when the host breaks off. */
export async function forwardHttp(options: {
  request: IncomingMessage;
  response: ServerResponse;
  socket: Socket;
  path: string;
  /** Headers for an upstream proxy. */
  extraHeaders: string[];
}): Promise<void> {
  const { request, response, socket, path } = options;
  const chunked = request.headers['transfer-encoding'] !== undefined ? ['Transfer-Encoding', 'chunked'] : [];
  const headers = [...endToEnd(request.rawHeaders), ...options.extraHeaders, ...chunked, 'Connection', 'close'];
  const outgoing = httpRequest({
    createConnection: () => socket,
    method: request.method ?? 'GET',
    path,
    headers,
    setHost: false,
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', (cause) =>
      reject(new AppError('unavailable', 'The host broke the connection off.', { cause })),
    );
  });
  response.once('close', () => outgoing.destroy());
  request.once('error', () => outgoing.destroy());
  request.pipe(outgoing);
  const incoming = await answered;
  response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, endToEnd(incoming.rawHeaders));
  await pipeline(incoming, response);
}
