/** The dashboard: Grafana's own schema knows all that is in it, and every query of every panel has something to show. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';
import { type Collector, startCollector } from '../otlp-collector.ts';
import { type ScrapingPrometheus, startPrometheus } from '../scraping-prometheus.ts';
import { pythonWith } from './python-clients.ts';

const FILE = join(import.meta.dirname, '../../deploy/grafana/dashboard.json');
const READ = join(import.meta.dirname, 'grafana_dashboard.py');

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Dashboard = { panels: { title: string; targets: { expr: string }[] }[] };
const text = readFileSync(FILE, 'utf8');

/** What a schema does not know is not there, or is something else, after it was read and written. */
function lost(before: Json, after: Json | undefined, path = ''): string[] {
  if (typeof before !== 'object' || before === null) return before === after ? [] : [path];
  if (typeof after !== 'object' || after === null || Array.isArray(before) !== Array.isArray(after)) return [path];
  const known = after as { [key: string]: Json };
  return Object.entries(before).flatMap(([key, value]) => lost(value, known[key], `${path}/${key}`));
}

test("every member of the dashboard is one of Grafana's schema, with the type that it has there", {
  timeout: 300_000,
}, async () => {
  const python = await pythonWith('grafana', ['grafana-foundation-sdk']);
  const read = (dashboard: unknown): Json =>
    JSON.parse(execFileSync(python, [READ], { input: JSON.stringify(dashboard), encoding: 'utf8' })) as Json;
  const dashboard = JSON.parse(text) as { [key: string]: Json };
  assert.deepEqual(lost(dashboard, read(dashboard)), []);
  // The positive controls: what is mistyped is noticed, deep inside as well.
  assert.deepEqual(lost({ ...dashboard, tittle: 'x' }, read({ ...dashboard, tittle: 'x' })), ['/tittle']);
  const wrong = JSON.parse(text.replace('"legendFormat"', '"legendForm"')) as Json;
  assert.deepEqual(lost(wrong, read(wrong)), ['/panels/0/targets/0/legendForm']);
  const none = { ...dashboard, panels: 'none' };
  const refused = spawnSync(python, [READ], { input: JSON.stringify(none), encoding: 'utf8' });
  assert.ok(refused.status !== 0 || lost(none, JSON.parse(refused.stdout) as Json).length > 0);
});

let plane: TestControlPlane;
let collector: Collector;
let prometheus: ScrapingPrometheus;
before(
  async () => {
    collector = await startCollector();
    plane = await startControlPlane({ FUMEHOOD_OTLP_ENDPOINT: collector.url });
    prometheus = await startPrometheus(plane);
  },
  { timeout: 300_000 },
);
after(async () => {
  await prometheus.close();
  await plane.close();
  await collector.close();
});

test('every query of every panel gives at least one series', { timeout: 300_000 }, async () => {
  await doAll();
  const { panels } = JSON.parse(text) as Dashboard;
  const queries = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })));
  assert.ok(queries.length > 25);
  const deadline = Date.now() + 120_000;
  let empty = queries;
  while (empty.length > 0 && Date.now() < deadline) {
    const found = await Promise.all(
      empty.map(({ expr }) => prometheus.series(expr.replaceAll('$__rate_interval', '1m'))),
    );
    empty = empty.filter((_, at) => found[at] === 0);
    if (empty.length > 0) await sleep(500);
  }
  assert.deepEqual(empty, []);
});

/** What the panels are about happens once: starts, commands, what is denied and refused, egress, a faulty line in the log. */
async function doAll(): Promise<void> {
  const engineer = await plane.user('ann', 'engineer');
  const asAnn = { token: engineer };
  const made = await plane.json<{ id: string }>(
    ['sandbox', 'create', '--memory', '300m', '--egress', '127.0.0.1:9'],
    asAnn,
  );
  const inside = (...argv: string[]) => plane.run(['sandbox', 'exec', made.id, '--', ...argv], asAnn);
  await inside(
    'python3',
    '-c',
    'import urllib.request as u; u.urlopen("http://localhost:5000/api/2.0/mlflow/experiments/search?max_results=1")',
  );
  await inside('python3', '-c', 'import urllib.request as u; u.urlopen("http://127.0.0.1:9/")');
  assert.equal((await plane.run(['audit', 'list'], asAnn)).code, 5);
  assert.notEqual((await plane.run(['sandbox', 'create', '--cpus', '1000'], asAnn)).code, 0);
}
