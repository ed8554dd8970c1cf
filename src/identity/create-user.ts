import { z } from 'zod';
import type { Clock } from '#kernel/clock.ts';
import { AppError } from '#kernel/errors.ts';
import type { Ids } from '#kernel/ids.ts';
import type { Tx } from '#kernel/sql.ts';
import type { Crossing } from '#src/gateway/crossing.ts';
import { DEFAULT_TOKEN_MS, issueToken } from './create-token.ts';
import type { Caller, IdentityDeps } from './identity-deps.ts';
import { revokeTokensOf } from './token-store.ts';
import { DEFAULT_TEAM, Role, TeamName, type User, UserName, userObject } from './user.ts';
import { anyUser, insertUser, selectUser } from './user-store.ts';

export const UserRequest = z
  .strictObject({
    name: UserName,
    role: Role.optional(),
    roles: z.array(Role).min(1).max(3).optional(),
    team: TeamName.default(DEFAULT_TEAM),
  })
  .refine((request) => (request.role === undefined) !== (request.roles === undefined), 'give either role or roles');
export type UserRequest = z.infer<typeof UserRequest>;

/** Adds a user with a first token. Throws `conflict` when the name is or was taken. */
export function createUser(
  deps: IdentityDeps,
  caller: Caller,
  request: UserRequest,
): Promise<{ user: User; token: string }> {
  const { name } = request;
  const roles = [...new Set(request.roles ?? (request.role === undefined ? [] : [request.role]))];
  return deps.gateway.cross({
    ...caller,
    door: 'api',
    action: 'user.create',
    object: { kind: 'user', id: name },
    ask: async () => [{ action: 'user.create', resource: 'user', object: userObject(name, { roles }) }],
    act: async (tx, { nowMs, detail, attest }) => {
      if ((await selectUser(tx, name)) !== undefined) {
        throw new AppError('conflict', `The name "${name}" is taken.`, {
          details: { field: 'name', hint: 'Choose another name; that of a deleted user stays taken.' },
        });
      }
      const user: User = { name, roles, team: request.team, disabled: false, createdMs: nowMs, deletedMs: null };
      await insertUser(tx, user);
      const expiresMs = nowMs + DEFAULT_TOKEN_MS;
      const { token, record } = await issueToken(deps, tx, {
        user: name,
        name: 'first',
        scopes: ['*'],
        nowMs,
        expiresMs,
      });
      attest('user', name);
      attest('token', record.id);
      detail('roles', roles.join(' '));
      return { user, token };
    },
  });
}

/** The name of the first operator of a home. */
export const FIRST_OPERATOR = 'operator';

/**
 * Makes the first operator when there has never been a user: gives its token once, undefined ever after. It is engineer too, so that
 * who installs Fumehood can use it; it is not officer, so that nobody starts out approving.
 */
export async function ensureFirstOperator(
  deps: { clock: Clock; ids: Ids },
  tx: Tx,
  { attest }: Pick<Crossing, 'attest'>,
): Promise<string | undefined> {
  if (await anyUser(tx)) return undefined;
  const nowMs = deps.clock.nowMs();
  await insertUser(tx, {
    name: FIRST_OPERATOR,
    roles: ['operator', 'engineer'],
    team: DEFAULT_TEAM,
    disabled: false,
    createdMs: nowMs,
    deletedMs: null,
  });
  const { token, record } = await issueToken(deps, tx, {
    user: FIRST_OPERATOR,
    name: 'first',
    scopes: ['*'],
    nowMs,
    expiresMs: null,
  });
  attest('user', FIRST_OPERATOR);
  attest('token', record.id);
  return token;
}

/** Gives the first operator a new token in the place of all that it had; undefined when that user is not there or may not act. */
export async function renewFirstOperator(
  deps: { clock: Clock; ids: Ids },
  tx: Tx,
  { attest }: Pick<Crossing, 'attest'>,
): Promise<string | undefined> {
  const user = await selectUser(tx, FIRST_OPERATOR);
  if (user === undefined || user.disabled || user.deletedMs !== null) return undefined;
  const nowMs = deps.clock.nowMs();
  for (const id of await revokeTokensOf(tx, FIRST_OPERATOR, nowMs)) attest('token', id);
  const { token, record } = await issueToken(deps, tx, {
    user: FIRST_OPERATOR,
    name: 'first',
    scopes: ['*'],
    nowMs,
    expiresMs: null,
  });
  attest('token', record.id);
  return token;
}
