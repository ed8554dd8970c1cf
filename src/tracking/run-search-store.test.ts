import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { type Database, type Reader, rawSql, sql } from '#kernel/sql.ts';
import { openDatabase } from '#src/database/open-database.ts';
import type { Run } from './run.ts';
import { type RunSearch, searchRuns } from './run-search-store.ts';
import { insertMetrics, insertParams, insertRun } from './run-store.ts';

type Known = Run & { metrics: Record<string, number>; params: Record<string, string> };

const STATUSES = ['RUNNING', 'FINISHED', 'FAILED'] as const;
const metric = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constant(Number.NaN),
);
const someRun = fc.record({
  experiment: fc.integer({ min: 1, max: 3 }),
  owner: fc.constantFrom('ada', 'bob'),
  startMs: fc.integer({ min: 1, max: 6 }),
  endMs: fc.option(fc.integer({ min: 1, max: 4 })),
  name: fc.constantFrom('a', 'b', 'É', 'zz'),
  status: fc.constantFrom(...STATUSES),
  deleted: fc.integer({ min: 0, max: 5 }),
  loss: fc.option(metric),
  acc: fc.option(metric),
  model: fc.option(fc.constantFrom('gpt', 'bert', 'x'.repeat(300), 'é', '')),
});
const LOSS = { loss: 'metrics.loss', acc: 'metrics.acc' } as const;

const ORDERS: Record<string, (run: Known) => number | string | null> = {
  [LOSS.loss]: (run) => run.metrics.loss ?? null,
  [LOSS.acc]: (run) => run.metrics.acc ?? null,
  'params.model': (run) => run.params.model?.slice(0, 200) ?? null,
  'attributes.start_time': (run) => run.startMs,
  'attributes.end_time': (run) => run.endMs,
  'attributes.run_name': (run) => run.name,
  'attributes.status': (run) => run.status,
  'attributes.artifact_uri': (run) => run.artifactUri,
};
const FILTERS: Record<string, (run: Known) => boolean> = {
  '': () => true,
  'metrics.loss < 1': (run) => (run.metrics.loss ?? Number.NaN) < 1,
  'metrics.loss != 1': (run) => run.metrics.loss !== undefined && run.metrics.loss !== 1,
  'metrics.acc >= -1.5 AND metrics.loss > -2': (run) =>
    (run.metrics.acc ?? Number.NaN) >= -1.5 && (run.metrics.loss ?? Number.NaN) > -2,
  "params.model = 'gpt'": (run) => run.params.model === 'gpt',
  "params.model LIKE '%e%'": (run) => run.params.model?.includes('e') === true,
  'params.model IS NULL': (run) => run.params.model === undefined,
  "attributes.status = 'FAILED' AND params.model IS NOT NULL": (run) =>
    run.status === 'FAILED' && run.params.model !== undefined,
  'start_time > 2.5': (run) => (run.startMs ?? 0) > 2.5,
};

const compare = (a: number | string, b: number | string): number =>
  typeof a === 'number' && typeof b === 'number' ? a - b : Buffer.compare(Buffer.from(`${a}`), Buffer.from(`${b}`));
const rank = (value: number | string | null): number => (value === null ? 2 : Number.isNaN(value) ? 1 : 0);

function expected(runs: readonly Known[], search: RunSearch): string[] {
  const orders = search.orderBy.map((text) => {
    const [key = '', direction] = text.split(' ');
    return { of: ORDERS[key] ?? (() => null), sign: direction === 'DESC' ? -1 : 1 };
  });
  const fits = FILTERS[search.filter] ?? (() => false);
  return runs
    .filter((run) => search.experimentIds.includes(run.experimentId) && run.lifecycle === 'active' && fits(run))
    .filter((run) => search.owner === undefined || run.owner === search.owner)
    .sort((a, b) => {
      for (const { of, sign } of orders) {
        const [x, y] = [of(a), of(b)];
        if (rank(x) !== rank(y)) return rank(x) - rank(y);
        if (x !== null && y !== null && rank(x) === 0 && compare(x, y) !== 0) return sign * compare(x, y);
      }
      return (b.startMs ?? 0) - (a.startMs ?? 0) || compare(a.id, b.id);
    })
    .map((run) => run.id);
}

const URLS = ['sqlite::memory:', process.env.FUMEHOOD_TEST_POSTGRES].filter((url) => url !== undefined);
for (const url of URLS) {
  describe(`searches of runs on ${url.split(':')[0]}`, () => {
    let database: Database;
    before(async () => {
      database = await openDatabase(url);
    });
    after(() => database.close());

    const fill = async (drafts: readonly (typeof someRun extends fc.Arbitrary<infer T> ? T : never)[]) => {
      const runs = drafts.map(
        (draft, index): Known => ({
          id: `search-${String((index * 7919) % 1000).padStart(4, '0')}`,
          experimentId: `search-${draft.experiment}`,
          name: draft.name,
          status: draft.status,
          startMs: draft.startMs,
          endMs: draft.endMs,
          lifecycle: draft.deleted === 0 ? 'deleted' : 'active',
          owner: draft.owner,
          sandboxId: null,
          userId: draft.owner,
          artifactUri: `uri-${draft.startMs}`,
          metrics: {
            ...(draft.loss === null ? {} : { loss: draft.loss }),
            ...(draft.acc === null ? {} : { acc: draft.acc }),
          },
          params: draft.model === null ? {} : { model: draft.model },
        }),
      );
      await database.transaction(async (tx) => {
        for (const table of ['latest_metrics', 'run_metrics', 'run_params'])
          await tx.run(sql`delete from ${rawSql(table)} where run_id like 'search-%'`);
        await tx.run(sql`delete from runs where id like 'search-%'`);
        for (const run of runs) {
          await insertRun(tx, run);
          const metrics = Object.entries(run.metrics).map(([key, value]) => ({ key, value, timeMs: 1, step: 0 }));
          if (metrics.length > 0) await insertMetrics(tx, run, metrics);
          await insertParams(
            tx,
            run,
            Object.entries(run.params).map(([key, value]) => ({ key, value })),
          );
        }
      });
      return runs;
    };

    it('give, page after page, every run that fits once, in the order asked for', async () => {
      const order = fc
        .uniqueArray(fc.constantFrom(...Object.keys(ORDERS)), { maxLength: 2 })
        .chain((keys) =>
          fc
            .array(fc.constantFrom('ASC', 'DESC'), { minLength: keys.length, maxLength: keys.length })
            .map((directions) => keys.map((key, at) => `${key} ${directions[at]}`)),
        );
      const asked = fc.record({
        experiments: fc.uniqueArray(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }),
        owner: fc.option(fc.constantFrom('ada', 'bob'), { nil: undefined }),
        filter: fc.constantFrom(...Object.keys(FILTERS)),
        orderBy: order,
        limit: fc.integer({ min: 1, max: 9 }),
        span: fc.constantFrom(1, 2, 7, 1000),
      });
      await fc.assert(
        fc.asyncProperty(
          fc.array(someRun, { maxLength: 40 }),
          fc.array(asked, { minLength: 6, maxLength: 12 }),
          async (drafts, searches) => {
            const runs = await fill(drafts);
            for (const { experiments, owner, span, ...rest } of searches) {
              const search: RunSearch = {
                ...rest,
                experimentIds: experiments.map((number) => `search-${number}`),
                lifecycles: ['active'],
                pageToken: undefined,
                ...(owner === undefined ? {} : { owner }),
              };
              const found: string[] = [];
              let pageToken: string | undefined;
              do {
                const page = await database.read((reader) => searchRuns(reader, { ...search, pageToken }, span));
                found.push(...page.runs.map((run) => run.id));
                pageToken = page.nextToken;
              } while (pageToken !== undefined && found.length < 100);
              assert.deepEqual(found, expected(runs, search), JSON.stringify(search));
            }
          },
        ),
        { numRuns: 40 },
      );
    });

    const followsAnIndex = async (): Promise<void> => {
      await fill([]);
      const indexes: Record<string, string> = {
        'metrics.loss ASC': 'latest_metrics_order',
        'params.model ASC': 'run_params_order',
        'params.model DESC': 'run_params_order_desc',
        'attributes.start_time DESC': 'runs_order_start',
        'attributes.end_time ASC': 'runs_order_end',
        'attributes.run_name ASC': 'runs_order_name',
        'attributes.status ASC': 'runs_order_status',
      };
      for (const [order, index] of Object.entries(indexes)) {
        const plan = await database.read(async (reader) => {
          const plans: string[] = [];
          const watched: Reader = {
            ...reader,
            all: async (statement) => {
              const steps = await reader.all<{ detail: string }>(sql`explain query plan ${statement}`);
              plans.push(steps.map((step) => step.detail).join('\n'));
              return reader.all(statement);
            },
          };
          await searchRuns(watched, {
            experimentIds: ['search-1'],
            owner: 'ada',
            filter: 'metrics.acc != 1',
            orderBy: [order],
            lifecycles: ['active'],
            limit: 10,
            pageToken: undefined,
          });
          return plans[0] ?? '';
        });
        assert.match(plan, new RegExp(`INDEX ${index} `), order);
        assert.doesNotMatch(plan, /USE TEMP B-TREE/, order);
      }
    };
    // PostgreSQL plans by the size of its tables.
    if (url.startsWith('sqlite:'))
      it(
        'follow an index from the first run of the order on, and sort nothing, as SQLite shows its plan',
        followsAnIndex,
      );

    it('refuse what they cannot answer with what is wrong, and never fail on it', async () => {
      await fill([]);
      const base: RunSearch = {
        experimentIds: ['search-1'],
        filter: '',
        owner: 'ada',
        orderBy: [],
        lifecycles: ['active'],
        limit: 10,
        pageToken: undefined,
      };
      const token = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
      const wrong: Partial<RunSearch>[] = [
        { filter: "attributes.constructor = 'x'" },
        { filter: "constructor.x = 'y'" },
        { filter: Array.from({ length: 101 }, () => "tags.a='b'").join(' and ') },
        { filter: `params.a LIKE '${'%a'.repeat(40)}'` },
        { orderBy: ['attributes.toString'] },
        { orderBy: ['datasets.name'] },
        { experimentIds: Array.from({ length: 5001 }, (_, n) => `e${n}`) },
        { pageToken: token({ stage: 9, offset: 0 }) },
        { pageToken: token({ stage: 0, after: { value: 'text', startMs: 1, id: '' } }), orderBy: ['metrics.a'] },
        { pageToken: token({ stage: 0, after: { value: {}, startMs: 1, id: '' } }) },
        { pageToken: token(null) },
      ];
      for (const change of wrong) {
        const asked = database.read((reader) => searchRuns(reader, { ...base, ...change }));
        await assert.rejects(asked, { code: 'invalid' }, JSON.stringify(change).slice(0, 200));
      }
      const right: Partial<RunSearch>[] = [
        { filter: "params.a LIKE 'x\\'" },
        { filter: 'start_time > 1.5 and end_time < 1e300 and metrics.a = 1e999' },
        { pageToken: token({ stage: 0, after: { value: 1.5, startMs: 1, id: '' } }), orderBy: ['end_time'] },
        { experimentIds: Array.from({ length: 5000 }, (_, n) => `e${n}`) },
      ];
      for (const change of right) {
        const { runs } = await database.read((reader) => searchRuns(reader, { ...base, ...change }));
        assert.deepEqual(runs, []);
      }
    });
  });
}
