/** What is measured is what Prometheus reads: Debian's own scrapes a control plane, and its tool checks metrics, rules and the expressions of the dashboard. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { METRICS } from '#src/telemetry/metrics.ts';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';
import { type Answer, type ScrapingPrometheus, startPrometheus } from '../scraping-prometheus.ts';

const DEPLOY = join(import.meta.dirname, '../../deploy');
const METRIC = /\bfumehood_[a-z_]+/g;

type Dashboard = { uid: string; panels: { title: string; targets: { expr: string }[] }[] };

let plane: TestControlPlane;
let prometheus: ScrapingPrometheus;
before(async () => {
  plane = await startControlPlane();
  prometheus = await startPrometheus(plane);
});
after(async () => {
  await prometheus.close();
  await plane.close();
});

async function value(expression: string): Promise<number | undefined> {
  const { data } = await prometheus.query(expression).catch(() => ({ data: { result: [] } }) as unknown as Answer);
  return data.result[0] === undefined ? undefined : Number(data.result[0].value[1]);
}

async function until(expression: string, right: (value: number) => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  let last: number | undefined;
  while (Date.now() < deadline) {
    last = await value(expression);
    if (last !== undefined && right(last)) return;
    await sleep(250);
  }
  assert.fail(`${expression} is ${last}`);
}

test('Prometheus scrapes a control plane with a token that can do nothing else, and its rules are loaded', async () => {
  await until('up{job="fumehood"}', (up) => up === 1);
  await until('fumehood_build_info{database="sqlite",driver="oci"}', (one) => one === 1);
  await until('fumehood_crossings_total{door="api",action="metrics.read",outcome="ok"}', (scrapes) => scrapes >= 2);
  const made = await plane.json<{ id: string }>(['sandbox', 'create']);
  await until('fumehood_sandboxes{state="running"}', (running) => running === 1);
  await until('fumehood_sandbox_start_duration_seconds_count', (starts) => starts === 1);
  await plane.json(['sandbox', 'delete', made.id, '--yes']);
  await until('fumehood_sandboxes{state="running"}', (running) => running === 0);
  const rules = (await (await fetch(`${prometheus.url}/api/v1/rules`)).json()) as {
    data: { groups: { rules: { health: string; name: string }[] }[] };
  };
  const all = rules.data.groups.flatMap((group) => group.rules);
  assert.ok(all.length >= 14);
});

test('promtool finds nothing to object to in the metrics', async () => {
  const { programs, token } = prometheus;
  const answer = await fetch(`${plane.url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  const checked = spawnSync(programs.promtool, ['check', 'metrics'], { input: await answer.text(), encoding: 'utf8' });
  assert.equal(`${checked.stdout}${checked.stderr}`, '');
  assert.equal(checked.status, 0);
});

test('the alert rules hold: none without a fault, each with its own', () => {
  const cwd = join(DEPLOY, 'prometheus');
  const output = execFileSync(prometheus.programs.promtool, ['test', 'rules', 'alerts.test.yaml'], {
    cwd,
    encoding: 'utf8',
  });
  assert.match(output, /SUCCESS/);
  const rules = readFileSync(join(cwd, 'alerts.yaml'), 'utf8');
  const tested = readFileSync(join(cwd, 'alerts.test.yaml'), 'utf8');
  for (const [, name = ''] of rules.matchAll(/alert: (\w+)/g))
    assert.ok(tested.includes(`alertname: ${name}`), `${name} is tested`);
});

test('every expression of the dashboard and of the rules is one, over metrics that exist', async () => {
  const dashboard = JSON.parse(readFileSync(join(DEPLOY, 'grafana/dashboard.json'), 'utf8')) as Dashboard;
  assert.equal(dashboard.uid, 'fumehood');
  const expressions = dashboard.panels.flatMap((panel) => panel.targets.map(({ expr }) => expr));
  assert.ok(expressions.length > 25);
  const rules = readFileSync(join(DEPLOY, 'prometheus/alerts.yaml'), 'utf8');
  for (const [, expr = ''] of rules.matchAll(/^ +expr: (.*)$/gm)) expressions.push(expr);
  for (const expression of expressions) {
    for (const [name] of expression.matchAll(METRIC)) {
      const known = name in METRICS || name.replace(/_(bucket|sum|count)$/, '') in METRICS;
      assert.ok(known, `${name} in ${expression}`);
    }
    const { status } = await prometheus.query(expression.replaceAll('$__rate_interval', '1m'));
    assert.equal(status, 'success', expression);
  }
});
