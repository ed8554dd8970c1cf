import assert from 'node:assert/strict';
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { AppError } from '#kernel/errors.ts';
import { createKeyedMutex } from '#kernel/keyed-mutex.ts';
import { selectContentBlobs, selectObject } from '#src/objects/object-store.ts';
import { createShelf } from '#src/objects/shelf.ts';
import {
  bytesOf,
  inPieces,
  openWorld,
  patternBytes,
  person,
  sandbox,
  TEST_STORES,
  type World,
} from '#src/objects/test-objects.ts';
import { addDataset } from './add-dataset.ts';
import { deleteDataset, findVersion, tagDataset } from './change-dataset.ts';
import { DEFAULT_TAGS } from './dataset.ts';
import { DATASET_BUCKET_RULES } from './dataset-bucket.ts';
import type { DatasetsDeps } from './datasets-deps.ts';
import { openDatasetMounts } from './materialize-dataset.ts';
import { beginDatasetUpload, putDatasetFile, sweepDatasetUploads } from './upload-dataset.ts';

const refusedAs = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;

for (const store of TEST_STORES) {
  describe(`data sets on ${store.name}`, () => {
    let world: World;
    let deps: DatasetsDeps;
    const ada = { identity: person('ada'), requestId: 'req-1' };
    const text = (content: string) => inPieces(Buffer.from(content));

    const add = async (name: string, files: Record<string, string | Buffer>, tags: string[], who = ada) => {
      const { uploadId } = await beginDatasetUpload(deps, { ...who, name, tags });
      for (const [path, content] of Object.entries(files)) {
        await putDatasetFile(deps, { ...who, uploadId, path, body: inPieces(Buffer.from(content)) });
      }
      return addDataset(deps, { ...who, uploadId });
    };

    before(async () => {
      world = await openWorld({
        url: store.url,
        builtIn: () => ({
          mlflow: { readOnly: false },
          datasets: DATASET_BUCKET_RULES,
        }),
      });
      const { gateway, database, lineage, clock, ids } = world.deps;
      const shelf = createShelf(world.deps);
      deps = { gateway, database, lineage, clock, ids, shelf, vocabulary: DEFAULT_TAGS };
    });
    after(() => world.close());

    it('numbers versions from 1, and keeps the latest one when the same comes again', async () => {
      const first = await add('topics', { 'a.txt': 'one', 'in/b.txt': 'two' }, ['public']);
      assert.deepEqual([first.version.version, first.version.fileCount, first.added], [1, 2, true]);
      const again = await add('topics', { 'in/b.txt': 'two', 'a.txt': 'one' }, ['public']);
      assert.deepEqual([again.version.version, again.version.digest, again.added], [1, first.version.digest, false]);
      const changed = await add('topics', { 'a.txt': 'ONE', 'in/b.txt': 'two' }, ['public']);
      assert.deepEqual([changed.version.version, changed.version.digest === first.version.digest], [2, false]);
    });

    it('knows its tags, by case, and says which one was meant', async () => {
      const begin = (tags: string[]) => beginDatasetUpload(deps, { ...ada, name: 'tags', tags });
      await assert.rejects(begin(['pii']), (error: unknown) => error instanceof AppError && /"PII"/.test(error.hint));
      await assert.rejects(begin(['secret']), refusedAs('invalid'));
      assert.deepEqual((await begin([])).tags, []);
    });

    it('never takes a tag off content, neither by adding it again nor under another name', async () => {
      await add('people', { 'p.csv': 'name,age\n' }, ['PII', 'internal']);
      await assert.rejects(add('people', { 'p.csv': 'name,age\n' }, ['internal']), refusedAs('conflict'));
      await assert.rejects(add('harmless', { 'p.csv': 'name,age\n' }, ['public']), refusedAs('conflict'));
      const more = await tagDataset(deps, { ...ada, name: 'people', version: 1, tags: ['PHI'] });
      assert.deepEqual(more.tags, ['PHI', 'PII', 'internal']);
    });

    it('refuses paths that lead out of a folder and files that are folders, and keeps uploads apart', async () => {
      const { uploadId } = await beginDatasetUpload(deps, { ...ada, name: 'paths', tags: ['public'] });
      for (const path of ['../x', '/x', 'a//b', 'a/./b', 'a/', 'x'.repeat(300)]) {
        await assert.rejects(putDatasetFile(deps, { ...ada, uploadId, path, body: text('x') }), refusedAs('invalid'));
      }
      const bob = { identity: person('bob'), requestId: 'req-2' };
      await assert.rejects(
        putDatasetFile(deps, { ...bob, uploadId, path: 'a', body: text('x') }),
        refusedAs('not_found'),
      );
      await assert.rejects(addDataset(deps, { ...ada, uploadId }), refusedAs('invalid'));
      await putDatasetFile(deps, { ...ada, uploadId, path: 'a', body: text('x') });
      await putDatasetFile(deps, { ...ada, uploadId, path: 'a/b', body: text('x') });
      await assert.rejects(addDataset(deps, { ...ada, uploadId }), refusedAs('invalid'));
      world.clock.advance(3_600_000);
      assert.ok((await sweepDatasetUploads(deps, { requestId: 'req-3', abandonedMs: 1000 })) >= 1);
    });

    it('asks about the whole data set when somebody else adds to it', async () => {
      const from = world.asked.length;
      await add('topics', { 'a.txt': 'by bob' }, ['public'], { identity: person('bob'), requestId: 'req-4' });
      const updates = world.asked.slice(from).filter((one) => one.action === 'dataset.update');
      assert.ok(updates.length > 0 && updates.every((one) => one.object.owner === 'ada'));
    });

    it('is s3://datasets/NAME/VERSION/: to read an object is to read the data, labels and all', async () => {
      const box = { identity: sandbox('sb-1', 'ada'), door: 's3', requestId: 'req-5' };
      const from = world.asked.length;
      const open = await world.objects.open({ ...box, bucket: 'datasets', key: 'people/1/p.csv' });
      assert.equal((await bytesOf(open)).toString(), 'name,age\n');
      const asked = world.asked.slice(from).at(-1);
      assert.deepEqual([asked?.action, asked?.resource, asked?.object.id], ['data.read', 'data', 'people@1']);
      assert.deepEqual(asked?.object.labels, ['PHI', 'PII', 'internal']);
      const labels = await world.database.read((reader) =>
        world.deps.lineage.labelsOf(reader, [{ kind: 'sandbox', id: 'sb-1' }]),
      );
      assert.deepEqual(labels, ['PHI', 'PII', 'internal']);
    });

    it('tells the names of data sets to all, and the names of files to those who may list the data', async () => {
      const box = { identity: sandbox('sb-2', 'ada'), door: 's3', requestId: 'req-6' };
      const list = (prefix: string) => world.objects.list({ ...box, bucket: 'datasets', prefix, delimiter: '/' });
      world.policy.allows = (question) => question.action !== 'data.list' || !question.object.labels.includes('PII');
      assert.deepEqual((await list('')).prefixes, ['people/', 'topics/']);
      assert.deepEqual((await list('people/')).prefixes, ['people/1/']);
      await assert.rejects(list('people/1/'), refusedAs('denied'));
      assert.deepEqual(
        (await list('topics/1/')).objects.map((object) => object.key),
        ['topics/1/a.txt'],
      );
      world.policy.allows = () => true;
    });

    it('gives drivers a read-only folder of proven files, kept until its last sandbox is gone', async () => {
      const folder = join(world.home, 'mounts');
      const { version } = await add('big', { 'deep/er/x.bin': patternBytes(2_500_000) }, ['internal']);
      const dataset = { name: 'big', version: '1', digest: version.digest };
      const open = () =>
        openDatasetMounts({ folder, database: world.database, shelf: deps.shelf, mutex: createKeyedMutex() });
      const mounts = await open();
      const path = await mounts.materialize(dataset, 'sb-a');
      assert.equal(await mounts.materialize(dataset, 'sb-b'), path);
      assert.ok((await readFile(join(path, 'deep/er/x.bin'))).equals(patternBytes(2_500_000)));
      const modes = await Promise.all(
        [folder, path, join(path, 'deep'), join(path, 'deep/er/x.bin')].map((at) => stat(at)),
      );
      assert.deepEqual(
        modes.map((one) => (one.mode & 0o777).toString(8)),
        ['700', '555', '555', '444'],
      );
      await assert.rejects(deleteDataset(deps, { ...ada, name: 'big', version: 1 }), refusedAs('conflict'));
      await mounts.release('sb-a');
      assert.ok((await readdir(folder)).length === 1);
      const restarted = await open();
      await restarted.recover(new Set(['sb-b']));
      assert.equal(await restarted.materialize(dataset, 'sb-b'), path);
      await chmod(join(path, 'deep/er/x.bin'), 0o644);
      await writeFile(join(path, 'deep/er/x.bin'), patternBytes(2_500_000, 9));
      await assert.rejects((await open()).materialize(dataset, 'sb-c'), refusedAs('integrity'));
      await (await open()).recover(new Set());
      assert.deepEqual(await readdir(folder), []);
      await deleteDataset(deps, { ...ada, name: 'big', version: 1 });
      await assert.rejects(
        world.database.read((reader) => findVersion(reader, 'big')),
        refusedAs('not_found'),
      );
    });

    it('never mounts a version whose stored bytes were changed', async () => {
      const { version } = await add('flipped', { 'x.txt': 'some words '.repeat(2000) }, ['internal']);
      const blobs = await world.database.read(async (reader) => {
        const object = await selectObject(reader, 'datasets', 'flipped/1/x.txt');
        return selectContentBlobs(reader, object?.contentId ?? '');
      });
      const blobId = blobs[0]?.blobId ?? '';
      const file = join(world.home, 'objects', blobId.slice(0, 2), blobId);
      const bytes = await readFile(file);
      bytes[3] = (bytes[3] ?? 0) ^ 1;
      await writeFile(file, bytes);
      const folder = join(world.home, 'mounts');
      const mounts = await openDatasetMounts({
        folder,
        database: world.database,
        shelf: deps.shelf,
        mutex: createKeyedMutex(),
      });
      const dataset = { name: 'flipped', version: 1, digest: version.digest };
      await assert.rejects(mounts.materialize(dataset, 'sb-x'), refusedAs('integrity'));
      assert.deepEqual(await readdir(folder), []);
    });
  });
}
