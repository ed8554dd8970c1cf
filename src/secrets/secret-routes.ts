import { z } from 'zod';
import { type Route, route } from '#src/http/route.ts';
import type { Secrets } from './create-secrets.ts';
import { noSecret } from './secret.ts';

const Path = z.object({ path: z.string().min(1) });
const VersionView = z.object({ path: z.string(), version: z.number().int(), createdAt: z.iso.datetime() });
const DOOR = 'api';

/** `secret put|get|list|delete PATH`. */
export function secretRoutes(secrets: Secrets): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/secrets',
      action: 'secret.list',
      resource: 'secret',
      summary: 'List the names below a prefix',
      query: z.object({ prefix: z.string().default('') }),
      response: z.object({ items: z.array(z.string()) }),
      handle: async ({ query, identity, requestId }) => ({
        items: await secrets.list({ identity, requestId, door: DOOR, prefix: query.prefix }),
      }),
    }),
    route({
      method: 'PUT',
      path: '/api/v1/secrets/*path',
      action: 'secret.write',
      resource: 'secret',
      summary: 'Add a version of a secret',
      params: Path,
      body: z.object({ data: z.record(z.string(), z.unknown()), cas: z.number().int().min(0).optional() }),
      response: VersionView,
      handle: async ({ params, body, identity, requestId }) => {
        const { path } = params;
        const { data: value, cas } = body;
        const written = await secrets.write({ identity, requestId, door: DOOR, path, value, cas });
        return { path, version: written.version, createdAt: new Date(written.createdMs).toISOString() };
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/secrets/*path',
      action: 'secret.read',
      resource: 'secret',
      summary: 'Read a secret',
      params: Path,
      query: z.object({ version: z.coerce.number().int().min(1).optional() }),
      response: VersionView.extend({ data: z.record(z.string(), z.unknown()) }),
      handle: async ({ params, query, identity, requestId }) => {
        const { path } = params;
        const read = await secrets.read({ identity, requestId, door: DOOR, path, version: query.version });
        if (read.value === undefined) throw noSecret(path);
        return {
          path,
          version: read.version,
          createdAt: new Date(read.createdMs).toISOString(),
          data: read.value,
        };
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/secrets/*path',
      action: 'secret.delete',
      resource: 'secret',
      summary: 'Delete the current version (it can be undeleted), or with all=true the secret for good',
      params: Path,
      query: z.object({ all: z.stringbool().default(false) }),
      response: z.undefined(),
      status: 204,
      handle: async ({ params, query, identity, requestId }) => {
        const request = { identity, requestId, door: DOOR, path: params.path };
        if (query.all) await secrets.remove(request);
        else await secrets.removeVersions({ ...request, how: 'delete' });
        return undefined;
      },
    }),
  ];
}
