/** What of a message passes between a browser and an app in a sandbox. */
import type { IncomingMessage } from 'node:http';
import type { Site } from './site-address.ts';
import { cookieFromApp, cookiesForApp } from './site-cookie.ts';

export type Headers = Record<string, string | string[]>;

/** Meant for one connection only (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];
const NOT_FOR_APPS = ['expect', 'forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip'];
/** What would act on more than the app's own origin. */
const NOT_FROM_APPS = [
  'alt-svc',
  'clear-site-data',
  'nel',
  'report-to',
  'reporting-endpoints',
  'strict-transport-security',
];

function passing(message: IncomingMessage, dropped: readonly string[]): Headers {
  const named = (message.headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const without = new Set([...HOP_BY_HOP, ...dropped, ...named]);
  const headers: Headers = {};
  for (const [name, values] of Object.entries(message.headersDistinct)) {
    const [first = ''] = values ?? [];
    if (values !== undefined && !without.has(name)) headers[name] = values.length === 1 ? first : values;
  }
  return headers;
}

/** The headers with which a request goes on into the sandbox: our cookie and our tokens stay outside. */
export function headersForApp(request: IncomingMessage, site: Site): Headers {
  const headers = passing(request, [...NOT_FOR_APPS, 'cookie']);
  const cookies = cookiesForApp(request.headers.cookie);
  if (cookies !== undefined) headers.cookie = cookies;
  if (/^bearer\s+fh_/i.test(request.headers.authorization ?? '')) delete headers.authorization;
  const { protocol, host } = new URL(site.origin);
  headers['x-forwarded-proto'] = protocol.slice(0, -1);
  headers['x-forwarded-host'] = host;
  return headers;
}

/** The headers with which an app's answer goes on to the browser, bound to its own origin. */
export function headersFromApp(response: IncomingMessage, site: Site): Headers {
  const headers = passing(response, NOT_FROM_APPS);
  const cookies = (response.headers['set-cookie'] ?? []).map(cookieFromApp).filter((one) => one !== undefined);
  delete headers['set-cookie'];
  if (cookies.length > 0) headers['set-cookie'] = cookies;
  const own = headers['content-security-policy'];
  headers['content-security-policy'] = [...(own === undefined ? [] : [own].flat()), policyOf(site)];
  return { ...headers, ...FRAMING };
}

const FRAMING: Headers = {
  'x-frame-options': 'SAMEORIGIN',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'same-origin',
  'x-dns-prefetch-control': 'off',
  'permissions-policy': 'camera=(), microphone=(), geolocation=(), usb=(), serial=(), payment=()',
};

/** A page of a sandbox talks to its sandbox and to nobody else: what is sealed inside does not leave through its reader's browser. */
function policyOf(site: Site): string {
  const { protocol, host } = new URL(site.origin);
  const socket = `${protocol === 'https:' ? 'wss' : 'ws'}://${host}`;
  return [
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'",
    `connect-src 'self' data: blob: ${socket}`,
    "form-action 'self'",
    "base-uri 'self'",
    "frame-ancestors 'self'",
  ].join('; ');
}
