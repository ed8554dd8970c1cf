import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { AppError } from '#kernel/errors.ts';
import { openKeyFile } from '#kernel/key-file.ts';
import { type Api, createApi } from '#src/http/server.ts';
import { watchCrossings } from '#src/http/watch-crossings.ts';
import { accessKeyRoutes } from './access-key-routes.ts';
import { type AccessKeys, createAccessKeys } from './access-keys.ts';
import { openWorld, person, type World } from './test-objects.ts';

describe('access keys over REST', () => {
  let world: World;
  let api: Api;
  let base = '';
  let accessKeys: AccessKeys;
  const call = async (method: string, path: string, body?: unknown, token = 'ada') => {
    const response = await fetch(`${base}/api/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  };

  before(async () => {
    world = await openWorld();
    const { gateway, crossings } = watchCrossings(world.gateway);
    const keys = await openKeyFile({ folder: `${world.home}/keys`, keyName: 'objects', hasData: true });
    const { database, clock } = world;
    accessKeys = createAccessKeys({ keys, database, clock });
    api = createApi({
      routes: accessKeyRoutes({ accessKeys }),
      webSocketRoutes: [],
      gateway,
      crossings,
      database,
      clock,
      ids: world.deps.ids,
      log: () => undefined,
      version: '0.0.0',
      authenticate: async (bearer) => {
        if (bearer === 'ada' || bearer === 'bob') return person(bearer);
        throw new AppError('unauthenticated', 'The token is not valid.');
      },
    });
    base = (await api.listen({ host: '127.0.0.1', port: 0 })).url;
  });
  after(async () => {
    await api.close({ graceMs: 100 });
    await world.close();
  });

  it('makes a key pair that is its maker, and revokes it', async () => {
    const made = await call('POST', 'access-keys', { readOnly: true });
    assert.equal(made.status, 201);
    const found = await accessKeys.find(made.body.accessKeyId);
    assert.deepEqual([found?.key.identity.user, found?.key.readOnly, found?.key.sandboxId], ['ada', true, undefined]);
    assert.equal(found?.secretAccessKey, made.body.secretAccessKey);
    assert.equal(JSON.stringify(world.entries).includes(made.body.secretAccessKey), false);
    assert.equal((await call('DELETE', `access-keys/${made.body.accessKeyId}`)).status, 204);
    assert.equal(await accessKeys.find(made.body.accessKeyId), undefined);
    assert.equal((await call('DELETE', `access-keys/${made.body.accessKeyId}`)).status, 404);
  });

  it('lists what works, page by page: your own, or all for whom policy lets see them, never a secret or one of a sandbox', async () => {
    const own = [await call('POST', 'access-keys', {}), await call('POST', 'access-keys', { readOnly: true })];
    const other = await call('POST', 'access-keys', {}, 'bob');
    const late = await call('POST', 'access-keys', { ttlSeconds: 60 });
    const inside = await accessKeys.issue({
      identity: person('ada'),
      sandboxId: 'sb-1',
      readOnly: false,
      ttlMs: 3_600_000,
    });
    await world.database.transaction((tx) => inside.save(tx));
    world.clock.advance(120_000);
    const first = await call('GET', 'access-keys?limit=1');
    const second = await call('GET', `access-keys?limit=1&cursor=${first.body.next}`);
    assert.equal(second.body.next, null);
    const listed = [...first.body.items, ...second.body.items];
    assert.deepEqual(
      listed.map((one) => [one.accessKeyId, one.user, one.readOnly]),
      own
        .map(({ body }) => [body.accessKeyId, 'ada', body.readOnly])
        .sort(([one = ''], [next = '']) => (one < next ? -1 : 1)),
    );
    assert.equal(JSON.stringify(listed).includes(own[0]?.body.secretAccessKey), false);
    const all = await call('GET', 'access-keys?all=true');
    const ids = all.body.items.map((one: { accessKeyId: string }) => one.accessKeyId);
    assert.ok(ids.includes(other.body.accessKeyId));
    assert.ok(!ids.includes(late.body.accessKeyId) && !ids.includes(inside.accessKeyId));
  });

  it('says 400, 401 and 403, and then makes none', async () => {
    assert.equal((await call('POST', 'access-keys', { ttlSeconds: 1 })).status, 400);
    assert.equal((await call('DELETE', 'access-keys/nothing')).status, 400);
    assert.equal((await call('POST', 'access-keys', {}, 'nobody')).status, 401);
    assert.equal((await call('GET', 'access-keys', undefined, 'nobody')).status, 401);
    assert.equal((await call('GET', 'access-keys?limit=0')).status, 400);
    world.policy.allows = () => false;
    assert.equal((await call('POST', 'access-keys', {})).status, 403);
    assert.equal((await call('GET', 'access-keys')).status, 403);
    world.policy.allows = () => true;
  });
});
