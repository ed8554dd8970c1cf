/** The real mlflow client: inside a real sandbox with nothing configured, and from outside with a token. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';
import { runPython } from './python-clients.ts';

const PACKAGES = ['mlflow', 'scikit-learn', 'pandas', 'matplotlib', 'boto3'];
const SCRIPT = 'mlflow_client.py';
const ENGINEER = 'erin';

let control: TestControlPlane;
let python = '';
let token = '';

before(async () => {
  control = await startControlPlane();
  token = await control.user(ENGINEER, 'engineer');
  const packages = PACKAGES.flatMap((name) => ['--package', name]);
  const { digest } = await control.json<{ digest: string }>(['environment', 'create', 'clients', ...packages]);
  python = join(control.home, 'environments', digest.replace('sha256:', ''), 'bin/python');
});

after(async () => control?.close());

const door = (path: string, options: RequestInit = {}): Promise<Response> =>
  fetch(`${control.doors.mlflow}/api/2.0/mlflow/${path}`, options);

test('the client works from outside with a token', { timeout: 180_000 }, async () => {
  const done = await runPython(python, SCRIPT, {
    MLFLOW_TRACKING_URI: control.doors.mlflow ?? '',
    MLFLOW_TRACKING_TOKEN: token,
    TEST_PREFIX: 'outside',
  });
  assert.equal(done.code, 0, done.output);
  assert.match(done.output, /^done$/m);
});

test('the client works inside a sandbox with nothing configured, and what it wrote is in lineage', {
  timeout: 180_000,
}, async () => {
  const sizes = ['--memory', '2g', '--disk', '256m'];
  await control.json(['sandbox', 'create', '--name', 'inside', '--environment', 'clients', ...sizes], { token });
  const script = join(import.meta.dirname, SCRIPT);
  await control.run(['sandbox', 'cp', script, `inside:/workspace/${SCRIPT}`], { token });
  const exec = ['sandbox', 'exec', 'inside', '--env', 'TEST_PREFIX=inside', '--', 'python', SCRIPT];
  const done = await control.run(exec, { token });
  assert.equal(done.code, 0, done.stdout + done.stderr);
  assert.match(done.stdout, /^done$/m);
  const ids = JSON.parse(done.stdout.split('\n').find((line) => line.startsWith('{')) ?? '') as Record<string, string>;
  const graph = await control.json<{ nodes: { id: string }[]; edges: { from: string; to: string; kind: string }[] }>(
    ['lineage', 'show', `run:${ids.registering}`, '--up', '--kinds', 'observed'],
    { token },
  );
  const kinds = new Set(graph.nodes.map((node) => node.id.split(':')[0]));
  for (const kind of ['sandbox', 'environment', 'code'])
    assert.ok(kinds.has(kind), `${kind} is in the lineage of the run`);
  assert.ok(graph.edges.every((edge) => edge.kind === 'observed'));
});

test('an artifact that was logged is the object in the bucket "mlflow"', { timeout: 120_000 }, async () => {
  const code = `
import boto3, mlflow
with mlflow.start_run() as run:
    mlflow.log_text("the same bytes", "folder/file.txt")
s3 = boto3.client("s3")
key = f"{run.info.experiment_id}/{run.info.run_id}/artifacts/folder/file.txt"
print(s3.get_object(Bucket="mlflow", Key=key)["Body"].read().decode())
s3.put_object(Bucket="mlflow", Key=key.replace("file", "other"), Body=b"written by S3")
print(mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/folder/other.txt"))
`;
  const done = await control.run(['sandbox', 'exec', 'inside', '--', 'python', '-c', code], { token });
  assert.equal(done.code, 0, done.stderr);
  assert.match(done.stdout, /the same bytes\nwritten by S3/);
});

test("without a token, with a wrong one, and for what is not served the answers are in the protocol's own form", async () => {
  const bearer = { authorization: `Bearer ${token}` };
  const cases: [string, RequestInit, number, string][] = [
    ['experiments/search?max_results=1', {}, 401, 'UNAUTHENTICATED'],
    ['experiments/search?max_results=1', { headers: { authorization: 'Bearer fh_wrong' } }, 401, 'UNAUTHENTICATED'],
    ['gateway/routes', { headers: bearer }, 404, 'ENDPOINT_NOT_FOUND'],
    ['runs/create', { method: 'DELETE', headers: bearer }, 404, 'ENDPOINT_NOT_FOUND'],
    ['runs/create', { method: 'POST', headers: bearer, body: '{' }, 400, 'MALFORMED_REQUEST'],
    ['runs/create', { method: 'POST', headers: bearer, body: '[]' }, 400, 'MALFORMED_REQUEST'],
    [
      'runs/log-metric',
      { method: 'POST', headers: bearer, body: '{"run_id":"a","key":"k"}' },
      400,
      'INVALID_PARAMETER_VALUE',
    ],
    ['runs/get', { headers: bearer }, 400, 'INVALID_PARAMETER_VALUE'],
    ['runs/get?run_id=nobody', { headers: bearer }, 404, 'RESOURCE_DOES_NOT_EXIST'],
    ['runs/search', { method: 'POST', headers: bearer, body: '{"max_results":0}' }, 400, 'INVALID_PARAMETER_VALUE'],
    [
      'runs/search',
      { method: 'POST', headers: bearer, body: '{"experiment_ids":["0"],"page_token":"?"}' },
      400,
      'INVALID_PARAMETER_VALUE',
    ],
  ];
  for (const [path, options, status, code] of cases) {
    const response = await door(path, options);
    const body = (await response.json()) as { error_code: string; message: string };
    assert.equal(response.status, status, `${path}: ${JSON.stringify(body)}`);
    assert.equal(body.error_code, code);
    assert.notEqual(body.message, '');
    assert.ok(response.headers.has('x-request-id'));
  }
  const basic = Buffer.from(`erin:${token}`).toString('base64');
  assert.equal(
    (await door('experiments/search?max_results=1', { headers: { authorization: `Basic ${basic}` } })).status,
    200,
  );
});

test('paths of artifacts that could mean another place are refused', async () => {
  const root = `${control.doors.mlflow}/api/2.0/mlflow-artifacts/artifacts`;
  const headers = { authorization: `Bearer ${token}` };
  for (const path of ['%2e%2e%2fx', '0/%2e%2e%2fx', '0//x', '0/a%00b', '%ff', '0/..%5cx']) {
    const response = await fetch(`${root}/${path}`, { method: 'PUT', headers, body: 'x' });
    assert.equal(response.status, 400, path);
    assert.equal(((await response.json()) as { error_code: string }).error_code, 'INVALID_PARAMETER_VALUE');
  }
});

test('another engineer sees, changes and finds nothing of it', async () => {
  const mallory = await control.user('mallory', 'engineer');
  const own = await control.json<{ items: { id: string }[] }>(['run', 'list'], { token });
  const id = own.items[0]?.id ?? '';
  assert.notEqual(id, '');
  const headers = { authorization: `Bearer ${mallory}` };
  const attempts: [string, RequestInit][] = [
    [`runs/get?run_id=${id}`, { headers }],
    ['runs/log-metric', { method: 'POST', headers, body: JSON.stringify({ run_id: id, key: 'x', value: 1 }) }],
    ['runs/delete', { method: 'POST', headers, body: JSON.stringify({ run_id: id }) }],
    [`metrics/get-history?run_id=${id}&metric_key=loss`, { headers }],
    [`artifacts/list?run_id=${id}`, { headers }],
  ];
  for (const [path, options] of attempts) {
    const response = await door(path, options);
    const body = (await response.json()) as { error_code: string; message: string };
    assert.equal(response.status, 403, path);
    assert.equal(body.error_code, 'PERMISSION_DENIED');
    assert.match(body.message, /\(decision dec-[0-9a-f]+\)/);
  }
  const found = await door('runs/search', {
    method: 'POST',
    headers,
    body: JSON.stringify({ experiment_ids: ['0', '1', '2', '3'] }),
  });
  assert.deepEqual(await found.json(), { runs: [] });
});

test('every request is in the audit log with its decision, refusals too, and the log verifies', async () => {
  const officer = await control.user('olga', 'officer');
  const { items } = await control.json<{ items: { action: string; outcome: string; decision: unknown }[] }>(
    ['audit', 'list', '--limit', '200'],
    { token: officer },
  );
  assert.ok(
    items.some((entry) => entry.action === 'run.read' && entry.outcome === 'denied' && entry.decision !== null),
  );
  const verified = await control.run(['audit', 'verify'], { token: officer });
  assert.equal(verified.code, 0, verified.stderr);
});
