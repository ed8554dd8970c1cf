import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { startApi } from './api-fixture.ts';

let api: Awaited<ReturnType<typeof startApi>>;
before(async () => {
  api = await startApi();
});
after(() => api.close());

type Ask = { method?: string; body?: unknown; token?: string | null; headers?: Record<string, string> };
async function ask(path: string, { method = 'GET', body, token = 'good', headers = {} }: Ask = {}) {
  const answer = await fetch(api.url + path, {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text), text };
}

test('an answer holds only what its schema names', async () => {
  const { status, text } = await ask('/api/v1/things', { method: 'POST', body: { name: 'a', size: 1 } });
  assert.equal(status, 201);
  assert.doesNotMatch(text, /hidden/);
});

test('a request without a good token is 401 as problem+json, and audited', async () => {
  for (const token of [null, 'wrong']) {
    const { status, headers, body } = await ask('/api/v1/things/x', { token });
    assert.equal(status, 401);
    assert.equal(headers.get('content-type'), 'application/problem+json');
    assert.equal(headers.get('www-authenticate'), 'Bearer');
    assert.equal(body.code, 'unauthenticated');
    const entry = api.entries.at(-1);
    assert.equal(entry?.action, 'api.authenticate');
    assert.equal(entry?.requestId, body.requestId);
  }
});

test('a bad body is 400 and names every wrong field, and is audited', async () => {
  const { status, body } = await ask('/api/v1/things', { method: 'POST', body: { name: '', size: 'x', extra: 1 } });
  assert.equal(status, 400);
  const fields = body.fields.map((one: { field: string }) => one.field).sort();
  assert.deepEqual(fields, ['body.extra', 'body.name', 'body.size']);
  assert.equal(api.entries.at(-1)?.action, 'thing.create');
});

test('a body that is not JSON, not declared as JSON, or too large is refused with the reason', async () => {
  assert.match((await ask('/api/v1/things', { method: 'POST', body: '{' })).body.detail, /not JSON/);
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  assert.equal((await ask('/api/v1/things', { method: 'POST', body: 'a=b', headers: form })).status, 400);
  const large = JSON.stringify({ name: 'x'.repeat(1024 * 1024), size: 1 });
  assert.equal((await ask('/api/v1/things', { method: 'POST', body: large })).status, 413);
});

test('path and query are validated; an unknown parameter is an error', async () => {
  assert.equal((await ask('/api/v1/things/x?depth=3')).body.depth, 3);
  assert.equal((await ask('/api/v1/things/x?depth=deep')).body.fields[0].field, 'query.depth');
  assert.equal((await ask('/api/v1/things/x?dept=3')).body.fields[0].field, 'query.dept');
  assert.equal((await ask('/api/v1/things/far-too-long')).status, 400);
});

test('policy says no: 403 with the reason and the decision id', async () => {
  const { status, body } = await ask('/api/v1/things/x', { method: 'DELETE' });
  assert.equal(status, 403);
  assert.equal(body.detail, 'things are forbidden');
  assert.equal(body.decisionId, 'dec-1');
});

test('an unknown route is 404 and a wrong method 405 with Allow; both audited', async () => {
  assert.equal((await ask('/api/v1/nothing')).status, 404);
  assert.equal(api.entries.at(-1)?.action, 'api.route');
  const { status, headers } = await ask('/api/v1/things/x', { method: 'PUT' });
  assert.equal(status, 405);
  assert.equal(headers.get('allow'), 'DELETE, GET');
});

test('an answer without a crossing is never sent, nor a stream', async () => {
  const { status, text } = await ask('/api/v1/silent');
  assert.equal(status, 500);
  assert.doesNotMatch(text, /leak/);
  await assert.rejects(ask('/api/v1/silent-stream'), 'the connection is cut');
});

test('an unexpected error is logged with its request id and never shown', async () => {
  const { status, text, body } = await ask('/api/v1/broken');
  assert.equal(status, 500);
  assert.doesNotMatch(text, /inner reason/);
  assert.ok(api.logged.some((line) => line.includes(body.requestId) && line.includes('inner reason')));
});

test('a well-formed X-Request-Id is taken over, another is replaced', async () => {
  const given = await ask('/api/v1/things/x', { headers: { 'x-request-id': 'client-chosen-1' } });
  assert.equal(given.headers.get('x-request-id'), 'client-chosen-1');
  assert.equal(api.entries.at(-1)?.requestId, 'client-chosen-1');
  const odd = await ask('/api/v1/things/x', { headers: { 'x-request-id': '<script>' } });
  assert.match(odd.headers.get('x-request-id') ?? '', /^req-[0-9a-f]{32}$/);
});

test('the same idempotency key gives the same answer, also at the same time; another body is a conflict', async () => {
  const post = (size: number) =>
    ask('/api/v1/things', { method: 'POST', body: { name: 'a', size }, headers: { 'idempotency-key': 'k-1' } });
  const [one, two] = await Promise.all([post(1), post(1)]);
  assert.deepEqual(one.body, two.body);
  assert.deepEqual((await post(1)).body, one.body);
  assert.equal((await post(2)).status, 409);
});

test('a foreign Host (DNS rebinding) and a foreign Origin are refused', async () => {
  const status = (headers: Record<string, string>): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const sent = request(`${api.url}/healthz`, { headers }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      sent.on('error', reject).end();
    });
  assert.equal(await status({}), 200);
  assert.equal(await status({ host: 'evil.example:80' }), 403);
  assert.equal(await status({ origin: 'https://evil.example' }), 403);
  assert.equal(await status({ origin: api.url }), 200);
});

test('the OpenAPI document describes every route from its schemas', async () => {
  const { body } = await ask('/api/v1/openapi.json', { token: null });
  assert.equal(body.openapi, '3.1.0');
  const create = body.paths['/api/v1/things'].post;
  assert.deepEqual(create.requestBody.content['application/json'].schema.required, ['name', 'size']);
  assert.equal(create['x-fumehood-action'], 'thing.create');
  assert.deepEqual(
    body.paths['/api/v1/things/{id}'].get.parameters.map((one: { name: string; in: string }) => [one.name, one.in]),
    [
      ['id', 'path'],
      ['depth', 'query'],
    ],
  );
});

test('without TLS only loopback is served, and a taken port is a conflict', async () => {
  await assert.rejects(api.api.listen({ host: '0.0.0.0', port: 0 }), { code: 'invalid' });
  await assert.rejects(api.api.listen({ host: '127.0.0.1', port: api.port }), { code: 'conflict' });
});
