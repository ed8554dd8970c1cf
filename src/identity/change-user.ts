import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import type { Reader, Tx } from '#kernel/sql.ts';
import type { Crossing } from '#src/gateway/crossing.ts';
import type { Caller, IdentityDeps } from './identity-deps.ts';
import { revokeTokensOf } from './token-store.ts';
import { isActive, noSuchUser, Role, TeamName, type User, userObject } from './user.ts';
import { selectActiveWithRole, selectUser, updateUser } from './user-store.ts';

export const UserChange = z
  .strictObject({
    roles: z.array(Role).min(1).max(3).optional(),
    team: TeamName.optional(),
    disabled: z.boolean().optional(),
  })
  .refine((change) => Object.keys(change).length > 0, 'name at least one of roles, team and disabled');
export type UserChange = z.infer<typeof UserChange>;

/** Changes a user's roles, team or whether it may act; takes effect at the user's next request. */
export function changeUser(deps: IdentityDeps, caller: Caller, name: string, change: UserChange): Promise<User> {
  return crossAboutUser(deps, caller, { action: 'user.update', name, more: { ...change } }, async (tx, user) => {
    const changed: User = {
      ...user,
      ...(change.roles === undefined ? {} : { roles: [...new Set(change.roles)] }),
      ...(change.team === undefined ? {} : { team: change.team }),
      ...(change.disabled === undefined ? {} : { disabled: change.disabled }),
    };
    await updateUser(tx, changed);
    return changed;
  });
}

/** Deletes a user and ends its tokens; the name stays taken, what it owned stays where it is. */
export function deleteUser(deps: IdentityDeps, caller: Caller, name: string): Promise<User> {
  return crossAboutUser(
    deps,
    caller,
    { action: 'user.delete', name, more: {} },
    async (tx, user, { nowMs, attest }) => {
      const deleted: User = { ...user, disabled: true, deletedMs: nowMs };
      await updateUser(tx, deleted);
      for (const id of await revokeTokensOf(tx, name, nowMs)) attest('token', id);
      return deleted;
    },
  );
}

/** A user who is not deleted. Throws `not_found`. */
export async function findUser(reader: Reader, name: string): Promise<User> {
  const user = await selectUser(reader, name);
  if (user === undefined || user.deletedMs !== null) throw noSuchUser(name);
  return user;
}

async function crossAboutUser(
  deps: IdentityDeps,
  caller: Caller,
  about: { action: string; name: string; more: Record<string, unknown> },
  change: (tx: Tx, user: User, crossing: Crossing) => Promise<User>,
): Promise<User> {
  const { action, name } = about;
  return deps.gateway.cross({
    ...caller,
    door: 'api',
    action,
    object: { kind: 'user', id: name },
    ask: async (reader) => {
      await findUser(reader, name);
      return [{ action, resource: 'user', object: userObject(name, about.more) }];
    },
    act: async (tx, crossing) => {
      const { detail, attest } = crossing;
      const before = await findUser(tx, name);
      const user = await change(tx, before, crossing);
      attest('user', name);
      await refuseWithoutOperator(tx, before, user);
      detail('roles', user.roles.join(' '));
      detail('disabled', user.disabled);
      return user;
    },
    onCommitted: () => deps.authenticator.forget(name),
  });
}

/** Keeps somebody who can make users: without an operator a control plane could only be thrown away. */
async function refuseWithoutOperator(tx: Tx, before: User, after: User): Promise<void> {
  const wasOne = isActive(before) && before.roles.includes('operator');
  if (!wasOne || (isActive(after) && after.roles.includes('operator'))) return;
  if ((await selectActiveWithRole(tx, 'operator')).length > 0) return;
  throw new AppError('conflict', `"${before.name}" is the last operator.`, {
    details: { hint: 'Make another first: fumehood user create NAME --role operator.' },
  });
}
