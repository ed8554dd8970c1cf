import type { Database } from '#kernel/sql.ts';
import type { Run } from '#src/tracking/run.ts';
import { insertMetrics, insertRun } from '#src/tracking/run-store.ts';

const BATCH = 1000;

/** Puts finished runs, each with a metric `loss` that orders them otherwise than their times do, straight into a store. */
export async function fillRuns(
  database: Database,
  options: { experimentId: string; from: number; to: number },
): Promise<void> {
  for (let from = options.from; from < options.to; from += BATCH)
    await database.transaction(async (tx) => {
      for (let at = from; at < Math.min(from + BATCH, options.to); at += 1) {
        const run = runOf(at, options.experimentId);
        await insertRun(tx, run);
        await insertMetrics(tx, run, [{ key: 'loss', value: (at * 7919) % 104_729, timeMs: 1, step: 0 }]);
      }
    });
}

const runOf = (at: number, experimentId: string): Run => ({
  id: at.toString(16).padStart(32, '0'),
  experimentId,
  name: `run-${at}`,
  status: 'FINISHED',
  startMs: 1_700_000_000_000 + at,
  endMs: 1_700_000_001_000 + at,
  lifecycle: 'active',
  owner: 'operator',
  sandboxId: null,
  userId: 'operator',
  artifactUri: `mlflow-artifacts:/${experimentId}/${at}/artifacts`,
});
