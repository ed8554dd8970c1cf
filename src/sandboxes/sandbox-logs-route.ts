import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { pageOf } from '#src/http/page.ts';
import { type Route, route } from '#src/http/route.ts';
import type { SandboxDeps } from './sandbox-deps.ts';
import { selectSandboxEvents } from './sandbox-store.ts';
import { crossAbout } from './use-sandbox.ts';

const LOOK_EVERY_MS = 250;
const MOST_EVENTS = 10_000;

const Ref = z.object({ id: z.string().min(1).max(128).describe('id, or the name of one of your own') });
const Query = z.object({
  after: z.coerce.number().int().min(0).default(0).describe('only what stands after this position'),
  waitMs: z.coerce.number().int().min(0).max(60_000).default(0).describe('when there is nothing, wait so long for it'),
});
const SandboxEvent = z.object({ position: z.number(), time: z.string(), kind: z.string(), message: z.string() });

/** `GET /api/v1/sandboxes/:id/logs`: a page of history; one that is followed waits in one crossing for what comes next. */
export function logsRoute(deps: SandboxDeps): Route {
  return route({
    method: 'GET',
    path: '/api/v1/sandboxes/:id/logs',
    action: 'sandbox.read',
    resource: 'sandbox',
    summary: 'The history of a sandbox: states, execs and how they ended (never their output)',
    params: Ref,
    query: Query,
    response: pageOf(SandboxEvent),
    handle: async ({ identity, requestId, params, query, signal }) => {
      await deps.execHistory.written();
      const page = { after: query.after, limit: MOST_EVENTS };
      const use = { identity, requestId, ref: params.id };
      const { sandbox, answer } = await crossAbout(deps, use, 'sandbox.read', (tx, _crossing, found) =>
        selectSandboxEvents(tx, found.id, page),
      );
      let events = answer;
      const until = deps.clock.nowMs() + query.waitMs;
      while (events.length === 0 && deps.clock.nowMs() < until && !signal.aborted) {
        await sleep(LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
        events = await deps.database.read((reader) => selectSandboxEvents(reader, sandbox.id, page));
      }
      const items = events.map(({ position, at_ms, kind, message }) => ({
        position,
        time: new Date(at_ms).toISOString(),
        kind,
        message,
      }));
      return { items, next: null };
    },
  });
}
