import type { IncomingMessage } from 'node:http';

const NAME = 'fumehood-visit';
const MOST_TRIED = 4;

/** With TLS the `__Host-` prefix keeps neighbours from setting one for this host. */
const nameFor = (tls: boolean): string => (tls ? `__Host-${NAME}` : NAME);
const isOurs = (name: string): boolean => name === NAME || name === `__Host-${NAME}`;

const pairsOf = (header: string | undefined): string[] =>
  (header ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '');

const nameOf = (pair: string): string => (pair.split('=')[0] ?? '').trim();

/** The values of our cookie in a request: several when a page added one of the same name. */
export function visitCookies(request: IncomingMessage, tls: boolean): string[] {
  return pairsOf(request.headers.cookie)
    .filter((pair) => nameOf(pair) === nameFor(tls))
    .map((pair) => pair.slice(pair.indexOf('=') + 1))
    .slice(0, MOST_TRIED);
}

/** The cookie that admits a browser: host-only, out of reach of scripts, never sent with what another site starts. */
export const visitCookie = (value: string, options: { tls: boolean; maxAgeMs: number }): string =>
  [
    `${nameFor(options.tls)}=${value}`,
    'Path=/',
    'HttpOnly',
    'SameSite=Strict',
    `Max-Age=${Math.max(1, Math.floor(options.maxAgeMs / 1000))}`,
    ...(options.tls ? ['Secure'] : []),
  ].join('; ');

/** The cookies of a request that are the app's own; undefined when none is. */
export function cookiesForApp(header: string | undefined): string | undefined {
  const own = pairsOf(header).filter((pair) => !isOurs(nameOf(pair)));
  return own.length === 0 ? undefined : own.join('; ');
}

/** A cookie that an app sets: for its own host alone, and never ours. */
export function cookieFromApp(line: string): string | undefined {
  const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
  if (isOurs(nameOf(pair))) return undefined;
  return [pair, ...attributes.filter((attribute) => !/^domain\s*(=|$)/i.test(attribute))].join('; ');
}
