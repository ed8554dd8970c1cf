import { join } from 'node:path';
import type { Load, LoadResult } from '../load.ts';
import { execute } from '../processes.ts';
import type { StallHome, StallLoad } from './loads.ts';

const PROGRAM = join(import.meta.dirname, '../load.ts');
const API = '/api/2.0/mlflow';
/** One of those that fill-runs.ts makes. */
const RUN = '0'.repeat(32);

/** What MLflow clients do, reading first. */
export function trackingLoads(home: StallHome): StallLoad[] {
  const search = (more: object): string =>
    JSON.stringify({ experiment_ids: [home.experimentId], max_results: 100, ...more });
  const load = (what: string, connections: number, one: Partial<Load>): StallLoad => ({
    what,
    run: () => loadWith(home, { connections, ...one }),
  });
  return [
    load('runs/get, 8 connections', 8, { method: 'GET', path: `${API}/runs/get?run_id=${RUN}` }),
    load('runs/log-batch of 1,000, 8 connections', 8, { path: `${API}/runs/log-batch`, body: batchOf(1000) }),
    load('runs/search among 100,000 by a metric, 8 connections', 8, {
      path: `${API}/runs/search`,
      body: search({ order_by: ['metrics.loss DESC'] }),
    }),
    load('runs/search among 100,000 with filters on a metric and a name, 1 connection', 1, {
      path: `${API}/runs/search`,
      body: search({ filter: "metrics.loss > 100000 AND attributes.run_name LIKE '%99%'" }),
    }),
  ];
}

function batchOf(count: number): string {
  const metrics = Array.from({ length: count }, (_, key) => {
    return { key: `m${key % 50}`, value: 0.5, timestamp: 1_700_000_000_000 + key, step: '{n}' };
  });
  return JSON.stringify({ run_id: RUN, metrics }).replaceAll('"{n}"', '{n}');
}

async function loadWith(home: StallHome, one: Partial<Load>): Promise<void> {
  const load: Load = {
    port: Number(new URL(home.doors.mlflow ?? '').port),
    method: 'POST',
    path: '/',
    headers: { authorization: `Bearer ${home.token}`, 'content-type': 'application/json' },
    body: '',
    connections: 8,
    warmUpMs: 500,
    durationMs: 2500,
    ...one,
  };
  const found = JSON.parse(await execute(process.execPath, [PROGRAM], JSON.stringify(load))) as LoadResult;
  if (found.failed > 0 || found.requests === 0) throw new Error(`${load.path}: ${found.failed} requests failed`);
}
