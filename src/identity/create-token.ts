import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import type { Ids } from '#kernel/ids.ts';
import { parseDuration } from '#kernel/quantities.ts';
import type { Tx } from '#kernel/sql.ts';
import type { Caller, IdentityDeps } from './identity-deps.ts';
import { hashToken, makeToken, mayHandOn, Scope, type Token, tokenObject } from './token.ts';
import { insertToken, revokeTokenRecord, selectToken } from './token-store.ts';

const DAY_MS = 86_400_000;
export const DEFAULT_TOKEN_MS = 90 * DAY_MS;

export const TokenRequest = z.strictObject({
  name: z.string().max(100).default(''),
  scopes: z.array(Scope).min(1).max(100).default(['*']),
  until: z.string().max(20).default('90d').describe('how long it is valid: 1h, 30d'),
});
export type TokenRequest = z.infer<typeof TokenRequest>;

/** Makes and stores a token inside a transaction; gives the record and the token, which is shown once. */
export async function issueToken(
  deps: { ids: Ids },
  tx: Tx,
  options: { user: string; name: string; scopes: string[]; nowMs: number; expiresMs: number | null },
): Promise<{ token: string; record: Token }> {
  const token = makeToken();
  const record: Token = {
    id: deps.ids.next('tok'),
    user: options.user,
    name: options.name,
    scopes: options.scopes,
    createdMs: options.nowMs,
    expiresMs: options.expiresMs,
    revokedMs: null,
    lastUsedMs: null,
  };
  await insertToken(tx, record, hashToken(token));
  return { token, record };
}

/** Makes a further token of the caller's own, as wide as the caller's or narrower. */
export function createToken(
  deps: IdentityDeps,
  caller: Caller,
  request: TokenRequest,
): Promise<{ token: string; record: Token }> {
  const { identity } = caller;
  const validMs = parseDuration(request.until);
  return deps.gateway.cross({
    ...caller,
    door: 'api',
    action: 'token.create',
    object: { kind: 'token', id: request.name },
    ask: async () => [
      {
        action: 'token.create',
        resource: 'token',
        object: tokenObject(request.name, identity.user, { scopes: request.scopes }),
      },
    ],
    act: async (tx, crossing) => {
      if (!mayHandOn(identity.scopes, request.scopes)) {
        throw new AppError('denied', 'A narrowed token cannot make a wider one.', {
          details: { field: 'scopes', hint: `This one has: ${identity.scopes.join(', ')}.` },
        });
      }
      const { nowMs } = crossing;
      const { name, scopes } = request;
      const made = await issueToken(deps, tx, {
        user: identity.user,
        name,
        scopes,
        nowMs,
        expiresMs: nowMs + validMs,
      });
      crossing.detail('token', made.record.id);
      crossing.attest('token', made.record.id);
      return made;
    },
  });
}

/** Ends a token at once. Throws `not_found`. */
export function revokeToken(deps: IdentityDeps, caller: Caller, id: string): Promise<Token> {
  let found: Token | undefined;
  return deps.gateway.cross({
    ...caller,
    door: 'api',
    action: 'token.revoke',
    object: { kind: 'token', id },
    ask: async (reader) => {
      found = await selectToken(reader, id);
      if (found === undefined) throw noSuchToken(id);
      return [{ action: 'token.revoke', resource: 'token', object: tokenObject(id, found.user) }];
    },
    act: async (tx, { nowMs, attest }) => {
      if (found === undefined) throw noSuchToken(id);
      await revokeTokenRecord(tx, id, nowMs);
      attest('token', id);
      return { ...found, revokedMs: found.revokedMs ?? nowMs };
    },
    onCommitted: () => {
      if (found !== undefined) deps.authenticator.forget(found.user);
    },
  });
}

const noSuchToken = (id: string): AppError =>
  new AppError('not_found', `There is no token "${id}".`, { details: { hint: 'See "fumehood token list".' } });
