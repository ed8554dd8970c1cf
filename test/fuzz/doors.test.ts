/** Real doors of a real control plane: whatever is asked of them is answered, and never by an error of Fumehood itself. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { MLFLOW_ROUTES } from '#src/doors/mlflow/mlflow-door.ts';
import { S3_ROUTES } from '#src/doors/s3/s3-routes.ts';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';
import { hostileText, slowTarget } from './target.ts';

type Question = { method: string; path: string; headers?: Record<string, string>; body?: string | Buffer };

const hostile = hostileText('a', '1', '0', '..', "'", '"', '`', '\\', '-1', '9'.repeat(20), 'null', 'x'.repeat(300));
const value: fc.Arbitrary<unknown> = fc.oneof(
  hostile,
  fc.jsonValue({ maxDepth: 1 }),
  fc.integer(),
  fc.double({ noNaN: true }),
  fc.constantFrom(
    '0',
    '',
    [],
    {},
    [{}],
    [{ key: 'a', value: 'b' }],
    [{ key: 'a', value: 1, timestamp: 1, step: 1e300 }],
    null,
    1e308,
    -1,
  ),
);
const FIELDS = [
  'run_id',
  'experiment_id',
  'experiment_ids',
  'name',
  'key',
  'value',
  'filter',
  'filter_string',
  'order_by',
  'max_results',
  'page_token',
  'metrics',
  'params',
  'tags',
  'timestamp',
  'step',
  'start_time',
  'end_time',
  'status',
  'run_name',
  'source',
  'version',
  'alias',
  'stage',
  'description',
  'path',
  'metric_key',
  'model_id',
  'datasets',
  'models',
  'view_type',
  'run_view_type',
  'artifact_location',
  'new_name',
  'model_json',
  'run_uuid',
  'data',
];
const body = fc.dictionary(fc.constantFrom(...FIELDS), value, { maxKeys: 8 });
const encoded = (text: string): string => encodeURIComponent(text.toWellFormed());
const filled = (path: string, words: readonly string[]): string => {
  let at = 0;
  return path.replace(/[:*]\w+/g, () => encoded(words[at++ % Math.max(1, words.length)] ?? 'a') || 'a');
};
const words = fc.array(hostile, { minLength: 1, maxLength: 4 });

describe('fuzzing of the doors, as people reach them', () => {
  let control: TestControlPlane;
  let token: string;
  let run: string;
  let experiment: string;
  before(async () => {
    const { FUMEHOOD_FUZZ_DATABASE_URL: url } = process.env;
    control = await startControlPlane(url === undefined ? {} : { FUMEHOOD_DATABASE_URL: url });
    token = await control.user('erin', 'engineer');
    const made = await ask('mlflow', {
      method: 'POST',
      path: '/api/2.0/mlflow/runs/create',
      body: '{"experiment_id":"0"}',
    });
    ({ run_id: run, experiment_id: experiment } = (
      JSON.parse(made.text) as { run: { info: Record<'run_id' | 'experiment_id', string> } }
    ).run.info);
  });
  after(() => control.close());

  const ask = async (door: string, { method, path, headers = {}, body: sent }: Question) => {
    const base = door === 'api' ? control.url : (control.doors[door] ?? '');
    const response = await fetch(`${base}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'x-vault-token': token,
        'content-type': 'application/json',
        ...headers,
      },
      ...(sent === undefined || method === 'GET' || method === 'HEAD' ? {} : { body: sent }),
      signal: AbortSignal.timeout(60_000),
      redirect: 'manual',
    });
    return {
      status: response.status,
      requestId: response.headers.get('x-request-id') ?? response.headers.get('x-amz-request-id'),
      text: await response.text(),
    };
  };
  const answered = async (door: string, question: Question): Promise<void> => {
    const { status, requestId, text } = await ask(door, question);
    const told = `${question.method} ${question.path.slice(0, 300)} ${String(question.body ?? '').slice(0, 500)} -> ${status} ${text.slice(0, 300)}`;
    assert.ok(status < 500 || status === 501, told);
    assert.match(requestId ?? '', /^req-/, told);
  };

  slowTarget(
    'MLflow',
    fc.record({ route: fc.constantFrom(...MLFLOW_ROUTES), words, body, known: fc.boolean(), query: fc.boolean() }),
    async ({ route, words: path, body: fields, known, query }) => {
      const sent = known ? { ...fields, run_id: run, experiment_id: experiment, experiment_ids: [experiment] } : fields;
      const search = query
        ? `?${Object.entries(sent)
            .map(([key, one]) => `${key}=${encoded(typeof one === 'string' ? one : String(JSON.stringify(one)))}`)
            .join('&')}`
        : '';
      await answered('mlflow', {
        method: route.method,
        path: `${filled(route.path, path)}${search}`,
        body: JSON.stringify(sent),
      });
    },
    { quick: 250, share: 0.005 },
  );

  slowTarget(
    'MLflow, bodies that are no JSON',
    fc.record({ route: fc.constantFrom(...MLFLOW_ROUTES), bytes: fc.uint8Array({ maxLength: 60 }) }),
    async ({ route, bytes }) => {
      await answered('mlflow', { method: route.method, path: filled(route.path, ['a']), body: Buffer.from(bytes) });
    },
    { quick: 40, share: 0.001 },
  );

  const vaultPath = fc.tuple(
    fc.constantFrom(
      'secret/data/',
      'secret/metadata/',
      'secret/delete/',
      'secret/undelete/',
      'secret/destroy/',
      'secret/config',
      'sys/health',
      'sys/mounts',
      'auth/token/',
      'sys/internal/ui/mounts/',
      'auth/token/create',
      'auth/token/lookup',
      'auth/token/renew-self',
      '',
    ),
    words,
  );
  slowTarget(
    'Vault',
    fc.record({
      method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'LIST'),
      path: vaultPath,
      query: hostile,
      body: fc.oneof(
        fc.dictionary(
          fc.constantFrom(
            'data',
            'options',
            'versions',
            'cas',
            'max_versions',
            'ttl',
            'custom_metadata',
            'delete_version_after',
            'policies',
            'num_uses',
          ),
          value,
          { maxKeys: 5 },
        ),
        fc.jsonValue(),
      ),
    }),
    async ({ method, path: [start, rest], query, body: sent }) => {
      const type: Record<string, string> = method === 'PATCH' ? { 'content-type': 'application/merge-patch+json' } : {};
      await answered('vault', {
        method,
        path: `/v1/${start}${rest.map(encoded).join('/')}?list=${encoded(query)}`,
        headers: type,
        body: JSON.stringify(sent),
      });
    },
    { quick: 200, share: 0.005 },
  );

  slowTarget(
    'S3, signed by nobody',
    fc.record({ route: fc.constantFrom(...S3_ROUTES), words, body: hostile, header: hostile }),
    async ({ route, words: path, body: sent, header }) => {
      const query = (route.query ?? []).map((name) => `${name}=${encoded(path[0] ?? '')}`).join('&');
      const printable = header.replace(/[^\x20-\x7e]/g, '').trim();
      await answered('s3', {
        method: route.method,
        path: `${filled(route.path, path)}${query === '' ? '' : `?${query}`}`,
        headers: {
          authorization: printable,
          range: printable,
          'x-amz-date': printable,
          'x-amz-content-sha256': printable,
        },
        body: sent,
      });
    },
    { quick: 150, share: 0.005 },
  );

  slowTarget(
    'the API of the control plane',
    fc.record({
      method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE'),
      noun: fc.constantFrom(
        'sandboxes',
        'audit',
        'users',
        'tokens',
        'runs',
        'models',
        'secrets',
        'policies',
        'approvals',
        'access',
        'datasets',
        'lineage',
        'quotas',
        'environments',
        'keys',
        'backups',
      ),
      words,
      body: fc.oneof(body, fc.jsonValue()),
      query: hostile,
    }),
    async ({ method, noun, words: path, body: sent, query }) => {
      await answered('api', {
        method,
        path: `/api/v1/${noun}/${path.map(encoded).join('/')}?cursor=${encoded(query)}&limit=${encoded(query)}&filter=${encoded(query)}`,
        body: JSON.stringify(sent),
      });
      await answered('api', { method: 'GET', path: `/api/v1/${noun}?cursor=${encoded(query)}` });
    },
    { quick: 100, share: 0.003 },
  );

  slowTarget(
    'bytes that are no request',
    fc.tuple(
      fc.constantFrom('mlflow', 's3', 'vault'),
      hostileText(
        'GET / HTTP/1.1\r\n',
        'Host: x\r\n',
        'Content-Length: 10\r\n',
        'Transfer-Encoding: chunked\r\n',
        '\r\n',
        'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
        '\x16\x03\x01',
      ),
    ),
    async ([door, text]) => {
      const { port, hostname } = new URL(control.doors[door] ?? '');
      await new Promise<void>((resolve) => {
        const socket = connect({ port: Number(port), host: hostname }, () => socket.end(text));
        socket
          .on('error', () => resolve())
          .on('close', () => resolve())
          .resume();
        setTimeout(() => socket.destroy(), 2000).unref();
      });
    },
    { quick: 60, share: 0.001 },
  );

  it('takes or refuses halves of characters and NULs in every text that it keeps', async () => {
    for (const odd of ['a\ud800', '\udc00b', 'c\0d']) {
      const send = (door: string, path: string, sent: unknown, method = 'POST') =>
        answered(door, { method, path, body: JSON.stringify(sent) });
      const tags = [{ key: odd, value: odd }];
      for (const [path, sent] of [
        ['runs/create', { experiment_id: experiment, run_name: odd, tags }],
        ['runs/log-batch', { run_id: run, metrics: [{ key: odd, value: 1, timestamp: 1 }], params: tags, tags }],
        ['runs/log-batch', { run_id: odd, tags }],
        ['runs/set-tag', { run_id: run, ...tags[0] }],
        ['experiments/create', { name: odd, tags }],
        ['registered-models/create', { name: odd, description: odd, tags }],
        ['model-versions/create', { name: odd, source: odd, run_id: run, description: odd }],
      ] as const)
        await send('mlflow', `/api/2.0/mlflow/${path}`, sent);
      await send('vault', '/v1/secret/data/odd', { data: { [odd]: odd } });
      await send('api', '/api/v1/access-requests', { dataset: odd, purpose: odd, until: '1d' });
      await send('api', '/api/v1/sandboxes', { name: odd, purpose: odd, egress: [odd] });
      await send('api', `/api/v1/secrets/odd-${odd.length}`, { data: { [odd]: odd } }, 'PUT');
    }
  });

  it('goes on answering after all of it, and its log verifies', async () => {
    const officer = await control.user('olga', 'officer');
    const verified = await control.run(['audit', 'verify'], { token: officer });
    assert.equal(verified.code, 0, verified.stderr);
  });
});
