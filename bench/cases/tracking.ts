import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDatabase } from '#src/database/open-database.ts';
import { startControlPlane } from '../../test/control-plane.ts';
import { fillRuns } from '../fill-runs.ts';
import type { Load, LoadResult } from '../load.ts';
import type { Row } from '../measure.ts';
import { type MlflowMode, openMlflow } from '../mlflow-server.ts';
import { execute } from '../processes.ts';
import { bundleOf } from './sandbox-bundle.ts';

const CONNECTIONS = 8;
const WARM_UP_MS = 2_000;
const DURATION_MS = 5_000;
const API = '/api/2.0/mlflow';
const FEW_RUNS = 2_000;
const MANY_RUNS = Number(process.env.FUMEHOOD_BENCH_RUNS ?? 100_000);
const PAGE = 100;

/** A server to load: where it listens, and the words before `node` that enter its network. */
type Target = { name: string; port: number; enter: string[]; home?: string; close(): Promise<void> };
const KEYS = ['get', 'batch', 'large', 'search'] as const;
type Figures = Record<(typeof KEYS)[number], LoadResult>;

/** What each figure is, and how many times faster than the default, gunicorn and PostgreSQL it has to be. */
const WANTED: Record<(typeof KEYS)[number], { what: string; least: [number, number] }> = {
  get: { what: 'runs/get', least: [60, 8] },
  batch: { what: 'runs/log-batch of 10', least: [15, 8] },
  large: { what: 'runs/log-batch of 1,000', least: [10, 6] },
  search: { what: `runs/search of ${PAGE} among ${FEW_RUNS} by a metric`, least: [20, 15] },
};

/** The tracking protocol through a sandbox's own listener, with policy and audit, beside `mlflow server`. */
export async function measureTracking(say: (text: string) => void): Promise<Row[]> {
  const rivals: MlflowMode[] = ['default', 'gunicorn', 'PostgreSQL'];
  const figures: { name: string; found: Figures }[] = [];
  const rows: Row[] = [];
  for (const open of [openFumehood, ...rivals.map((mode) => () => openRival(mode))]) {
    const target = await open();
    say(`loading ${target.name}`);
    try {
      const found = await loadAll(target);
      figures.push({ name: target.name, found });
      say(`  ${KEYS.map((key) => `${WANTED[key].what} ${Math.round(found[key].perSecond)}/s`).join(', ')}`);
      if (target.home !== undefined) rows.push(await searchMany(target, target.home, say));
    } finally {
      await target.close();
    }
  }
  const [ours, ...others] = figures;
  if (ours === undefined) throw new Error('a side is missing');
  return [...KEYS.map((key) => rowOf(key, ours.found[key], others)), ...rows];
}

function rowOf(key: (typeof KEYS)[number], ours: LoadResult, others: { name: string; found: Figures }[]): Row {
  const { what, least } = WANTED[key];
  const value = ours.perSecond;
  const against = others.map(({ name, found }) => {
    const theirs = found[key].perSecond;
    return { name, value: theirs, ratio: value / theirs };
  });
  return {
    what: `${what}, ${CONNECTIONS} connections`,
    value,
    unit: '/s',
    p99: ours.p99Ms,
    against,
    reach: `>= ${least[0]}x the default and >= ${least[1]}x gunicorn`,
    reached: least.every((times, at) => (against[at]?.ratio ?? 0) >= times),
  };
}

async function loadAll(target: Target): Promise<Figures> {
  const { experiment_id: experiment } = await send(target, 'experiments/create', { name: `bench-${Date.now()}` });
  const created = await send(target, 'runs/create', {
    experiment_id: experiment,
    start_time: Date.now(),
    tags: [{ key: 'a', value: 'b' }],
  });
  const id = (created as { run: { info: { run_id: string } } }).run.info.run_id;
  const params = [{ key: 'p', value: '1' }];
  const metrics = [{ key: 'm0', value: 1, timestamp: 1, step: 0 }];
  await send(target, 'runs/log-batch', { run_id: id, params, metrics });
  const get = await loadWith(target, { method: 'GET', path: `${API}/runs/get?run_id=${id}` });
  const batch = await post(target, 'runs/log-batch', batchOf(id, 10));
  const large = await post(target, 'runs/log-batch', batchOf(id, 1000));
  const search = await post(target, 'runs/search', await searchable(target));
  return { get, batch, large, search };
}

/** A batch of so many metrics, each at a step that no other batch has. */
function batchOf(id: string, count: number): string {
  const metrics = Array.from({ length: count }, (_, key) => {
    return { key: `m${key % 50}`, value: 0.5, timestamp: 1_700_000_000_000 + key, step: '{n}' };
  });
  return JSON.stringify({ run_id: id, metrics }).replaceAll('"{n}"', '{n}');
}

const searchBody = (experiment: unknown): string =>
  JSON.stringify({ experiment_ids: [experiment], order_by: ['metrics.loss DESC'], max_results: PAGE });

/** An experiment of runs that differ in a metric, made through the protocol; the body that searches it. */
async function searchable(target: Target): Promise<string> {
  const { experiment_id: experiment } = await send(target, 'experiments/create', { name: `search-${Date.now()}` });
  const program = `const api = 'http://127.0.0.1:${target.port}${API}/';
let left = ${FEW_RUNS};
const post = async (path, body) => { const r = await fetch(api + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }); if (!r.ok) throw new Error(await r.text()); return r.json(); };
await Promise.all(Array.from({ length: 8 }, async () => { while (left-- > 0) {
  const { run } = await post('runs/create', { experiment_id: '${experiment}', start_time: Date.now() });
  await post('runs/log-batch', { run_id: run.info.run_id, metrics: [{ key: 'loss', value: Math.random(), timestamp: 1, step: 0 }] });
} }));`;
  const [command = '', ...args] = [...target.enter, process.execPath, '--input-type=module', '-e', program];
  await execute(command, args, '');
  return searchBody(experiment);
}

/** The same search among many runs, which are put into the store directly. */
async function searchMany(target: Target, home: string, say: (text: string) => void): Promise<Row> {
  const { experiment_id: experiment } = await send(target, 'experiments/create', { name: `many-${Date.now()}` });
  say(`  filling in ${MANY_RUNS} runs`);
  const database = await openDatabase(`sqlite:${join(home, 'state.db')}`);
  try {
    await fillRuns(database, { experimentId: String(experiment), from: 0, to: MANY_RUNS });
  } finally {
    await database.close();
  }
  const { medianMs, p99Ms } = await loadWith(target, {
    method: 'POST',
    path: `${API}/runs/search`,
    headers: { 'content-type': 'application/json' },
    body: searchBody(experiment),
    connections: 1,
  });
  return {
    what: `runs/search of ${PAGE} among ${MANY_RUNS} by a metric`,
    value: medianMs,
    unit: 'ms',
    p99: p99Ms,
    against: [],
    reach: '<= 50 ms',
    reached: medianMs <= 50,
  };
}

const post = (target: Target, path: string, body: string): Promise<LoadResult> =>
  loadWith(target, {
    method: 'POST',
    path: `${API}/${path}`,
    headers: { 'content-type': 'application/json' },
    body,
  });

async function loadWith(target: Target, load: Partial<Load>): Promise<LoadResult> {
  const whole: Load = {
    port: target.port,
    method: 'GET',
    path: '/',
    headers: {},
    body: '',
    connections: CONNECTIONS,
    warmUpMs: WARM_UP_MS,
    durationMs: DURATION_MS,
    ...load,
  };
  const [command = '', ...args] = [...target.enter, process.execPath, join(import.meta.dirname, '../load.ts')];
  const result = JSON.parse(await execute(command, args, JSON.stringify(whole))) as LoadResult;
  if (result.failed > 0 || result.requests === 0) throw new Error(`${target.name}: ${result.failed} requests failed`);
  return result;
}

async function send(target: Target, path: string, body: unknown): Promise<Record<string, unknown>> {
  const program = `const r = await fetch('http://127.0.0.1:${target.port}${API}/${path}', { method: 'POST', headers: { 'content-type': 'application/json' }, body: process.argv[1] });
const text = await r.text(); if (!r.ok) { console.error(text); process.exit(1); } console.log(text);`;
  const words = [...target.enter, process.execPath, '--input-type=module', '-e', program, JSON.stringify(body)];
  const [command = '', ...args] = words;
  return JSON.parse(await execute(command, args, '')) as Record<string, unknown>;
}

const openRival = async (mode: MlflowMode): Promise<Target> => ({ ...(await openMlflow(mode)), enter: [] });

async function openFumehood(): Promise<Target> {
  const control = await startControlPlane();
  const { id } = await control.json<{ id: string }>(['sandbox', 'create', '--memory', '256m', '--disk', '64m']);
  const pid = readFileSync(join(bundleOf(control.home, id), 'pid'), 'utf8').trim();
  const enter = ['nsenter', '--net', '--target', pid];
  return { name: 'fumehood', port: 5000, enter, home: control.home, close: () => control.close() };
}
