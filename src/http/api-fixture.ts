import { z } from 'zod';
import { systemClock } from '#kernel/clock.ts';
import { AppError } from '#kernel/errors.ts';
import { randomIds } from '#kernel/ids.ts';
import { createLog } from '#kernel/log.ts';
import { createCommitter } from '#src/audit/committer.ts';
import type { EntryDraft } from '#src/audit/entry.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { createGateway, question } from '#src/gateway/crossing.ts';
import { type Route, route } from './route.ts';
import { type Api, type ApiDeps, createApi } from './server.ts';
import { watchCrossings } from './watch-crossings.ts';
import type { WebSocketRoute } from './websocket-route.ts';

/** For tests: an API over a real gateway and store, whose policy allows all but the action `thing.forbidden`. */
export async function startApi(
  options: { routes?: Route[]; webSocketRoutes?: WebSocketRoute[] } & Pick<ApiDeps, 'open' | 'watch'> = {},
) {
  const database = await openDatabase('sqlite::memory:');
  const entries: EntryDraft[] = [];
  const logged: string[] = [];
  const { gateway, crossings } = watchCrossings(
    createGateway({
      database,
      clock: systemClock,
      committer: createCommitter({
        database,
        log: {
          begin: async () => undefined,
          append: async (_tx, drafts) => {
            entries.push(...drafts);
            return { committed: () => undefined, durable: () => undefined, wasCommitted: async () => true };
          },
        },
      }),
      decider: {
        decide: async (_reader, { questions }) => {
          const allowed = questions.every((asked) => asked.action !== 'thing.forbidden');
          const reason = allowed ? '' : 'things are forbidden';
          return { id: 'dec-1', allowed, bundles: [], inputDigest: '', reason };
        },
        record: async () => undefined,
      },
      lineage: { labelsOf: async () => [], addLabels: async () => undefined, observe: async () => undefined },
    }),
  );
  const api: Api = createApi({
    routes: options.routes ?? thingRoutes(),
    webSocketRoutes: options.webSocketRoutes ?? [],
    gateway,
    crossings,
    database,
    clock: systemClock,
    ids: randomIds,
    log: createLog((line) => logged.push(line)),
    version: '0.0.0',
    ...(options.open === undefined ? {} : { open: options.open }),
    ...(options.watch === undefined ? {} : { watch: options.watch }),
    authenticate: async (bearer) => {
      if (bearer !== 'good') throw new AppError('unauthenticated', 'The token is not valid.');
      return { type: 'user', id: 'ada', user: 'ada', roles: ['engineer'], scopes: ['*'], purpose: '' };
    },
  });
  const { url, port } = await api.listen({ host: '127.0.0.1', port: 0 });
  const close = async (): Promise<void> => {
    await api.close({ graceMs: 100 });
    await database.close();
  };
  return { api, url, port, entries, logged, close };
}

const thing = z.object({ name: z.string().min(1), size: z.number().int() });
const base = { resource: 'run', summary: 'Test' } as const;

/** Routes that show each way of a request. */
export function thingRoutes(): Route[] {
  let made = 0;
  const act = async () => {
    made += 1;
    return { name: 'made', size: made, hidden: 'never shown' };
  };
  const crossing = (action: string) => ({
    object: { kind: 'thing', id: 'x' },
    ask: async () => [question(action, 'run', { type: 'thing', id: 'x', labels: [] })],
    act,
  });
  return [
    route({
      ...base,
      method: 'POST',
      path: '/api/v1/things',
      action: 'thing.create',
      body: thing,
      response: thing,
      status: 201,
      handle: ({ cross }) => cross(crossing('thing.create')),
    }),
    route({
      ...base,
      method: 'GET',
      path: '/api/v1/things/:id',
      action: 'thing.get',
      params: z.object({ id: z.string().max(8) }),
      query: z.object({ depth: z.coerce.number().int().default(1) }),
      response: thing.extend({ depth: z.number() }),
      handle: async ({ cross, query }) => ({ ...(await cross(crossing('thing.get'))), depth: query.depth }),
    }),
    route({
      ...base,
      method: 'DELETE',
      path: '/api/v1/things/:id',
      action: 'thing.forbidden',
      params: z.object({ id: z.string() }),
      response: z.undefined(),
      status: 204,
      handle: async ({ cross }) => {
        await cross(crossing('thing.forbidden'));
        return undefined;
      },
    }),
    route({
      ...base,
      method: 'GET',
      path: '/api/v1/silent',
      action: 'thing.silent',
      response: thing,
      handle: async () => ({ name: 'leak', size: 1 }),
    }),
    route({
      ...base,
      method: 'GET',
      path: '/api/v1/silent-stream',
      action: 'thing.silent',
      response: 'stream',
      handle: async ({ raw }) => {
        raw.response.end('leak');
        return undefined;
      },
    }),
    route({
      ...base,
      method: 'GET',
      path: '/api/v1/broken',
      action: 'thing.broken',
      response: thing,
      handle: () => Promise.reject(new Error('the inner reason')),
    }),
  ];
}
