/** Tokens made through `auth/token/create`: each narrows what its parent may, for a time and for a number of uses. */
import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '#kernel/clock.ts';
import { openBytes, sealBytes } from '#kernel/envelope.ts';
import { AppError } from '#kernel/errors.ts';
import type { Database } from '#kernel/sql.ts';
import type { Gateway, Identity } from '#src/gateway/crossing.ts';
import { deleteExpiredTokens, insertToken, selectToken, takeUse, updateToken } from './child-token-store.ts';

export const DEFAULT_TTL_MS = 32 * 86_400_000;
const MARK = 'hvs.fh';

export type ChildToken = {
  tokenHash: string;
  accessor: string;
  /** `sandbox:ID` or `user:NAME`: the token means nothing to anyone else. */
  subject: string;
  /** The parent token, sealed under this one: nobody but its bearer can open it. */
  parent: Uint8Array;
  scopes: string[];
  displayName: string;
  metadata: Record<string, string>;
  renewable: boolean;
  ttlMs: number;
  maxTtlMs: number;
  numUses: number;
  usesLeft: number;
  createdMs: number;
  expiresMs: number;
  revokedMs: number | null;
};

export type Narrowed = { scopes: string[]; chain: ChildToken[]; rootToken: string };

export type ChildTokens = {
  /**
   * Follows a token up to the one that was not made here, and gives what is left of the right. A token that was not made here stands for
   * itself. Throws `denied` for one that expired, was revoked or is used up, or whose parent is.
   */
  resolve(token: string): Promise<Narrowed>;
  create(options: NewToken): Promise<{ token: string; row: ChildToken }>;
  /** Spends one use of every token of the chain that counts them. */
  spend(narrowed: Narrowed, requestId: string): Promise<void>;
};

export type NewToken = Pick<
  ChildToken,
  'scopes' | 'displayName' | 'metadata' | 'renewable' | 'ttlMs' | 'maxTtlMs' | 'numUses'
> & {
  identity: Identity;
  parentToken: string;
  requestId: string;
};

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');
const keyOf = (token: string): Buffer => createHash('sha256').update(`parent of ${token}`).digest();

/** What a subject's tokens are bound to. */
export const subjectOf = (identity: Pick<Identity, 'type' | 'id'>): string => `${identity.type}:${identity.id}`;

const covers = (scope: string, action: string): boolean =>
  scope === '*' || scope === action || (scope.endsWith('.*') && action.startsWith(scope.slice(0, -1)));

/** True when scopes (`*`, `NOUN.ACTION`, `NOUN.*`, each with `:OBJECT` or without) name this action at all; policy looks at the object. */
export const inScopes = (scopes: readonly string[], action: string): boolean =>
  scopes.some((scope) => covers(scope.split(':', 1)[0] ?? '', action));

/** What is left of the child's scopes within the parent's: none is ever wider than one of those. */
export function narrow(parent: readonly string[], child: readonly string[]): string[] {
  if (child.includes('*')) return [...parent];
  return child.filter(
    (scope) => parent.includes(scope) || parent.some((one) => covers(one, scope.split(':', 1)[0] ?? '')),
  );
}

export function createChildTokens(deps: {
  database: Pick<Database, 'read'>;
  gateway: Pick<Gateway, 'cross' | 'system'>;
  clock: Clock;
}): ChildTokens {
  return {
    resolve: async (token) => {
      const chain: ChildToken[] = [];
      let scopes = ['*'];
      let current = token;
      while (current.startsWith(MARK) && chain.length < 16) {
        const tokenHash = hashOf(current);
        const row = await deps.database.read((reader) => selectToken(reader, tokenHash));
        if (row === undefined) break;
        refuseDead(row, deps.clock.nowMs());
        chain.push(row);
        scopes = narrow(row.scopes, scopes);
        current = Buffer.from(openBytes(keyOf(current), row.parent, Buffer.from(row.tokenHash))).toString('utf8');
      }
      return { scopes, chain, rootToken: current };
    },

    create: async (options) => {
      const { identity, requestId, parentToken, ...wanted } = options;
      const token = `${MARK}${randomBytes(32).toString('base64url')}`;
      const tokenHash = hashOf(token);
      const parent = sealBytes(keyOf(token), Buffer.from(parentToken), Buffer.from(tokenHash));
      const row = await deps.gateway.cross({
        identity,
        door: 'vault',
        requestId,
        action: 'token.create',
        object: { kind: 'token', id: tokenHash.slice(0, 16) },
        ask: async () => [tokenQuestion('token.create', identity)],
        act: async (tx, crossing) => {
          const { nowMs } = crossing;
          const made: ChildToken = {
            ...wanted,
            tokenHash,
            accessor: randomBytes(12).toString('hex'),
            subject: subjectOf(identity),
            parent,
            usesLeft: wanted.numUses,
            createdMs: nowMs,
            expiresMs: nowMs + wanted.ttlMs,
            revokedMs: null,
          };
          await deleteExpiredTokens(tx, nowMs);
          await insertToken(tx, made);
          crossing.detail('scopes', made.scopes.join(' '));
          crossing.detail('ttlSeconds', Math.round(made.ttlMs / 1000));
          return made;
        },
      });
      return { token, row };
    },

    spend: async ({ chain }, requestId) => {
      const counted = chain.filter((row) => row.numUses > 0);
      if (counted.length === 0) return;
      await deps.gateway.system({
        action: 'token.use',
        object: { kind: 'token', id: counted[0]?.tokenHash.slice(0, 16) ?? '' },
        requestId,
        act: async (tx) => {
          for (const row of counted) if ((await takeUse(tx, row.tokenHash)) === 0) throw dead();
        },
      });
    },
  };
}

/** Changes a token in a crossing of its own. */
export async function changeToken(
  deps: { gateway: Pick<Gateway, 'cross'> },
  request: {
    identity: Identity;
    requestId: string;
    action: 'token.renew' | 'token.revoke';
    row: ChildToken;
    change: (row: ChildToken, nowMs: number) => Pick<ChildToken, 'expiresMs' | 'revokedMs'>;
  },
): Promise<ChildToken> {
  const { identity, requestId, action, row } = request;
  return deps.gateway.cross({
    identity,
    door: 'vault',
    requestId,
    action,
    object: { kind: 'token', id: row.tokenHash.slice(0, 16) },
    ask: async () => [tokenQuestion(action, identity)],
    act: async (tx, crossing) => {
      const changed = { ...row, ...request.change(row, crossing.nowMs) };
      await updateToken(tx, changed);
      return changed;
    },
  });
}

/** The question about a subject's own token. */
export const tokenQuestion = (action: string, identity: Identity) => ({
  action,
  resource: 'token' as const,
  object: { type: 'token', id: 'self', owner: identity.user, labels: [] },
});

function refuseDead(row: ChildToken, nowMs: number): void {
  if (row.revokedMs !== null || row.expiresMs <= nowMs || (row.numUses > 0 && row.usesLeft <= 0)) throw dead();
}

const dead = (): AppError =>
  new AppError('denied', 'This token has expired, was revoked or is used up.', {
    details: { hint: 'Make a new one with auth/token/create.' },
  });
