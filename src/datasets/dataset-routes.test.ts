import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { AppError } from '#kernel/errors.ts';
import { type Api, createApi } from '#src/http/server.ts';
import { watchCrossings } from '#src/http/watch-crossings.ts';
import { createShelf } from '#src/objects/shelf.ts';
import { openWorld, person, type World } from '#src/objects/test-objects.ts';
import { DEFAULT_TAGS } from './dataset.ts';
import { DATASET_BUCKET_RULES } from './dataset-bucket.ts';
import { datasetRoutes } from './dataset-routes.ts';

describe('data sets over REST', () => {
  let world: World;
  let api: Api;
  let base = '';
  const call = async (method: string, path: string, body?: unknown, token = 'ada') => {
    const raw = typeof body === 'string';
    const response = await fetch(`${base}/api/v1/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined || raw ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  };

  before(async () => {
    world = await openWorld({
      builtIn: () => ({ datasets: DATASET_BUCKET_RULES }),
    });
    const { gateway, crossings } = watchCrossings(world.gateway);
    const { database, lineage, clock, ids } = world.deps;
    const shelf = createShelf({ ...world.deps, gateway });
    api = createApi({
      routes: datasetRoutes({ gateway, database, lineage, clock, ids, shelf, vocabulary: DEFAULT_TAGS }),
      webSocketRoutes: [],
      gateway,
      crossings,
      database: world.database,
      clock,
      ids,
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

  it('adds a version file by file and shows it', async () => {
    const upload = await call('POST', 'datasets/topics/uploads', { tags: ['public'] });
    assert.equal(upload.status, 201);
    const files = `dataset-uploads/${upload.body.id}/files`;
    assert.equal((await call('PUT', `${files}/in/a%20b.txt`, 'hello')).body.path, 'in/a b.txt');
    assert.equal((await call('PUT', `${files}/c.txt`, 'world')).status, 200);
    const added = await call('POST', `dataset-uploads/${upload.body.id}/finish`);
    assert.deepEqual(
      [added.status, added.body.name, added.body.version, added.body.tags],
      [200, 'topics', 1, ['public']],
    );
    assert.match(added.body.digest, /^sha256:[0-9a-f]{64}$/);
    assert.deepEqual((await call('GET', 'datasets')).body.items.length, 1);
    assert.equal((await call('GET', 'datasets/topics')).body.digest, added.body.digest);
    assert.equal((await call('GET', 'datasets/topics/versions')).body.items.length, 1);
    const listed = await call('GET', 'datasets/topics/versions/1/files');
    assert.deepEqual(
      listed.body.items.map((file: { path: string }) => file.path),
      ['c.txt', 'in/a b.txt'],
    );
    const tagged = await call('POST', 'datasets/topics/versions/1/tags', { tags: ['internal'] });
    assert.deepEqual(tagged.body.tags, ['internal', 'public']);
  });

  it('says 400, 401, 403 and 404 in words', async () => {
    assert.equal((await call('POST', 'datasets/Bad_Name!/uploads', { tags: [] })).status, 400);
    const typo = await call('POST', 'datasets/x/uploads', { tags: ['Public'] });
    assert.deepEqual([typo.status, /Did you mean/.test(JSON.stringify(typo.body))], [400, true]);
    assert.equal((await call('GET', 'datasets', undefined, 'nobody')).status, 401);
    assert.equal((await call('GET', 'datasets/nothing')).status, 404);
    assert.equal((await call('POST', 'dataset-uploads/none/finish')).status, 404);
    world.policy.allows = () => false;
    assert.equal((await call('DELETE', 'datasets/topics/versions/1')).status, 403);
    assert.equal((await call('PUT', 'dataset-uploads/none/files/x', 'x')).status, 404);
    world.policy.allows = () => true;
    assert.equal((await call('DELETE', 'datasets/topics/versions/1')).status, 204);
    assert.equal((await call('GET', 'datasets/topics')).status, 404);
  });

  it('gives an upload up, with its bytes', async () => {
    const { body } = await call('POST', 'datasets/gone/uploads', { tags: ['public'] });
    await call('PUT', `dataset-uploads/${body.id}/files/a`, 'x');
    assert.equal((await call('DELETE', `dataset-uploads/${body.id}`)).status, 204);
    assert.equal((await call('POST', `dataset-uploads/${body.id}/finish`)).status, 404);
  });
});
