import { z } from 'zod';
import { question } from '#src/gateway/crossing.ts';
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '#src/http/page.ts';
import { type Route, route } from '#src/http/route.ts';
import { createToken, revokeToken, TokenRequest } from './create-token.ts';
import type { IdentityDeps } from './identity-deps.ts';
import { TokenView, tokenObject, viewToken } from './token.ts';
import { selectTokens } from './token-store.ts';

const ListQuery = z.object({
  ...pageQuery,
  all: z.stringbool().default(false).describe("everybody's, not only your own"),
});

/** The REST routes about tokens. */
export function tokenRoutes(deps: IdentityDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/tokens',
      action: 'token.create',
      resource: 'token',
      summary: 'Make a further token of your own; it is shown once',
      body: TokenRequest,
      response: TokenView.extend({ token: z.string() }),
      status: 201,
      handle: async ({ identity, requestId, body }) => {
        const { token, record } = await createToken(deps, { identity, requestId }, body);
        return { ...viewToken(record), token };
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/tokens',
      action: 'token.list',
      resource: 'token',
      summary: 'Your tokens: names, scopes and times, never the tokens',
      query: ListQuery,
      response: pageOf(TokenView),
      handle: async ({ query, identity, cross }) => {
        const after = query.cursor === undefined ? '' : String(decodeCursor(query.cursor)[0]);
        const user = query.all ? undefined : identity.user;
        const found = await cross({
          object: { kind: 'token', id: '*' },
          ask: async () => [
            question(
              'token.list',
              'token',
              user === undefined ? { type: 'token', id: '*', owner: '*', labels: [] } : tokenObject('*', user),
            ),
          ],
          act: (tx) => selectTokens(tx, { user, after, limit: query.limit + 1 }),
        });
        const page = found.slice(0, query.limit);
        return {
          items: page.map(viewToken),
          next: found.length > query.limit ? encodeCursor([page.at(-1)?.id ?? '']) : null,
        };
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/tokens/:id',
      action: 'token.revoke',
      resource: 'token',
      summary: 'End a token at once',
      params: z.object({ id: z.string().min(1).max(100) }),
      response: TokenView,
      handle: async ({ identity, requestId, params }) =>
        viewToken(await revokeToken(deps, { identity, requestId }, params.id)),
    }),
  ];
}
