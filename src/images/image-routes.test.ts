import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { AppError } from '#kernel/errors.ts';
import { createKeyedMutex } from '#kernel/keyed-mutex.ts';
import { type Api, createApi } from '#src/http/server.ts';
import { watchCrossings } from '#src/http/watch-crossings.ts';
import { openWorld, person, type World } from '#src/objects/test-objects.ts';
import { createImageFiles } from './image-files.ts';
import { imageRoutes } from './image-routes.ts';
import { layoutOf, pythonLink, pythonStub, tarOf } from './test-layout.ts';

describe('images over REST', () => {
  const used = new Set<string>();
  const { tar, digest } = layoutOf([tarOf([pythonStub, pythonLink])], { workingDir: '/srv' });
  let world: World;
  let api: Api;
  let base = '';
  const call = async (method: string, path: string, body?: Buffer, token = 'ada') => {
    const response = await fetch(`${base}/api/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: new Uint8Array(body) }),
    });
    return { status: response.status, body: JSON.parse(await response.text()) };
  };
  const left = (): string[] => {
    const folder = join(world.home, 'images');
    return existsSync(folder) ? readdirSync(folder) : [];
  };

  before(async () => {
    world = await openWorld();
    const { gateway, crossings } = watchCrossings(world.gateway);
    const { clock, ids } = world.deps;
    const inUse = async (one: string): Promise<boolean> => used.has(one);
    const files = createImageFiles({
      folder: join(world.home, 'images'),
      mutex: createKeyedMutex(),
      arch: process.arch,
      interpreter: '/usr/bin/python3.12',
      largestBytes: 1_000_000,
      cacheBytes: 2_000_000,
      inUse,
    });
    api = createApi({
      routes: imageRoutes({ gateway, clock, files, inUse }),
      webSocketRoutes: [],
      gateway,
      crossings,
      database: world.database,
      clock,
      ids,
      log: () => undefined,
      version: '0.0.0',
      authenticate: async (bearer) => {
        if (bearer === 'ada') return person(bearer);
        throw new AppError('unauthenticated', 'The token is not valid.');
      },
    });
    base = (await api.listen({ host: '127.0.0.1', port: 0 })).url;
  });
  after(async () => {
    await api.close({ graceMs: 100 });
    await world.close();
  });

  it('says 400, 401, 403 and 404 in words, and keeps nothing of what it refused', async () => {
    const refused = await call('PUT', 'images', Buffer.from('no archive'));
    assert.deepEqual([refused.status, /ends too early/.test(refused.body.detail)], [400, true]);
    assert.equal((await call('PUT', 'images?name=..%2F..%2Fetc', tar)).status, 400);
    assert.equal((await call('GET', 'images/sha256:..%2F..%2Fetc')).status, 400);
    assert.equal((await call('PUT', 'images', tar, 'nobody')).status, 401);
    assert.equal((await call('GET', `images/${digest}`)).status, 404);
    assert.equal((await call('DELETE', `images/${digest}`)).status, 404);
    world.policy.allows = () => false;
    for (const [method, path, body] of [
      ['PUT', 'images', tar],
      ['GET', 'images', undefined],
    ] as const)
      assert.equal((await call(method, path, body)).status, 403);
    world.policy.allows = () => true;
    assert.deepEqual(left(), []);
  });

  it('refuses one that is too large while it is being sent', async () => {
    assert.equal((await call('PUT', 'images', Buffer.concat([tar, Buffer.alloc(3_000_000)]))).status, 413);
    assert.deepEqual(left(), []);
  });

  it('adds one once, shows it, and writes who added what by digest', async () => {
    const added = await call('PUT', 'images?name=tiny', tar);
    assert.deepEqual(
      [added.status, added.body.digest, added.body.name, added.body.owner, added.body.workingDir, added.body.added],
      [200, digest, 'tiny', 'ada', '/srv', true],
    );
    assert.equal((await call('PUT', 'images', tar)).body.added, false);
    assert.deepEqual(
      (await call('GET', 'images')).body.items.map((one: { digest: string }) => one.digest),
      [digest],
    );
    assert.equal((await call('GET', `images/${digest}`)).body.python, '/usr/bin/python3');
    const entry = world.entries.findLast((one) => one.action === 'image.add');
    assert.deepEqual([entry?.actor.id, entry?.object.digest, entry?.outcome], ['ada', digest, 'ok']);
  });

  it('keeps one that a sandbox uses, and removes it when none does', async () => {
    used.add(digest);
    assert.equal((await call('DELETE', `images/${digest}`)).status, 409);
    used.clear();
    assert.equal((await call('DELETE', `images/${digest}?dryRun=true`)).status, 200);
    assert.equal((await call('GET', `images/${digest}`)).status, 200);
    assert.equal((await call('DELETE', `images/${digest}`)).status, 200);
    assert.deepEqual(left(), []);
  });
});
