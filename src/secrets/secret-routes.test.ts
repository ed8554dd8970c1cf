import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { AppError } from '#kernel/errors.ts';
import { randomIds } from '#kernel/ids.ts';
import { openKeyFile } from '#kernel/key-file.ts';
import { createLog } from '#kernel/log.ts';
import { openTestGateway, person } from '#src/gateway/test-gateway.ts';
import { createApi } from '#src/http/server.ts';
import { watchCrossings } from '#src/http/watch-crossings.ts';
import { createSecrets } from './create-secrets.ts';
import { secretRoutes } from './secret-routes.ts';

async function startSecretsApi() {
  const world = await openTestGateway();
  const keys = await openKeyFile({ folder: join(world.home, 'keys'), keyName: 'secrets', hasData: false });
  const { gateway, crossings } = watchCrossings(world.gateway);
  const lines: string[] = [];
  const api = createApi({
    ...world,
    gateway,
    crossings,
    routes: secretRoutes(createSecrets({ ...world, gateway, keys, ids: randomIds })),
    webSocketRoutes: [],
    ids: randomIds,
    log: createLog((line) => lines.push(line), 'debug'),
    version: '0.0.0',
    authenticate: async (bearer) => {
      if (bearer !== 'good') throw new AppError('unauthenticated', 'The token is not valid.');
      return person('ada');
    },
  });
  const { url } = await api.listen({ host: '127.0.0.1', port: 0 });
  const ask = async (method: string, path: string, body?: unknown, token = 'good') => {
    const response = await fetch(`${url}/api/v1/secrets${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, text, json: text === '' ? null : JSON.parse(text) };
  };
  const close = async (): Promise<void> => {
    await api.close({ graceMs: 100 });
    await world.close();
  };
  return { ...world, lines, ask, close };
}

test('put, get, list and delete; values are in no log and no audit entry', async () => {
  const api = await startSecretsApi();
  try {
    const put = await api.ask('PUT', '/team/db', { data: { password: 'hunter2' }, cas: 0 });
    assert.deepEqual([put.status, put.json.version], [200, 1]);
    assert.deepEqual((await api.ask('GET', '/team/db')).json.data, { password: 'hunter2' });
    assert.deepEqual((await api.ask('GET', '?prefix=team')).json.items, ['db']);
    assert.equal((await api.ask('DELETE', '/team/db')).status, 204);
    assert.equal((await api.ask('GET', '/team/db')).status, 404);
    assert.equal((await api.ask('DELETE', '/team/db?all=true')).status, 204);
    assert.deepEqual((await api.ask('GET', '')).json.items, []);
    assert.equal(JSON.stringify([api.lines, api.entries]).includes('hunter2'), false);
  } finally {
    await api.close();
  }
});

test('400 for a wrong body or path, 401 without a token, 403 by policy, 412 for a lost race: on every route', async () => {
  const api = await startSecretsApi();
  try {
    const routes: [string, string, unknown][] = [
      ['PUT', '/a', { data: { k: 'v' } }],
      ['GET', '/a', undefined],
      ['GET', '', undefined],
      ['DELETE', '/a', undefined],
    ];
    for (const [method, path, body] of routes) {
      assert.equal((await api.ask(method, path, body, 'bad')).status, 401);
      assert.equal((await api.ask(method, `${path}?nonsense=1`, body)).status, 400);
      api.policy.allows = () => false;
      assert.equal((await api.ask(method, path, body)).status, 403);
      api.policy.allows = () => true;
    }
    const wrong = await api.ask('PUT', '/a', { data: 'hunter2' });
    assert.deepEqual([wrong.status, wrong.text.includes('hunter2')], [400, false]);
    assert.equal((await api.ask('PUT', '/a', { data: {}, cas: 7 })).status, 412);
  } finally {
    await api.close();
  }
});
