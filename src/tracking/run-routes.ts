import { z } from 'zod';
import { yieldLongTurn } from '#kernel/long-turn.ts';
import type { Reader } from '#kernel/sql.ts';
import { decodeCursor, encodeCursor, pageOf, pageQuery } from '#src/http/page.ts';
import { type Route, route } from '#src/http/route.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import { selectAllExperimentIds, selectExperimentByName, selectExperimentNames } from './experiment-store.ts';
import { noSuchRun, type Run, runObject } from './run.ts';
import { searchRuns } from './run-search-store.ts';
import { selectRun, selectRunData } from './run-store.ts';

const RunView = z.object({
  id: z.string(),
  name: z.string(),
  experiment: z.string(),
  status: z.string(),
  owner: z.string(),
  sandbox: z.string().nullable(),
  labels: z.array(z.string()),
  startedAt: z.string().nullable(),
  endedAt: z.string().nullable(),
  lifecycle: z.string(),
  page: z
    .string()
    .nullable()
    .describe('address of its page, for a browser that "fumehood run open" has let in; null where none is served'),
});
const Values = z.record(z.string(), z.string());
const WholeRun = RunView.extend({
  params: Values,
  tags: Values,
  metrics: z.record(z.string(), z.union([z.number(), z.string()])),
  artifactUri: z.string(),
});

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

const viewRun = (
  run: Run,
  shown: { experiment: string; labels: string[]; page: string | null },
): z.infer<typeof RunView> => ({
  id: run.id,
  name: run.name,
  experiment: shown.experiment,
  status: run.status,
  owner: run.owner,
  sandbox: run.sandboxId,
  labels: shown.labels,
  startedAt: iso(run.startMs),
  endedAt: iso(run.endMs),
  lifecycle: run.lifecycle,
  page: shown.page,
});

type Deps = {
  labelsOf: (reader: Reader, nodes: NodeRef[]) => Promise<string[]>;
  labelsByRun: (reader: Reader, ids: string[]) => Promise<Map<string, string[]>>;
  /** The address of the page of a run; null where none is served. */
  runPage: (runId: string) => string | null;
};

/** `GET /api/v1/runs` and `/api/v1/runs/:id`. */
export function runRoutes(deps: Deps): Route[] {
  return [listRoute(deps), getRoute(deps)];
}

const ListQuery = z.object({
  ...pageQuery,
  experiment: z.string().max(500).optional(),
  filter: z.string().max(10_000).default(''),
});

function listRoute(deps: Deps): Route {
  return route({
    method: 'GET',
    path: '/api/v1/runs',
    action: 'run.list',
    resource: 'run',
    summary: 'Your own runs, newest first; an officer sees those of all',
    query: ListQuery,
    response: pageOf(RunView),
    handle: async ({ query, identity, cross }) => {
      const everybody = identity.roles.includes('officer');
      return cross({
        object: { kind: 'run', id: '*' },
        ask: async () => [
          {
            action: 'run.list',
            resource: 'run',
            object: { type: 'run', id: '*', ...(everybody ? {} : { owner: identity.user }), labels: [] },
          },
        ],
        act: async (tx) => {
          const experiment =
            query.experiment === undefined ? undefined : await selectExperimentByName(tx, query.experiment);
          const experimentIds =
            query.experiment === undefined
              ? await selectAllExperimentIds(tx)
              : experiment === undefined
                ? []
                : [experiment.id];
          const pageToken = query.cursor === undefined ? undefined : String(decodeCursor(query.cursor)[0]);
          const search = {
            experimentIds,
            filter: query.filter,
            orderBy: [],
            lifecycles: ['active'] as const,
            limit: query.limit,
            pageToken,
          };
          const { runs, nextToken } = await searchRuns(tx, everybody ? search : { ...search, owner: identity.user });
          const names = await selectExperimentNames(tx, [...new Set(runs.map((run) => run.experimentId))]);
          const labels = await deps.labelsByRun(
            tx,
            runs.map((run) => run.id),
          );
          const items: z.infer<typeof RunView>[] = [];
          for (const run of runs) {
            await yieldLongTurn();
            const experiment = names.get(run.experimentId) ?? run.experimentId;
            items.push(viewRun(run, { experiment, labels: labels.get(run.id) ?? [], page: deps.runPage(run.id) }));
          }
          return { items, next: nextToken === undefined ? null : encodeCursor([nextToken]) };
        },
      });
    },
  });
}

function getRoute(deps: Deps): Route {
  return route({
    method: 'GET',
    path: '/api/v1/runs/:id',
    action: 'run.read',
    resource: 'run',
    summary: 'One run: parameters, latest metrics, tags, labels',
    params: z.object({ id: z.string().min(1).max(64) }),
    response: WholeRun,
    handle: ({ params, cross }) => {
      let found: Run | undefined;
      let labels: string[] = [];
      return cross({
        object: { kind: 'run', id: params.id },
        ask: async (reader) => {
          found = await selectRun(reader, params.id);
          if (found === undefined) throw noSuchRun(params.id);
          labels = await deps.labelsOf(reader, [{ kind: 'run', id: found.id }]);
          return [{ action: 'run.read', resource: 'run', object: runObject(found, labels) }];
        },
        act: async (tx) => {
          if (found === undefined) throw noSuchRun(params.id);
          const names = await selectExperimentNames(tx, [found.experimentId]);
          const data = (await selectRunData(tx, [found.id])).get(found.id);
          const pairs = (list: { key: string; value: string }[] = []): Record<string, string> =>
            Object.fromEntries(list.map(({ key, value }) => [key, value]));
          const metrics = Object.fromEntries(
            (data?.metrics ?? []).map(({ key, value }) => [key, Number.isFinite(value) ? value : String(value)]),
          );
          const experiment = names.get(found.experimentId) ?? found.experimentId;
          const view = viewRun(found, { experiment, labels, page: deps.runPage(found.id) });
          return {
            ...view,
            params: pairs(data?.params),
            tags: pairs(data?.tags),
            metrics,
            artifactUri: found.artifactUri,
          };
        },
      });
    },
  });
}
