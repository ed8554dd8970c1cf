import { z } from 'zod';
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '#src/http/page.ts';
import { type Route, route } from '#src/http/route.ts';
import { type CreateEnvironmentDeps, createEnvironment, EnvironmentRequest } from './create-environment.ts';
import { type DeleteEnvironmentDeps, findEnvironment, removeEnvironment } from './delete-environment.ts';
import { EnvironmentView, packagesOfLock, viewEnvironment } from './environment.ts';
import { selectEnvironments } from './environment-store.ts';
import { watchBuildRoute } from './watch-build-route.ts';

const Ref = z.object({ name: z.string().min(1).max(200) });

/** The REST routes about environments. */
export function environmentRoutes(deps: CreateEnvironmentDeps & DeleteEnvironmentDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/environments',
      action: 'environment.create',
      resource: 'environment',
      summary: 'Resolve packages to a lock and install it',
      body: EnvironmentRequest,
      response: EnvironmentView,
      status: 201,
      handle: async ({ identity, requestId, body }) =>
        viewEnvironment(await createEnvironment(deps, { identity, requestId, request: body })),
    }),
    route({
      method: 'GET',
      path: '/api/v1/environments',
      action: 'environment.list',
      resource: 'environment',
      summary: 'Environments by name',
      query: z.object(pageQuery),
      response: pageOf(EnvironmentView),
      handle: async ({ query, cross }) => {
        const after = query.cursor === undefined ? '' : String(decodeCursor(query.cursor)[0]);
        const found = await cross({
          object: { kind: 'environment', id: '*' },
          ask: async () => [
            {
              action: 'environment.list',
              resource: 'environment',
              object: { type: 'environment', id: '*', labels: [] },
            },
          ],
          act: (tx) => selectEnvironments(tx, { after, limit: query.limit + 1 }),
        });
        const page = found.slice(0, query.limit);
        const next = found.length > query.limit ? encodeCursor([page.at(-1)?.name ?? '']) : null;
        return { items: page.map(viewEnvironment), next };
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/environments/:name',
      action: 'environment.read',
      resource: 'environment',
      summary: 'One environment with all its packages',
      params: Ref,
      response: EnvironmentView.extend({ lock: z.array(z.string()) }),
      handle: async ({ params, cross }) => {
        const environment = await cross({
          object: { kind: 'environment', id: params.name },
          ask: async () => [
            {
              action: 'environment.read',
              resource: 'environment',
              object: { type: 'environment', id: params.name, labels: [] },
            },
          ],
          act: (tx) => findEnvironment(tx, params.name),
        });
        return { ...viewEnvironment(environment), lock: packagesOfLock(environment.lock) };
      },
    }),
    watchBuildRoute(deps),
    route({
      method: 'DELETE',
      path: '/api/v1/environments/:name',
      action: 'environment.delete',
      resource: 'environment',
      summary: 'Remove an environment that no sandbox uses',
      params: Ref,
      query: z.object({ dryRun: z.stringbool().default(false) }),
      response: EnvironmentView,
      handle: async ({ params, query, identity, requestId }) =>
        viewEnvironment(
          await removeEnvironment(deps, { identity, requestId, name: params.name, dryRun: query.dryRun }),
        ),
    }),
  ];
}
