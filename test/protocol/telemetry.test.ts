/** What an operator sees of a control plane that works: one trace through all its parts, a log without secrets, readiness that means something. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';
import { type Collector, type ReceivedSpan, startCollector } from '../otlp-collector.ts';

let collector: Collector;
let plane: TestControlPlane;
let engineer = '';
let sandbox = '';
before(async () => {
  collector = await startCollector();
  plane = await startControlPlane({ FUMEHOOD_OTLP_ENDPOINT: collector.url });
  engineer = await plane.user('ann', 'engineer');
});
after(async () => {
  await plane.close();
  await collector.close();
});

const TRACE = 'c0ffee00c0ffee00c0ffee00c0ffee00';
const OTHER = 'beefbeefbeefbeefbeefbeefbeefbeef';
const contextOf = (trace: string): string => `00-${trace}-00f067aa0ba902b7-01`;

async function until<T>(what: string, look: () => T | undefined): Promise<T> {
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    const found = look();
    if (found !== undefined) return found;
    await sleep(50);
  }
  throw new Error(`${what} did not happen; spans: ${collector.spans.map((span) => span.name).join(', ')}`);
}

const spanOf = (trace: string, name: string): ReceivedSpan | undefined =>
  collector.spans.find((span) => span.traceId === trace && span.name === name);
const named = (trace: string, name: string): Promise<ReceivedSpan> => until(name, () => spanOf(trace, name));

const ASK =
  'import sys, urllib.request as u\nu.urlopen(u.Request("http://localhost:5000/api/2.0/mlflow/experiments/search?max_results=1", headers=dict(h.split("=", 1) for h in sys.argv[1:])))';
const inside = (args: string[], env: Record<string, string> = {}) =>
  plane.run(['sandbox', 'exec', sandbox, '--', 'python3', '-c', ASK, ...args], { token: engineer, env });

// Of a size that none was made of before, so that it is not one that was made ahead.
test('one trace leads from the command line through request, policy, commit and driver to what crosses from inside', async () => {
  const made = await plane.json<{ id: string }>(['sandbox', 'create', '--memory', '300m'], {
    token: engineer,
    env: { TRACEPARENT: contextOf(TRACE) },
  });
  sandbox = made.id;
  const call = await named(TRACE, 'fumehood sandbox create');
  assert.equal(call.parentSpanId, '00f067aa0ba902b7');
  assert.equal(call.attributes['process.exit.code'], '0');
  const request = await named(TRACE, 'POST api');
  assert.equal(request.parentSpanId, call.spanId);
  assert.equal(request.attributes['http.route'], '/api/v1/sandboxes');
  const crossing = await named(TRACE, 'crossing sandbox.create');
  assert.equal(crossing.parentSpanId, request.spanId);
  for (const name of ['policy decision', 'act', 'commit'])
    await until(name, () =>
      collector.spans.find((span) => span.name === name && span.parentSpanId === crossing.spanId),
    );
  const start = await named(TRACE, 'start sandbox');
  assert.equal(start.parentSpanId, request.spanId);
  for (const phase of ['claim', 'bundle', 'runtime', 'agent'])
    assert.equal((await named(TRACE, `start: ${phase}`)).parentSpanId, start.spanId);

  assert.equal((await inside([], { TRACEPARENT: contextOf('d'.repeat(32)) })).code, 0);
  const door = await named(TRACE, 'GET mlflow');
  assert.equal(door.parentSpanId, request.spanId, 'what crosses goes on in the trace in which the sandbox was made');
  assert.equal((await named(TRACE, 'crossing experiment.search')).parentSpanId, door.spanId);
  assert.equal((await named('d'.repeat(32), 'exec command')).attributes['process.exit.code'], '0');
});

test('a call that nobody traces yet is the root of a trace; one that fails says with which error, and never with which words', async () => {
  const before = collector.spans.length;
  const failed = await plane.run(['sandbox', 'get', 'planted-name'], { token: engineer });
  assert.equal(failed.code, 3);
  const call = await until('the span of the call', () =>
    collector.spans.slice(before).find((span) => span.name === 'fumehood sandbox get'),
  );
  assert.equal(call.parentSpanId, undefined);
  assert.deepEqual(call.attributes, { 'process.exit.code': '3' });
  assert.equal((await named(call.traceId, 'GET api')).parentSpanId, call.spanId);
  assert.ok(collector.text().includes('"message":"not_found"'));
});

test('a collector that is away, refuses or hangs changes nothing about a call', async () => {
  const held: Socket[] = [];
  const hanging = createServer((socket) => held.push(socket)).listen(0, '127.0.0.1');
  await new Promise((resolve) => hanging.once('listening', resolve));
  const address = hanging.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const endpoints = [
    'http://127.0.0.1:9',
    `${plane.url}/refused`,
    `http://127.0.0.1:${port}`,
    'no address',
    'file:///x',
  ];
  for (const endpoint of endpoints) {
    const done = await plane.run(['sandbox', 'list', '--json'], { env: { FUMEHOOD_OTLP_ENDPOINT: endpoint } });
    assert.deepEqual([done.code, done.stderr], [0, ''], endpoint);
  }
  assert.ok(held.length > 0);
  for (const socket of held) socket.destroy();
  hanging.close();
});

test('a client inside that has a trace of its own keeps it, linked to the one of the sandbox', async () => {
  assert.equal((await inside([`traceparent=${contextOf(OTHER)}`])).code, 0);
  const door = await named(OTHER, 'GET mlflow');
  assert.equal(door.parentSpanId, '00f067aa0ba902b7');
  assert.deepEqual(
    door.links.map(({ traceId }) => traceId),
    [TRACE],
  );
});

test('after a restart of the control plane crossings still go on in the trace of their sandbox', async () => {
  const seen = collector.spans.filter((span) => span.traceId === TRACE && span.name === 'GET mlflow').length;
  process.kill(await plane.pid(), 'SIGKILL');
  await plane.json(['up', '--detach']);
  assert.equal((await inside([])).code, 0);
  await until('a further crossing of the trace', () =>
    collector.spans.filter((span) => span.traceId === TRACE && span.name === 'GET mlflow').length > seen
      ? true
      : undefined,
  );
});

test('no secret, token, body or query value is in the log, nor in what the collector gets', async () => {
  const url = (await plane.json<{ url: string }>(['status'])).url;
  const doors = (await plane.json<{ doors: Record<string, string> }>(['status'])).doors;
  const secret = (place: string): string => `planted-${place}-0123456789abcdef`;
  const asUser = { authorization: `Bearer ${engineer}` };
  const ask = (to: string, init: RequestInit = {}) => fetch(to, init).then((answer) => answer.text());
  await ask(`${url}/api/v1/runs?token=${secret('query')}`, { headers: asUser });
  await ask(`${url}/api/v1/${secret('path')}`, { headers: asUser });
  await ask(`${url}/api/v1/sandboxes`, { headers: { authorization: `Bearer ${secret('bearer')}` } });
  await ask(`${url}/api/v1/sandboxes`, {
    headers: { ...asUser, cookie: secret('cookie'), 'user-agent': secret('agent') },
  });
  await ask(`${url}/api/v1/sandboxes`, {
    method: 'POST',
    headers: { ...asUser, 'content-type': 'application/json' },
    body: `{"name": "${secret('broken-body')}"`,
  });
  const vault = { 'x-vault-token': engineer, 'content-type': 'application/json' };
  const data = (value: string): string => JSON.stringify({ data: { password: value } });
  await ask(`${doors.vault}/v1/secret/data/db`, { method: 'POST', headers: vault, body: data(secret('vault')) });
  await ask(`${doors.vault}/v1/secret/data/db`, { method: 'POST', headers: vault, body: `{"${secret('vault-body')}` });
  await ask(`${doors.vault}/v1/secret/data/db`, { headers: { 'x-vault-token': secret('vault-token') } });
  await ask(`${doors.s3}/bucket/key?X-Amz-Signature=${secret('signature')}`, {});
  await ask(`${doors.mlflow}/api/2.0/mlflow/runs/search`, {
    method: 'POST',
    headers: { ...asUser, 'content-type': 'application/json' },
    body: JSON.stringify({ experiment_ids: ['0'], filter: `params.x = '${secret('filter')}` }),
  });
  await plane.run(
    ['sandbox', 'exec', sandbox, '--env', `KEY=${secret('env')}`, '--', 'sh', '-c', `echo ${secret('argv')}`],
    {
      token: engineer,
    },
  );
  await plane.run(['sandbox', 'exec', sandbox, '--', 'cat'], { token: engineer, input: secret('stdin') });

  // The positive control: what was asked is there, by template.
  const log = readFileSync(join(plane.home, 'control.log'), 'utf8');
  for (const there of ['"route":"/api/v1/runs"', '"door":"vault"', '"door":"s3"', '"route":"unknown"', '"traceId":"'])
    assert.ok(log.includes(there), there);
  await until('the log at the collector', () =>
    collector.records.find((record) => record.attributes.door === 'vault' && record.traceId !== undefined),
  );
  for (const text of [log, collector.text()]) {
    assert.doesNotMatch(text, /planted-(?!path-)/);
    assert.ok(!text.includes('planted-path-'), 'paths that clients choose are not shown');
    assert.ok(!text.includes(engineer), "the engineer's token");
    assert.ok(!text.includes(readFileSync(join(plane.home, 'operator.token'), 'utf8').trim()), "the operator's token");
  }
  const lines = log.split('\n').filter((line) => line.startsWith('{"time"'));
  for (const line of lines.filter((one) => one.includes('"message":"request"')))
    assert.deepEqual(Object.keys(JSON.parse(line)).sort(), [
      'door',
      'durationMs',
      'level',
      'message',
      'method',
      'receivedBytes',
      'requestId',
      'route',
      'sentBytes',
      'status',
      'time',
      'traceId',
    ]);
});

/** Asks until the answer has this status. */
async function readiness(status: number): Promise<Record<string, unknown>> {
  const { url } = await plane.json<{ url: string }>(['status']);
  const deadline = Date.now() + 60_000;
  for (;;) {
    const answer = await fetch(`${url}/readyz`);
    const body = (await answer.json()) as Record<string, unknown>;
    if (answer.status === status) return body;
    assert.ok(Date.now() < deadline, JSON.stringify(body));
    await sleep(100);
  }
}

test('readiness fails when the log could not be signed, says which check and no more, and comes back', async () => {
  const { url } = await plane.json<{ url: string }>(['status']);
  assert.deepEqual(await readiness(200), {
    status: 'ready',
    checks: { store: 'ok', 'log-key': 'ok', driver: 'ok', helper: 'ok' },
  });
  const key = join(plane.home, 'keys', 'audit-log.pem');
  await rename(key, `${key}.away`);
  assert.deepEqual(await readiness(503), {
    status: 'not ready',
    checks: { store: 'ok', 'log-key': 'failed', driver: 'ok', helper: 'ok' },
  });
  assert.equal((await fetch(`${url}/healthz`)).status, 200, 'the process lives all the same');
  await rename(`${key}.away`, key);
  await readiness(200);
});

test('readiness fails while the helper of the driver hangs, and comes back', async () => {
  const pid = await plane.pid();
  const [helper] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .map(Number)
    .filter((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('fumehood_helper'));
  assert.ok(helper !== undefined && helper > 1);
  process.kill(helper, 'SIGSTOP');
  try {
    assert.equal(((await readiness(503)).checks as Record<string, string>).helper, 'failed');
  } finally {
    try {
      process.kill(helper, 'SIGCONT');
    } catch {
      // It was given up and another one started.
    }
  }
  await readiness(200);
});

test('metrics are for those whom policy lets read them, by a token that can do nothing else', async () => {
  const { url } = await plane.json<{ url: string }>(['status']);
  const get = (path: string, token?: string) =>
    fetch(url + path, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } });
  assert.equal((await get('/metrics')).status, 401);
  assert.equal((await get('/metrics', engineer)).status, 403);
  const { token } = await plane.json<{ token: string }>([
    'token',
    'create',
    '--scope',
    'metrics.read',
    '--until',
    '1h',
  ]);
  const answer = await get('/metrics', token);
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const text = await answer.text();
  assert.match(text, /^fumehood_crossings_total\{door="mlflow",action="experiment.search",outcome="ok"\} \d+$/m);
  assert.match(text, /^fumehood_sandboxes\{state="running"\} 1$/m);
  assert.doesNotMatch(text, /sb-[0-9a-f]{8}|"ann"/, 'no sandbox and no user is a label');
  assert.equal((await get('/api/v1/sandboxes', token)).status, 403);
});
