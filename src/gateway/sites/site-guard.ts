import type { IncomingMessage } from 'node:http';
import { AppError } from '#kernel/errors.ts';
import type { Site } from './site-address.ts';

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/**
 * Refuses what pages of other origins send on their reader's behalf. What changes something, and every WebSocket, must say that it comes from the
 * site itself; a foreign page may do one thing, lead its reader here by a link.
 */
export function guardSite(request: IncomingMessage, site: Site, options: { upgrade: boolean }): void {
  const { origin, 'sec-fetch-site': from, 'sec-fetch-mode': mode, 'sec-fetch-dest': dest } = request.headers;
  const safe = SAFE.has(request.method ?? '') && !options.upgrade;
  if (origin !== undefined && origin !== site.origin) throw foreign(`from ${origin.slice(0, 100)}`);
  if (origin === undefined && !safe) throw foreign('that do not say where they come from');
  const byLink = safe && mode === 'navigate' && dest === 'document';
  if ((from === 'cross-site' || from === 'same-site') && !byLink) throw foreign('from another site');
  if (!(request.url ?? '').startsWith('/'))
    throw new AppError('invalid', 'The request does not name a path.', { details: { field: 'path' } });
}

const foreign = (which: string): AppError =>
  new AppError('denied', `Requests ${which} are refused here.`, {
    details: { hint: 'Use the page that "fumehood sandbox open" leads to.' },
  });
