import { crossRun, noteRead } from './cross-run.ts';
import type { Metric, Run, RunData } from './run.ts';
import { type RunLinks, selectMetricHistory, selectRunData, selectRunLinks } from './run-store.ts';
import type { Caller, TrackingDeps } from './tracking-deps.ts';

/** A run with all that was logged. */
export type WholeRun = { run: Run; data: RunData; links: RunLinks };

export const NO_DATA: RunData = { params: [], tags: [], metrics: [] };
export const NO_LINKS: RunLinks = { inputs: [], modelInputs: [], modelOutputs: [] };

/** Reads a run with its parameters, tags and latest metrics. Throws `not_found`. */
export function readRun(deps: TrackingDeps, caller: Caller, runId: string): Promise<WholeRun> {
  return crossRun(deps, caller, { action: 'run.read', runId }, async (tx, crossing, found) => {
    await noteRead(crossing, found);
    const data = (await selectRunData(tx, [runId])).get(runId) ?? NO_DATA;
    const links = (await selectRunLinks(tx, [runId])).get(runId) ?? NO_LINKS;
    return { run: found.run, data, links };
  });
}

/** A page of one metric's history, oldest first; `next` is the offset of the following page. */
export function readMetricHistory(
  deps: TrackingDeps,
  caller: Caller,
  asked: { runId: string; key: string; offset: number; limit: number },
): Promise<{ metrics: Metric[]; next: number | undefined }> {
  const { runId, key, offset, limit } = asked;
  return crossRun(deps, caller, { action: 'run.read', runId }, async (tx, crossing, found) => {
    await noteRead(crossing, found);
    crossing.detail('metric', key.slice(0, 250));
    const metrics = await selectMetricHistory(tx, runId, key, { offset, limit: limit + 1 });
    const full = metrics.length > limit;
    return { metrics: full ? metrics.slice(0, limit) : metrics, next: full ? offset + limit : undefined };
  });
}
