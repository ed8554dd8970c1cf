import { z } from 'zod';
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '#src/http/page.ts';
import { type Page, type Route, type RouteRequest, route } from '#src/http/route.ts';
import { createSandbox } from './create-sandbox.ts';
import { deleteSandbox, previewDelete } from './delete-sandbox.ts';
import { keepSandbox, stopSandbox } from './keep-sandboxes.ts';
import { type Sandbox, SandboxView, viewSandbox } from './sandbox.ts';
import type { SandboxDeps } from './sandbox-deps.ts';
import { logsRoute } from './sandbox-logs-route.ts';
import { duration, SandboxRequest } from './sandbox-request.ts';
import { selectSandboxPage } from './sandbox-store.ts';
import { crossAbout, openSession, type Use } from './use-sandbox.ts';

const Ref = z.object({ id: z.string().min(1).max(128).describe('id, or the name of one of your own') });
type Ref = z.infer<typeof Ref>;
const ListQuery = z.object({
  ...pageQuery,
  all: z.stringbool().default(false).describe('deleted ones too'),
  mine: z.stringbool().default(true).describe("only your own; false asks for everybody's"),
});
type ListQuery = z.infer<typeof ListQuery>;
const Remains = z.array(z.object({ kind: z.string(), what: z.string() }));
const Removed = z.object({ id: z.string(), name: z.string(), state: z.string(), remains: Remains });
const SandboxStats = z.object({
  id: z.string(),
  cpuSeconds: z.number(),
  memoryBytes: z.number(),
  memoryPeakBytes: z.number(),
  pids: z.number(),
  diskBytes: z.number(),
  diskLimitBytes: z.number(),
  oomKills: z.number(),
  runningExecs: z.number(),
  idleMs: z.number(),
});

const useOf = (request: Pick<RouteRequest<Ref, unknown, unknown>, 'identity' | 'requestId' | 'params'>): Use => ({
  identity: request.identity,
  requestId: request.requestId,
  ref: request.params.id,
});

/** The REST routes about sandboxes, but for exec and files. */
export function sandboxRoutes(deps: SandboxDeps): Route[] {
  const view = async (sandbox: Sandbox): Promise<SandboxView> =>
    viewSandbox(
      sandbox,
      await deps.database.read((reader) => deps.labelsOf(reader, [{ kind: 'sandbox', id: sandbox.id }])),
    );
  return [...lifeRoutes(deps, view), ...lookRoutes(deps, view), logsRoute(deps)];
}

type View = (sandbox: Sandbox) => Promise<SandboxView>;

function lifeRoutes(deps: SandboxDeps, view: View): Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/sandboxes',
      action: 'sandbox.create',
      resource: 'sandbox',
      summary: 'Admit and start a sandbox; answers when it runs',
      body: SandboxRequest,
      response: SandboxView,
      status: 201,
      handle: async ({ identity, requestId, body }) =>
        view(await createSandbox(deps, { identity, requestId, request: body })),
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/sandboxes/:id',
      action: 'sandbox.delete',
      resource: 'sandbox',
      summary: 'End a sandbox and prove that nothing of it remains',
      params: Ref,
      query: z.object({ dryRun: z.stringbool().default(false) }),
      response: Removed,
      handle: async (request) => {
        const { identity, requestId, params, query } = request;
        if (query.dryRun) return previewDelete(deps, useOf(request));
        return deleteSandbox(deps, { identity, requestId, ref: params.id });
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/sandboxes/:id/stop',
      action: 'sandbox.stop',
      resource: 'sandbox',
      summary: 'End every process of a sandbox; its workspace stays until it is deleted',
      params: Ref,
      body: z.strictObject({ graceMs: z.number().int().min(0).max(60_000).optional() }),
      response: SandboxView,
      handle: async (request) =>
        view(
          await stopSandbox(
            deps,
            useOf(request),
            request.body.graceMs === undefined ? {} : { graceMs: request.body.graceMs },
          ),
        ),
    }),
    route({
      method: 'POST',
      path: '/api/v1/sandboxes/:id/keepalive',
      action: 'sandbox.keepalive',
      resource: 'sandbox',
      summary: 'Count as work now; with ttl, move the end',
      params: Ref,
      body: z.strictObject({ ttl: duration('ttl').optional() }),
      response: SandboxView,
      handle: async (request) =>
        view(
          await keepSandbox(deps, useOf(request), request.body.ttl === undefined ? {} : { ttlMs: request.body.ttl }),
        ),
    }),
  ];
}

function lookRoutes(deps: SandboxDeps, view: View): Route[] {
  return [
    route<Record<string, never>, ListQuery, undefined, Page<SandboxView>>({
      method: 'GET',
      path: '/api/v1/sandboxes',
      action: 'sandbox.list',
      resource: 'sandbox',
      summary: 'Sandboxes, newest first',
      query: ListQuery,
      response: pageOf(SandboxView),
      handle: async ({ identity, query, cross }) => {
        const sandboxes = await cross({
          object: { kind: 'sandbox', id: query.mine ? identity.user : '*' },
          ask: async () => [
            {
              action: 'sandbox.list',
              resource: 'sandbox',
              object: {
                type: 'sandbox',
                id: query.mine ? identity.user : '*',
                ...(query.mine ? { owner: identity.user } : {}),
                labels: [],
              },
            },
          ],
          act: (tx) => selectSandboxPage(tx, listOptions(query, identity.user)),
        });
        const page = sandboxes.slice(0, query.limit);
        const last = page.at(-1);
        const next =
          sandboxes.length > query.limit && last !== undefined ? encodeCursor([last.createdMs, last.id]) : null;
        return { items: await Promise.all(page.map(view)), next };
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/sandboxes/:id',
      action: 'sandbox.read',
      resource: 'sandbox',
      summary: 'One sandbox',
      params: Ref,
      response: SandboxView,
      handle: async (request) =>
        view((await crossAbout(deps, useOf(request), 'sandbox.read', async () => undefined)).sandbox),
    }),
    route({
      method: 'GET',
      path: '/api/v1/sandboxes/:id/stats',
      action: 'sandbox.read',
      resource: 'sandbox',
      summary: 'What a running sandbox uses',
      params: Ref,
      response: SandboxStats,
      handle: async (request) => {
        const { sandbox, live } = await openSession(deps, { ...useOf(request), quiet: true }, 'sandbox.read');
        const stats = await deps.driver.stats(live.handle);
        return {
          id: sandbox.id,
          ...stats,
          runningExecs: live.execs.size,
          idleMs: Math.max(0, deps.clock.nowMs() - live.lastActiveMs),
        };
      },
    }),
  ];
}

function listOptions(query: ListQuery, user: string): Parameters<typeof selectSandboxPage>[1] {
  const [createdMs, id] = query.cursor === undefined ? [] : decodeCursor(query.cursor);
  return {
    ...(query.mine ? { owner: user } : {}),
    all: query.all,
    limit: query.limit + 1,
    ...(createdMs === undefined ? {} : { before: { createdMs: Number(createdMs), id: String(id) } }),
  };
}
