import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import { AppError } from '#kernel/errors.ts';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether a host (name or address, brackets allowed) is this machine's loopback. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (bare === 'localhost') return true;
  const family = isIP(bare);
  return family !== 0 && loopback.check(bare, family === 6 ? 'ipv6' : 'ipv4');
}

/** Refuses to serve people's tokens in clear text to a network. */
export function requireSafeListener(options: { host: string; tls: boolean }): void {
  if (options.tls || isLoopback(options.host)) return;
  throw new AppError('invalid', `Without TLS the API is served on loopback only, not on "${options.host}".`, {
    details: { field: 'listen', hint: 'Set tls.cert and tls.key in the configuration, or listen on 127.0.0.1.' },
  });
}

/**
 * Refuses what a page in a browser could send on its user's behalf: a Host that is not ours (DNS rebinding) and an Origin other than our own.
 * `hosts` are the names that are ours besides loopback; with TLS an empty list means that the certificate decides.
 */
export function guardRequest(request: IncomingMessage, options: { hosts: readonly string[]; tls: boolean }): void {
  const host = request.headers.host ?? '';
  const name = host.replace(/:\d+$/, '').toLowerCase();
  const ours = isLoopback(name) || options.hosts.includes(name) || (options.tls && options.hosts.length === 0);
  if (!ours)
    throw new AppError('denied', `"${name}" is not a name of this server.`, {
      details: { hint: 'Use the address that "fumehood status" prints.' },
    });
  const origin = request.headers.origin;
  const foreign = origin !== undefined && origin !== `${options.tls ? 'https' : 'http'}://${host}`;
  if (foreign || request.headers['sec-fetch-site'] === 'cross-site')
    throw new AppError('denied', 'Requests from pages of another origin are refused.', {
      details: { hint: 'Use the command line, or a page that this server itself serves.' },
    });
}
