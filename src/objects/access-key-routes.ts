import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '#src/http/page.ts';
import { type Route, route } from '#src/http/route.ts';
import type { PolicyObject } from '#src/policies/decision.ts';
import type { AccessKey } from './access-key.ts';
import { selectAccessKeys, selectKeyUser } from './access-key-store.ts';
import type { AccessKeys } from './access-keys.ts';

const LONGEST_SECONDS = 12 * 60 * 60;

const KeyRequest = z.object({
  readOnly: z.boolean().default(false).describe('the key only reads'),
  ttlSeconds: z
    .number()
    .int()
    .min(60)
    .max(LONGEST_SECONDS)
    .default(3600)
    .describe('how long it works; at most 12 hours'),
});
type KeyRequest = z.infer<typeof KeyRequest>;

const KeyView = z.object({
  accessKeyId: z.string(),
  secretAccessKey: z.string().describe('shown once'),
  readOnly: z.boolean(),
  expiresAt: z.string(),
});

const ListQuery = z.object({
  ...pageQuery,
  all: z.stringbool().default(false).describe("everybody's, not only your own"),
});
const KeyItem = z.object({
  accessKeyId: z.string(),
  user: z.string(),
  readOnly: z.boolean(),
  createdAt: z.string(),
  expiresAt: z.string(),
});
const viewKey = (key: AccessKey): z.infer<typeof KeyItem> => ({
  accessKeyId: key.accessKeyId,
  user: key.identity.user,
  readOnly: key.readOnly,
  createdAt: new Date(key.createdMs).toISOString(),
  expiresAt: new Date(key.expiresMs).toISOString(),
});

const KeyRef = z.object({ id: z.string().regex(/^FUME[A-Z2-7]{16}$/, 'is not the id of an access key') });

const objectOf = (id: string, owner: string): PolicyObject => ({ type: 'access-key', id, owner, labels: [] });

/** The REST routes about S3 key pairs of people, for use outside of sandboxes. */
export function accessKeyRoutes(deps: { accessKeys: AccessKeys }): Route[] {
  return [
    listRoute(),
    route({
      method: 'POST',
      path: '/api/v1/access-keys',
      action: 'token.create',
      resource: 'token',
      summary: 'Make an S3 key pair of your own for use outside of sandboxes; its secret is shown once',
      body: KeyRequest as unknown as z.ZodType<KeyRequest>,
      response: KeyView,
      status: 201,
      handle: async ({ body, identity, cross }) => {
        const { readOnly } = body;
        const key = await deps.accessKeys.issue({ identity, readOnly, ttlMs: body.ttlSeconds * 1000 });
        const { accessKeyId, secretAccessKey, expiresMs } = key;
        await cross<void>({
          object: { kind: 'access-key', id: accessKeyId },
          ask: async () => [
            { action: 'token.create', resource: 'token', object: objectOf(accessKeyId, identity.user) },
          ],
          act: async (tx, crossing) => {
            crossing.detail('readOnly', readOnly);
            await key.save(tx);
          },
        });
        return { accessKeyId, secretAccessKey, readOnly, expiresAt: new Date(expiresMs).toISOString() };
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/access-keys/:id',
      action: 'token.revoke',
      resource: 'token',
      summary: 'Revoke an S3 key pair',
      params: KeyRef,
      response: z.undefined(),
      status: 204,
      handle: ({ params, cross }) =>
        cross<undefined>({
          object: { kind: 'access-key', id: params.id },
          ask: async (reader) => {
            const owner = await selectKeyUser(reader, params.id);
            if (owner === undefined) throw missing();
            return [{ action: 'token.revoke', resource: 'token', object: objectOf(params.id, owner) }];
          },
          act: async (tx) => {
            await deps.accessKeys.revoke(tx, params.id);
            return undefined;
          },
        }),
    }),
  ];
}

function listRoute(): Route {
  return route({
    method: 'GET',
    path: '/api/v1/access-keys',
    action: 'token.list',
    resource: 'token',
    summary: 'Your S3 key pairs that work: ids and times, never the secrets; those of sandboxes end with them',
    query: ListQuery,
    response: pageOf(KeyItem),
    handle: async ({ query, identity, cross }) => {
      const after = query.cursor === undefined ? '' : String(decodeCursor(query.cursor)[0]);
      const user = query.all ? undefined : identity.user;
      const found = await cross({
        object: { kind: 'access-key', id: '*' },
        ask: async () => [{ action: 'token.list', resource: 'token', object: objectOf('*', user ?? '*') }],
        act: (tx, { nowMs }) => selectAccessKeys(tx, { user, after, limit: query.limit + 1, nowMs }),
      });
      const page = found.slice(0, query.limit);
      return {
        items: page.map(viewKey),
        next: found.length > query.limit ? encodeCursor([page.at(-1)?.accessKeyId ?? '']) : null,
      };
    },
  });
}

const missing = () =>
  new AppError('not_found', 'There is no such access key.', {
    details: { hint: 'It has been revoked already, or was never issued.' },
  });
