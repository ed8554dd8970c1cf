import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import { type Route, route } from '#src/http/route.ts';
import type { Visits } from '#src/identity/visits.ts';
import { openRun } from './show-run.ts';
import type { TrackingDeps } from './tracking-deps.ts';

type Deps = Pick<TrackingDeps, 'gateway' | 'lineage' | 'clock' | 'ids'> & {
  visits: Visits;
  /** The site of the pages of runs. */
  site: string;
  entryUrl: (site: string, ticket: string) => string;
  tokenHashOf: (authorization: string | undefined) => string | undefined;
};

/** `POST /api/v1/runs/:id/open`. */
export function runOpenRoutes(deps: Deps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/runs/:id/open',
      action: 'run.read',
      resource: 'port',
      summary: 'A one-time link to the page of a run',
      params: z.object({ id: z.string().min(1).max(64) }),
      body: z.strictObject({}),
      response: z.object({ id: z.string(), url: z.string(), urlExpiresAt: z.string() }),
      handle: async ({ identity, requestId, params, raw }) => {
        const tokenHash = deps.tokenHashOf(raw.request.headers.authorization);
        if (tokenHash === undefined) throw new AppError('unauthenticated', 'A token is needed to open a run.');
        const caller = { identity, door: 'api', requestId };
        const { ticket, expiresMs } = await openRun(deps, caller, { runId: params.id, site: deps.site, tokenHash });
        return {
          id: params.id,
          url: deps.entryUrl(deps.site, ticket),
          urlExpiresAt: new Date(expiresMs).toISOString(),
        };
      },
    }),
  ];
}
