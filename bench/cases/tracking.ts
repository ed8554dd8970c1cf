import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { startControlPlane } from '../../test/control-plane.ts';
import { pythonWith } from '../../test/protocol/python-clients.ts';
import type { Load, LoadResult } from '../load.ts';
import type { Row } from '../measure.ts';
import { runtimeFolder } from './sandboxes.ts';

const CONNECTIONS = 8;
const WARM_UP_MS = 2_000;
const DURATION_MS = 5_000;
const API = '/api/2.0/mlflow';

/** A server to load: where it listens, and the words before `node` that enter its network. */
type Target = { name: string; port: number; enter: string[]; close(): Promise<void> };
type Figures = Record<'get' | 'batch', LoadResult>;

/** `runs/get` and `runs/log-batch` of 10 metrics through a sandbox's own listener, with policy and audit, beside `mlflow server`. */
export async function measureTracking(say: (text: string) => void): Promise<Row[]> {
  const python = await pythonWith('mlflow-server', ['mlflow']);
  const figures: { name: string; found: Figures }[] = [];
  for (const open of [
    () => openFumehood(),
    () => openMlflow(python, 'default'),
    () => openMlflow(python, 'gunicorn'),
  ]) {
    const target = await open();
    say(`loading ${target.name}`);
    try {
      const found = await loadAll(target);
      figures.push({ name: target.name, found });
      say(`  runs/get ${Math.round(found.get.perSecond)}/s, log-batch ${Math.round(found.batch.perSecond)}/s`);
    } finally {
      await target.close();
    }
  }
  const [ours, standard, gunicorn] = figures;
  if (ours === undefined || standard === undefined || gunicorn === undefined) throw new Error('a side is missing');
  const row = (what: string, key: keyof Figures, least: [number, number]): Row => {
    const value = ours.found[key].perSecond;
    const against = [standard, gunicorn].map(({ name, found }) => ({
      name,
      value: found[key].perSecond,
      ratio: value / found[key].perSecond,
    }));
    return {
      what,
      value,
      unit: '/s',
      p99: ours.found[key].p99Ms,
      against,
      reach: `>= ${least[0]}x and >= ${least[1]}x`,
      reached: against.every((one, at) => one.ratio >= (least[at] ?? 0)),
    };
  };
  return [
    row(`runs/get, ${CONNECTIONS} connections`, 'get', [20, 5]),
    row(`runs/log-batch of 10, ${CONNECTIONS} connections`, 'batch', [10, 6]),
  ];
}

async function loadAll(target: Target): Promise<Figures> {
  const experiment = await send(target, 'POST', 'experiments/create', { name: `bench-${Date.now()}` });
  const run = (await send(target, 'POST', 'runs/create', {
    experiment_id: experiment.experiment_id,
    start_time: Date.now(),
    tags: [{ key: 'a', value: 'b' }],
  })) as { run: { info: { run_id: string } } };
  const id = run.run.info.run_id;
  const metric = (key: number): unknown => ({ key: `m${key}`, value: 0.5, timestamp: 1_700_000_000_000, step: '{n}' });
  const metrics = Array.from({ length: 10 }, (_, key) => metric(key));
  await send(target, 'POST', 'runs/log-batch', {
    run_id: id,
    params: [{ key: 'p', value: '1' }],
    metrics: [{ key: 'm0', value: 1, timestamp: 1, step: 0 }],
  });
  const base = { port: target.port, connections: CONNECTIONS, warmUpMs: WARM_UP_MS, durationMs: DURATION_MS };
  const get = await loadWith(target, {
    ...base,
    method: 'GET',
    path: `${API}/runs/get?run_id=${id}`,
    headers: {},
    body: '',
  });
  const body = JSON.stringify({ run_id: id, metrics }).replaceAll('"{n}"', '{n}');
  const headers = { 'content-type': 'application/json' };
  const batch = await loadWith(target, { ...base, method: 'POST', path: `${API}/runs/log-batch`, headers, body });
  return { get, batch };
}

async function loadWith(target: Target, load: Load): Promise<LoadResult> {
  const [command = '', ...args] = [...target.enter, process.execPath, join(import.meta.dirname, '../load.ts')];
  const result = JSON.parse(await execute(command, args, JSON.stringify(load))) as LoadResult;
  if (result.failed > 0 || result.requests === 0) throw new Error(`${target.name}: ${result.failed} requests failed`);
  return result;
}

async function send(target: Target, method: string, path: string, body: unknown): Promise<Record<string, unknown>> {
  const program = `const r = await fetch('http://127.0.0.1:${target.port}${API}/${path}', { method: '${method}', headers: { 'content-type': 'application/json' }, body: process.argv[1] });
const text = await r.text(); if (!r.ok) { console.error(text); process.exit(1); } console.log(text);`;
  const [command = '', ...args] = [
    ...target.enter,
    process.execPath,
    '--input-type=module',
    '-e',
    program,
    JSON.stringify(body),
  ];
  return JSON.parse(await execute(command, args, '')) as Record<string, unknown>;
}

function execute(command: string, args: string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdin.end(input);
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(stdout) : reject(new Error(`${command} ended with ${code}: ${stderr}`)),
    );
  });
}

async function openFumehood(): Promise<Target> {
  const control = await startControlPlane();
  const { id } = await control.json<{ id: string }>(['sandbox', 'create', '--memory', '256m', '--disk', '64m']);
  const pid = readFileSync(join(runtimeFolder(control.home), 'sb', id, 'pid'), 'utf8').trim();
  return { name: 'fumehood', port: 5000, enter: ['nsenter', '--net', '--target', pid], close: () => control.close() };
}

async function openMlflow(python: string, mode: 'default' | 'gunicorn'): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-bench-'));
  const port = await freePort();
  const args = [
    '-m',
    'mlflow',
    'server',
    '--host',
    '127.0.0.1',
    '--port',
    String(port),
    '--backend-store-uri',
    `sqlite:///${folder}/mlflow.db`,
  ];
  const gunicorn = mode === 'gunicorn' ? ['--gunicorn-opts', '--workers 4'] : [];
  const env = {
    ...process.env,
    PATH: `${dirname(python)}:${process.env.PATH ?? ''}`,
    MLFLOW_DISABLE_TELEMETRY: 'true',
    HOME: folder,
  };
  const child = spawn(python, [...args, '--artifacts-destination', join(folder, 'artifacts'), ...gunicorn], {
    env,
    cwd: folder,
    detached: true,
    stdio: 'ignore',
  });
  const close = async (): Promise<void> => {
    await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  for (const limit = Date.now() + 120_000; ; ) {
    const healthy = await fetch(`http://127.0.0.1:${port}/health`).then(
      (response) => response.ok,
      () => false,
    );
    if (healthy) return { name: `mlflow server (${mode})`, port, enter: [], close };
    if (Date.now() > limit || child.exitCode !== null) {
      await close();
      throw new Error(`mlflow server (${mode}) did not start`);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Ends a server with its workers. */
function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.pid === undefined) return resolve();
    child.once('exit', () => resolve());
    process.kill(-child.pid, 'SIGKILL');
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
