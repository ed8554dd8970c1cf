/** The few pages that Fumehood itself shows under a site's name: no script, no style from elsewhere, everything escaped. */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { AppError } from '#kernel/errors.ts';
import { problemOf } from '#src/http/problem.ts';
import { closeUnread } from '../unread-body.ts';

export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

const STYLE = `:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:3rem auto;padding:0 1.25rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}code{background:color-mix(in srgb,currentColor 10%,transparent);padding:.1em .3em;border-radius:.25em}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .75rem .3rem 0;border-bottom:1px solid color-mix(in srgb,currentColor 20%,transparent);overflow-wrap:anywhere;vertical-align:top}th{width:30%}
.wide{overflow-x:auto}.runs th{width:auto;white-space:nowrap}.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(16rem,1fr));gap:1rem}figure{margin:0}figcaption{font-size:.9rem}svg{width:100%;height:auto}
.label{border:1px solid;border-radius:1em;padding:0 .6em;font-size:.85rem}small{opacity:.75}`;

const OWN_PAGE = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

/** A whole page; `head` and `body` are HTML already. */
export function htmlPage(title: string, body: string, head = ''): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title>${head}<style>${STYLE}</style></head><body>${body}</body></html>\n`;
}

export function sendPage(
  response: ServerResponse,
  status: number,
  html: string,
  more: Record<string, string> = {},
): void {
  response.writeHead(status, { ...OWN_PAGE, ...more, 'content-length': Buffer.byteLength(html) });
  response.end(html);
}

/** Admits the browser and leads it on from this very origin, so that the strictest cookie goes with it. `path` starts with one slash. */
export function sendEntered(response: ServerResponse, path: string, cookie: string): void {
  const to = escapeHtml(path);
  const html = htmlPage(
    'Opening',
    `<p>Opening <a href="${to}">${to}</a> …</p>`,
    `<meta http-equiv="refresh" content="0;url=${to}">`,
  );
  sendPage(response, 200, html, { 'set-cookie': cookie });
}

/** An error, as a page for a reader and as problem+json for anything else. */
export function sendSiteError(
  request: IncomingMessage,
  response: ServerResponse,
  error: AppError,
  requestId: string,
): void {
  if (response.headersSent) return void response.destroy();
  closeUnread(request, response);
  if ((request.headers.accept ?? '').includes('text/html')) {
    sendPage(response, error.status, errorPage(error, requestId));
    return;
  }
  const body = JSON.stringify(problemOf(error, requestId));
  response.writeHead(error.status, {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

function errorPage(error: AppError, requestId: string): string {
  const { decisionId } = error.details;
  const what = decisionId === undefined ? '' : `<br><small>decision ${escapeHtml(decisionId)}</small>`;
  return htmlPage(
    error.message,
    `<h1>${escapeHtml(error.message)}</h1><p>What to do: ${escapeHtml(error.hint)}</p><p><small>request ${escapeHtml(requestId)}</small>${what}</p>`,
  );
}

/** The same for a WebSocket that is not to be. */
export function refuseSocket(socket: Duplex, error: AppError, requestId: string): void {
  const body = JSON.stringify(problemOf(error, requestId));
  socket.end(
    [
      `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ''}`,
      'Connection: close',
      'Content-Type: application/problem+json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n'),
  );
}
