import { z } from 'zod';
import { question } from '#src/gateway/crossing.ts';
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '#src/http/page.ts';
import { type Route, route } from '#src/http/route.ts';
import { changeUser, deleteUser, findUser, UserChange } from './change-user.ts';
import { createUser, UserRequest } from './create-user.ts';
import type { IdentityDeps } from './identity-deps.ts';
import { Role, UserView, userObject, viewUser } from './user.ts';
import { selectUsers } from './user-store.ts';

const Ref = z.object({ name: z.string().min(1).max(100) });
const Created = UserView.extend({ token: z.string().describe('shown once') });
const WhoAmI = z.object({
  user: z.string(),
  roles: z.array(Role),
  team: z.string(),
  scopes: z.array(z.string()),
});

/** The REST routes about users, `whoami` included. */
export function userRoutes(deps: IdentityDeps): Route[] {
  return [...changingRoutes(deps), ...readingRoutes()];
}

function changingRoutes(deps: IdentityDeps): Route[] {
  const base = { resource: 'user' } as const;
  return [
    route({
      ...base,
      method: 'POST',
      path: '/api/v1/users',
      action: 'user.create',
      summary: 'Add a user; the answer holds its first token, once',
      body: UserRequest,
      response: Created,
      status: 201,
      handle: async ({ identity, requestId, body }) => {
        const { user, token } = await createUser(deps, { identity, requestId }, body);
        return { ...viewUser(user), token };
      },
    }),
    route({
      ...base,
      method: 'PATCH',
      path: '/api/v1/users/:name',
      action: 'user.update',
      summary: 'Change roles or team of a user, disable or enable it',
      params: Ref,
      body: UserChange,
      response: UserView,
      handle: async ({ identity, requestId, params, body }) =>
        viewUser(await changeUser(deps, { identity, requestId }, params.name, body)),
    }),
    route({
      ...base,
      method: 'DELETE',
      path: '/api/v1/users/:name',
      action: 'user.delete',
      summary: 'Delete a user and end its tokens',
      params: Ref,
      response: UserView,
      handle: async ({ identity, requestId, params }) =>
        viewUser(await deleteUser(deps, { identity, requestId }, params.name)),
    }),
  ];
}

function readingRoutes(): Route[] {
  const base = { resource: 'user', method: 'GET' } as const;
  return [
    route({
      ...base,
      path: '/api/v1/users',
      action: 'user.list',
      summary: 'Users by name',
      query: z.object(pageQuery),
      response: pageOf(UserView),
      handle: async ({ query, cross }) => {
        const after = query.cursor === undefined ? '' : String(decodeCursor(query.cursor)[0]);
        const found = await cross({
          object: { kind: 'user', id: '*' },
          ask: async () => [question('user.list', 'user', { type: 'user', id: '*', labels: [] })],
          act: (tx) => selectUsers(tx, { after, limit: query.limit + 1 }),
        });
        const page = found.slice(0, query.limit);
        return {
          items: page.map(viewUser),
          next: found.length > query.limit ? encodeCursor([page.at(-1)?.name ?? '']) : null,
        };
      },
    }),
    route({
      ...base,
      path: '/api/v1/users/:name',
      action: 'user.read',
      summary: 'One user',
      params: Ref,
      response: UserView,
      handle: async ({ params, cross }) =>
        viewUser(
          await cross({
            object: { kind: 'user', id: params.name },
            ask: async () => [question('user.read', 'user', userObject(params.name))],
            act: (tx) => findUser(tx, params.name),
          }),
        ),
    }),
    route({
      ...base,
      path: '/api/v1/whoami',
      action: 'user.read',
      summary: 'Whom the token stands for',
      response: WhoAmI,
      handle: async ({ identity, cross }) => {
        const user = await cross({
          object: { kind: 'user', id: identity.user },
          ask: async () => [question('user.read', 'user', userObject(identity.user))],
          act: (tx) => findUser(tx, identity.user),
        });
        return { user: user.name, roles: user.roles, team: user.team, scopes: identity.scopes };
      },
    }),
  ];
}
