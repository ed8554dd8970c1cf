import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Database, rawSql, sql } from '#kernel/sql.ts';
import { openDatabase } from '#src/database/open-database.ts';
import type { Metric } from './run.ts';
import { insertMetrics, selectCurve, selectMetricHistory } from './run-store.ts';

const RUN = { id: 'store-run', experimentId: '1', owner: 'ada', startMs: 1 };
const metric = (step: number, timeMs: number, value: number): Metric => ({ key: 'loss', step, timeMs, value });
/** Logged backwards: the later the time, the smaller the step. */
const LOGGED = [metric(3, 10, 0.3), metric(2, 20, Number.NaN), metric(1, 30, 0.1), metric(1, 30, 0.05)];

const URLS = ['sqlite::memory:', process.env.FUMEHOOD_TEST_POSTGRES].filter((url) => url !== undefined);
for (const url of URLS) {
  describe(`a metric of a run on ${url.split(':')[0]}`, () => {
    let database: Database;
    before(async () => {
      database = await openDatabase(url);
      await database.transaction(async (tx) => {
        for (const table of ['latest_metrics', 'run_metrics'])
          await tx.run(sql`delete from ${rawSql(table)} where run_id = ${RUN.id}`);
        await insertMetrics(tx, RUN, [...LOGGED, { key: 'other', step: 1, timeMs: 1, value: 9 }]);
      });
    });
    after(() => database.close());

    it('has a history in the order of time, and a curve in the order of steps', async () => {
      await database.read(async (reader) => {
        const [three, two, one, half] = LOGGED;
        const history = await selectMetricHistory(reader, RUN.id, 'loss', { offset: 0, limit: 10 });
        assert.deepEqual(history, [three, two, half, one]);
        assert.deepEqual(await selectCurve(reader, RUN.id, 'loss', 10), [half, one, two, three]);
      });
    });

    it('has no more of its curve than is asked for: the first steps', async () => {
      const curve = await database.read((reader) => selectCurve(reader, RUN.id, 'loss', 3));
      assert.deepEqual(
        curve.map(({ step }) => step),
        [1, 1, 2],
      );
    });
  });
}
