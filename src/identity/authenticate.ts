import { timingSafeEqual } from 'node:crypto';
import type { Clock } from '#kernel/clock.ts';
import { AppError } from '#kernel/errors.ts';
import type { Database } from '#kernel/sql.ts';
import type { Identity } from '#src/gateway/crossing.ts';
import { hashToken, looksLikeToken } from './token.ts';
import { selectTokenByHash, touchTokens } from './token-store.ts';

/** How long another replica may still accept a token that was revoked here; within this process revocation is immediate. */
const REMEMBER_MS = 1000;
const MOST_REMEMBERED = 10_000;

type Remembered = { identity: Identity; tokenId: string; expiresMs: number | null; untilMs: number };

export type Authenticator = {
  /** Who a token stands for. Throws `unauthenticated` for none, a wrong, expired or revoked one, and when its user may not act. */
  authenticateToken(token: string | undefined): Promise<Identity>;
  /** Forgets what is remembered of a user: called when the user or a token of it changed. */
  forget(user: string): void;
  /** Forgets all that is remembered: called when what the store says of many changed. */
  forgetAll(): void;
  /** Writes down which tokens were used since the last call; run it now and then, and before closing. */
  flushLastUsed(): Promise<void>;
};

/** Checks tokens against the store. */
export function createAuthenticator(deps: { database: Database; clock: Clock }): Authenticator {
  const remembered = new Map<string, Remembered>();
  const used = new Set<string>();
  // A lookup that began before a change must not be remembered after it.
  let generation = 0;

  const lookUp = async (hash: string): Promise<Remembered> => {
    const began = generation;
    const found = await deps.database.read((reader) => selectTokenByHash(reader, hash));
    if (found === undefined || !sameText(found.hash, hash)) throw refused('The token is not valid.');
    const { token } = found;
    if (token.revokedMs !== null) throw refused('The token was revoked.');
    if (!found.active) throw refused(`The user "${token.user}" is disabled.`);
    const nowMs = deps.clock.nowMs();
    const { user, scopes, expiresMs } = token;
    const identity: Identity = { type: 'user', id: user, user, roles: found.roles, scopes, purpose: '' };
    const fresh = { identity, tokenId: token.id, expiresMs, untilMs: nowMs + REMEMBER_MS };
    if (remembered.size >= MOST_REMEMBERED) remembered.clear();
    if (began === generation) remembered.set(hash, fresh);
    return fresh;
  };

  return {
    authenticateToken: async (token) => {
      if (token === undefined || token === '') throw refused('A token is needed.');
      if (!looksLikeToken(token)) throw refused('The token is not valid.');
      const hash = hashToken(token);
      const known = remembered.get(hash);
      const found = known !== undefined && known.untilMs > deps.clock.nowMs() ? known : await lookUp(hash);
      if (found.expiresMs !== null && found.expiresMs <= deps.clock.nowMs()) throw refused('The token has expired.');
      used.add(found.tokenId);
      return found.identity;
    },
    forget: (user) => {
      generation += 1;
      for (const [hash, { identity }] of remembered) if (identity.user === user) remembered.delete(hash);
    },
    forgetAll: () => {
      generation += 1;
      remembered.clear();
    },
    flushLastUsed: async () => {
      const ids = [...used];
      used.clear();
      if (ids.length > 0) await deps.database.transaction((tx) => touchTokens(tx, ids, deps.clock.nowMs()));
    },
  };
}

const sameText = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

const refused = (message: string): AppError => new AppError('unauthenticated', message);
