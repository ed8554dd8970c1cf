/** Tickets and visits: how a browser, which carries no token, comes to act for a person on one site and nowhere else. */

import type { Clock } from '#kernel/clock.ts';
import { AppError } from '#kernel/errors.ts';
import type { Database, Reader, Tx } from '#kernel/sql.ts';
import type { Identity } from '#src/gateway/crossing.ts';
import { selectTokenByHash } from './token-store.ts';
import { hashSecret, looksLikeSecret, makeSecret, TICKET_MS, type Ticket } from './visit.ts';
import { deleteOldVisits, insertTicket, insertVisit, selectTicket, selectVisit, useTicket } from './visit-store.ts';

/** How long a visit is believed without another look into the store: a token revoked here ends it within this time. */
const REMEMBER_MS = 1000;
const MOST_REMEMBERED = 10_000;

export type Found = { ticket: Ticket; identity: Identity };

export type Visits = {
  /** Makes a ticket for a site in the transaction of the crossing that allows it; `path` is where the browser goes then. */
  issue(
    tx: Tx,
    wanted: { site: string; path: string; tokenHash: string },
  ): Promise<{ ticket: string; expiresMs: number }>;
  /** Looks a ticket up. Throws `unauthenticated` with the reason when it is not good for this site now. */
  find(ticket: string, site: string): Promise<Found>;
  /** Uses a ticket up in the transaction of the crossing that admits the browser; gives the cookie's value and when it ends. */
  redeem(tx: Tx, ticket: string, latestMs: number): Promise<{ cookie: string; expiresMs: number }>;
  /** Who a cookie stands for on a site. Throws `unauthenticated`. */
  check(cookie: string, site: string): Promise<{ identity: Identity; tokenHash: string }>;
};

type Remembered = { site: string; tokenHash: string; identity: Identity; endMs: number; untilMs: number };

export function createVisits(deps: { database: Database; clock: Clock }): Visits {
  const { database, clock } = deps;
  const remembered = new Map<string, Remembered>();

  const lookUp = async (hash: string): Promise<Remembered> => {
    const nowMs = clock.nowMs();
    const found = await database.read(async (reader) => {
      const visit = await selectVisit(reader, hash);
      if (visit === undefined) throw refused('This browser was not let in here, or what let it in has ended.');
      return { visit, ...(await bearerOf(reader, visit.tokenHash, nowMs)) };
    });
    const { visit, identity, endMs } = found;
    const fresh = {
      site: visit.site,
      tokenHash: visit.tokenHash,
      identity,
      endMs: Math.min(visit.expiresMs, endMs),
      untilMs: nowMs + REMEMBER_MS,
    };
    if (remembered.size >= MOST_REMEMBERED) remembered.clear();
    remembered.set(hash, fresh);
    return fresh;
  };

  return {
    issue: async (tx, { site, path, tokenHash }) => {
      const nowMs = clock.nowMs();
      const ticket = makeSecret();
      const expiresMs = nowMs + TICKET_MS;
      await deleteOldVisits(tx, nowMs);
      await insertTicket(tx, hashSecret(ticket), { site, tokenHash, path, expiresMs, usedMs: null }, nowMs);
      return { ticket, expiresMs };
    },
    find: async (ticket, site) => {
      if (!looksLikeSecret(ticket)) throw refused('This is no ticket.');
      const nowMs = clock.nowMs();
      return database.read(async (reader) => {
        const found = await selectTicket(reader, hashSecret(ticket));
        if (found === undefined) throw refused('This ticket is not known here.');
        const { identity } = await bearerOf(reader, found.tokenHash, nowMs);
        if (found.usedMs !== null)
          throw refused('This link was used already; each is good for one browser, once.', identity);
        if (found.expiresMs <= nowMs) throw refused('This link is too old; each is good for one minute.', identity);
        if (found.site !== site) throw refused('This ticket is for another address.', identity);
        return { ticket: found, identity };
      });
    },
    redeem: async (tx, ticket, latestMs) => {
      const nowMs = clock.nowMs();
      const hash = hashSecret(ticket);
      const found = await selectTicket(tx, hash);
      if (found === undefined || !(await useTicket(tx, hash, nowMs)))
        throw refused('This link was used already; each is good for one browser, once.');
      const { endMs } = await bearerOf(tx, found.tokenHash, nowMs);
      const cookie = makeSecret();
      const expiresMs = Math.min(latestMs, endMs);
      const { site, tokenHash } = found;
      await insertVisit(tx, hashSecret(cookie), { site, tokenHash, expiresMs }, nowMs);
      return { cookie, expiresMs };
    },
    check: async (cookie, site) => {
      if (!looksLikeSecret(cookie)) throw refused('This browser was not let in here.');
      const hash = hashSecret(cookie);
      const known = remembered.get(hash);
      const found = known !== undefined && known.untilMs > clock.nowMs() ? known : await lookUp(hash);
      if (found.site !== site) throw refused('This browser was let in somewhere else, not here.', found.identity);
      if (found.endMs <= clock.nowMs()) throw refused('The time of this visit is over.', found.identity);
      return { identity: found.identity, tokenHash: found.tokenHash };
    },
  };
}

/** Who the token behind a visit stands for now, with its user's roles of now. */
async function bearerOf(
  reader: Reader,
  tokenHash: string,
  nowMs: number,
): Promise<{ identity: Identity; endMs: number }> {
  const found = await selectTokenByHash(reader, tokenHash);
  if (found === undefined || found.token.revokedMs !== null) throw refused('The token that opened this was revoked.');
  const { user, scopes, expiresMs } = found.token;
  if (!found.active) throw refused(`The user "${user}" is disabled.`);
  if (expiresMs !== null && expiresMs <= nowMs) throw refused('The token that opened this has expired.');
  const identity: Identity = { type: 'user', id: user, user, roles: found.roles, scopes, purpose: '' };
  return { identity, endMs: expiresMs ?? Number.MAX_SAFE_INTEGER };
}

/** A refusal that knows whose ticket or cookie it was, so that the log can say so. */
export class VisitRefused extends AppError {
  readonly identity: Identity | undefined;
  constructor(message: string, identity: Identity | undefined, hint = 'Open it again with "fumehood sandbox open".') {
    super('unauthenticated', message, { details: { hint } });
    this.identity = identity;
  }
}

const refused = (message: string, identity?: Identity): VisitRefused => new VisitRefused(message, identity);
