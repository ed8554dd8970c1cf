import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import { type Route, route } from '#src/http/route.ts';
import type { Visits } from '#src/identity/visits.ts';
import { openPort } from './open-port.ts';
import type { SandboxDeps } from './sandbox-deps.ts';

export type PortRouteDeps = SandboxDeps & {
  visits: Visits;
  /** The address of a site's entry for a ticket. Throws `capability_missing` when sites cannot be served here. */
  entryUrl: (site: string, ticket: string) => string;
  /** The hash under which the token of a request is stored. */
  tokenHashOf: (authorization: string | undefined) => string | undefined;
};

/** `POST /api/v1/sandboxes/:id/open`. */
export function portRoutes(deps: PortRouteDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/sandboxes/:id/open',
      action: 'port.open',
      resource: 'port',
      summary:
        'A one-time link to a port of a sandbox, on an origin of its own; JupyterLab is started when no port is named',
      params: z.object({ id: z.string().min(1).max(128) }),
      body: z.strictObject({ port: z.number().int().min(1).max(65_535).optional() }),
      response: z.object({
        id: z.string(),
        name: z.string(),
        port: z.number(),
        url: z.string(),
        urlExpiresAt: z.string(),
        expiresAt: z.string(),
      }),
      handle: async ({ identity, requestId, params, body, raw }) => {
        const tokenHash = deps.tokenHashOf(raw.request.headers.authorization);
        if (tokenHash === undefined) throw new AppError('unauthenticated', 'A token is needed to open a port.');
        const use = { identity, requestId, ref: params.id };
        const opened = await openPort(deps, use, { port: body.port, tokenHash });
        return {
          id: opened.sandbox.id,
          name: opened.sandbox.name,
          port: opened.port,
          url: deps.entryUrl(opened.site, opened.ticket),
          urlExpiresAt: new Date(opened.expiresMs).toISOString(),
          expiresAt: new Date(opened.sandbox.expiresMs).toISOString(),
        };
      },
    }),
  ];
}
