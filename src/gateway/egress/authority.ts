/** Where a request wants to go: parsed strictly, so that no two parts of the way can read it differently. */
import { AppError } from '#kernel/errors.ts';
import { type Address, formatAddress, parseIpv4, parseIpv6 } from './address.ts';

/** `host` is a lower-case DNS name, or the canonical form of an address. */
export type Target = { host: string; port: number; address: Address | undefined };

const NAME = /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Parses `host:port`. Throws `invalid` for anything but a DNS name in letters, digits and hyphens, or an address, and a port. */
export function parseAuthority(text: string, defaultPort?: number): Target {
  const match = /^(\[[^[\]]*\]|[^:[\]]*)(?::(\d{1,5}))?$/.exec(text);
  const port = match?.[2] === undefined ? defaultPort : Number(match[2]);
  if (match === null || port === undefined || port < 1 || port > 65_535) throw refused(text, 'It must be host:port.');
  return { ...parseHost(match[1] ?? ''), port };
}

/** Parses a host in any notation to its one form. Throws `invalid`. */
export function parseHost(text: string): Omit<Target, 'port'> {
  if (text.startsWith('[')) {
    const address = parseIpv6(text.slice(1, -1));
    if (address === undefined) throw refused(text, 'It is not an IPv6 address; zones are not taken.');
    return { host: formatAddress(address), address };
  }
  // One dot at the end is the root of the DNS: the same name.
  const bare = text.endsWith('.') ? text.slice(0, -1) : text;
  const four = parseIpv4(bare);
  if (four === 'invalid') throw refused(text, 'A host that ends in a number must be an IPv4 address.');
  if (four !== undefined) return { host: formatAddress(four), address: four };
  const host = bare.toLowerCase();
  if (!NAME.test(host)) throw refused(text, 'A host is a DNS name of letters, digits and hyphens (xn--… for others).');
  return { host, address: undefined };
}

/** `host:port`, with brackets around IPv6. */
export const authorityOf = ({ host, port }: Pick<Target, 'host' | 'port'>): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

function refused(text: string, hint: string): AppError {
  const shown = JSON.stringify(text.slice(0, 100).replace(/[^\x20-\x7e]/g, '?'));
  return new AppError('invalid', `${shown} is not a host that can be reached.`, { details: { field: 'host', hint } });
}
