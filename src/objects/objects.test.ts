import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { AppError } from '#kernel/errors.ts';
import { createObjects } from './create-objects.ts';
import { selectBlobPage } from './object-store.ts';
import {
  bytesOf,
  inPieces,
  openWorld,
  patternBytes,
  person,
  sandbox,
  TEST_STORES,
  type World,
} from './test-objects.ts';

const refusedAs =
  (code: string, about?: string) =>
  (error: unknown): boolean =>
    error instanceof AppError && error.code === code && (about === undefined || error.details.about === about);

for (const store of TEST_STORES) {
  describe(`objects on ${store.name}`, () => {
    let world: World;
    const ada = { identity: person('ada'), door: 's3', requestId: 'req-1' };
    const put = (bucket: string, key: string, text: string | Uint8Array, who = ada) =>
      world.objects.put({ ...who, bucket, key, body: inPieces(Buffer.from(text)) });
    const read = async (bucket: string, key: string, who = ada) =>
      bytesOf(await world.objects.open({ ...who, bucket, key }));

    before(async () => {
      world = await openWorld({ url: store.url });
      await world.objects.createBucket({ ...ada, bucket: 'lab' });
    });
    after(() => world.close());

    it('gives back what was put, with its MD5 as ETag and its SHA-256 as digest', async () => {
      const bytes = patternBytes(3_000_000);
      const answer = await put('mlflow', '1/run/artifacts/model.bin', bytes);
      assert.equal(answer.etag, createHash('md5').update(bytes).digest('hex'));
      assert.equal(answer.digest, `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
      assert.equal(answer.sizeBytes, bytes.length);
      assert.ok((await read('mlflow', '1/run/artifacts/model.bin')).equals(bytes));
      const entry = world.entries.findLast((one) => one.action === 'object.write');
      assert.equal(entry?.details?.digest, answer.digest);
    });

    it('asks policy before the first byte is taken in', async () => {
      world.policy.allows = (question) => question.object.key !== 'forbidden';
      let touched = false;
      async function* body(): AsyncGenerator<Uint8Array> {
        touched = true;
        yield Buffer.from('x');
      }
      await assert.rejects(
        world.objects.put({ ...ada, bucket: 'lab', key: 'forbidden', body: body() }),
        refusedAs('denied'),
      );
      assert.equal(touched, false);
      assert.equal(world.entries.at(-1)?.outcome, 'denied');
      world.policy.allows = () => true;
      const asked = world.asked.findLast((one) => one.object.key === 'forbidden');
      assert.equal(asked?.object.encrypted, true);
      assert.equal(asked?.object.keyName, 'objects');
      assert.equal(asked?.object.owner, 'ada');
    });

    it('asks policy once about a small content, before anything names it', async () => {
      world.policy.allows = (question) => question.object.key !== 'forbidden';
      const from = world.asked.length;
      const small = (key: string) => ({
        ...ada,
        bucket: 'lab',
        key,
        body: inPieces(Buffer.from('x')),
        contentLength: 1,
      });
      await assert.rejects(world.objects.put(small('forbidden')), refusedAs('denied'));
      assert.equal(world.entries.at(-1)?.outcome, 'denied');
      await world.objects.put(small('small'));
      assert.deepEqual(
        world.asked.slice(from).map((one) => one.object.key),
        ['forbidden', 'small'],
      );
      world.policy.allows = () => true;
      assert.equal((await read('lab', 'small')).toString(), 'x');
      await assert.rejects(read('lab', 'forbidden'), refusedAs('not_found', 'object'));
      const blobs = await world.database.read((reader) => selectBlobPage(reader, '', 1000));
      assert.equal(blobs.filter((blob) => blob.sizeBytes === 1).length, 1);
    });

    it('refuses to read a missing object only after policy allowed to ask', async () => {
      await assert.rejects(read('lab', 'nothing'), refusedAs('not_found', 'object'));
      await assert.rejects(read('no-such-bucket', 'nothing'), refusedAs('not_found', 'bucket'));
      world.policy.allows = () => false;
      await assert.rejects(read('lab', 'nothing'), refusedAs('denied'));
      world.policy.allows = () => true;
    });

    it('refuses content that is shorter, longer or other than announced, and names nothing', async () => {
      const body = (): AsyncIterable<Uint8Array> => inPieces(Buffer.from('hello'));
      const at = { ...ada, bucket: 'lab', key: 'announced' };
      await assert.rejects(
        world.objects.put({ ...at, body: body(), contentLength: 6 }),
        refusedAs('invalid', 'length'),
      );
      await assert.rejects(
        world.objects.put({ ...at, body: body(), contentLength: 4 }),
        refusedAs('invalid', 'length'),
      );
      const checksums = { algorithms: ['crc32'] as const, expected: () => ({ crc32: 'AAAAAA==' }) };
      await assert.rejects(world.objects.put({ ...at, body: body(), checksums }), refusedAs('invalid', 'checksum'));
      await assert.rejects(read('lab', 'announced'), refusedAs('not_found', 'object'));
    });

    it('writes under conditions: If-None-Match * only once, If-Match only what was seen', async () => {
      const at = { ...ada, bucket: 'lab', key: 'once' };
      const write = (text: string, conditions: object) =>
        world.objects.put({ ...at, body: inPieces(Buffer.from(text)), conditions });
      const first = await write('one', { ifNoneMatch: ['*'] });
      await assert.rejects(write('two', { ifNoneMatch: ['*'] }), refusedAs('precondition_failed'));
      await assert.rejects(write('two', { ifMatch: ['0123'] }), refusedAs('precondition_failed'));
      await write('two', { ifMatch: [first.etag] });
      assert.equal((await read('lab', 'once')).toString(), 'two');
    });

    it('keeps bytes when it is unknown whether the commit that names them happened, and leaves them to the sweep', async () => {
      const gateway = {
        ...world.gateway,
        cross: async () => {
          throw new AppError('unavailable', 'The connection to the store was lost.');
        },
      };
      const unsure = createObjects({ ...world.deps, gateway });
      const body = inPieces(Buffer.from('named or not '.repeat(2000)));
      await assert.rejects(unsure.put({ ...ada, bucket: 'lab', key: 'unsure', body }), refusedAs('unavailable'));
      const swept = (graceMs: number) => world.objects.sweep({ requestId: 'req-3', graceMs, abandonedMs: 86_400_000 });
      assert.equal((await swept(3_600_000)).blobs, 0);
      assert.equal((await swept(-60_000)).blobs, 1);
    });

    it('lists pages in the order of bytes, folds by delimiter and goes on where it stopped', async () => {
      await world.objects.createBucket({ ...ada, bucket: 'lists' });
      const keys = ['a', 'a/1', 'a/2', 'a/b/3', 'b', 'c/1', 'c/2', 'd\u{FFFD}', 'd\u{1F600}', 'e'];
      for (const key of keys) await put('lists', key, key);
      const sorted = [...keys].sort((one, two) => Buffer.compare(Buffer.from(one), Buffer.from(two)));
      const list = { ...ada, bucket: 'lists', prefix: '' };
      const all = await world.objects.list(list);
      assert.deepEqual(
        all.objects.map((object) => object.key),
        sorted,
      );
      const seen: string[] = [];
      let next: string | null = '';
      while (next !== null) {
        const page = await world.objects.list({ ...list, delimiter: '/', limit: 2, startAfter: next });
        seen.push(...page.objects.map((object) => object.key), ...page.prefixes);
        next = page.next;
      }
      assert.deepEqual(seen.sort(), ['a', 'a/', 'b', 'c/', 'd\u{FFFD}', 'd\u{1F600}', 'e'].sort());
      const inside = await world.objects.list({ ...list, prefix: 'a/', delimiter: '/' });
      assert.deepEqual([inside.objects.map((object) => object.key), inside.prefixes], [['a/1', 'a/2'], ['a/b/']]);
    });

    it('carries the labels of the writer to the object and to whoever reads it or lists its name', async () => {
      const box = (id: string) => ({ identity: sandbox(id, 'ada'), door: 's3', requestId: 'req-2' });
      const labelsOf = (id: string) =>
        world.database.read((reader) => world.deps.lineage.labelsOf(reader, [{ kind: 'sandbox', id }]));
      await world.database.transaction((tx) =>
        world.deps.lineage.addLabels(tx, { kind: 'sandbox', id: 'sb-writer' }, ['PHI']),
      );
      await put('mlflow', 'labelled/secret.txt', 'x', box('sb-writer'));
      await world.objects.list({ ...box('sb-other'), bucket: 'mlflow', prefix: '1/' });
      assert.deepEqual(await labelsOf('sb-other'), []);
      await world.objects.list({ ...box('sb-lister'), bucket: 'mlflow', prefix: '', delimiter: '/' });
      assert.deepEqual(await labelsOf('sb-lister'), ['PHI']);
      await read('mlflow', 'labelled/secret.txt', box('sb-reader'));
      assert.deepEqual(await labelsOf('sb-reader'), ['PHI']);
      await world.objects.head({ ...box('sb-header'), bucket: 'mlflow', key: 'labelled/secret.txt' });
      assert.deepEqual(await labelsOf('sb-header'), ['PHI']);
      const copy = { ...ada, bucket: 'lab', key: 'copy', replaceMetadata: false, replaceTags: false };
      await world.objects.copy({ ...copy, source: { bucket: 'mlflow', key: 'labelled/secret.txt' } });
      await read('lab', 'copy', box('sb-of-copy'));
      assert.deepEqual(await labelsOf('sb-of-copy'), ['PHI']);
    });

    it('asks about source and target of a copy, and shares the bytes until the last name is gone', async () => {
      await put('lab', 'original', 'shared bytes');
      const from = world.asked.length;
      const target = { ...ada, bucket: 'lab', key: 'second', replaceMetadata: false, replaceTags: false };
      await world.objects.copy({ ...target, source: { bucket: 'lab', key: 'original' } });
      assert.deepEqual(
        world.asked.slice(from).map((question) => `${question.action} ${question.object.id}`),
        ['object.read lab/original', 'object.write lab/second'],
      );
      await world.objects.remove({ ...ada, bucket: 'lab', key: 'original' });
      assert.equal((await read('lab', 'second')).toString(), 'shared bytes');
    });

    it('makes one object of parts that came in any order, and proves the whole', async () => {
      const at = { ...ada, bucket: 'mlflow', key: 'big' };
      const { uploadId } = await world.objects.beginUpload({ ...at, checksumAlgorithm: 'crc32' });
      const bytes = patternBytes(12_000_000, 5);
      const cuts = [bytes.subarray(0, 5_500_000), bytes.subarray(5_500_000, 11_000_000), bytes.subarray(11_000_000)];
      const parts = [];
      for (const partNumber of [3, 1, 2]) {
        const body = inPieces(cuts[partNumber - 1] ?? Buffer.alloc(0));
        parts.push(await world.objects.uploadPart({ ...at, uploadId, partNumber, source: { body } }));
      }
      parts.sort((one, two) => one.partNumber - two.partNumber);
      await assert.rejects(
        world.objects.completeUpload({ ...at, uploadId, parts: parts.slice(0, 2).reverse() }),
        refusedAs('invalid', 'partOrder'),
      );
      const done = await world.objects.completeUpload({ ...at, uploadId, parts, conditions: { ifNoneMatch: ['*'] } });
      assert.match(done.etag, /^[0-9a-f]{32}-3$/);
      assert.equal(done.digest, `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
      assert.match(done.checksums.values.crc32 ?? '', /-3$/);
      const open = await world.objects.open({ ...at, range: { start: 5_499_990, end: 11_000_009 } });
      assert.ok((await bytesOf(open)).equals(bytes.subarray(5_499_990, 11_000_010)));
      await assert.rejects(
        world.objects.uploadPart({ ...at, uploadId, partNumber: 1, source: { body: inPieces(bytes) } }),
        refusedAs('not_found', 'upload'),
      );
    });

    it('keeps the read-only bucket shut and a bucket with objects in place', async () => {
      await assert.rejects(put('datasets', 'x/1/a', 'x'), refusedAs('denied', 'readOnly'));
      await assert.rejects(world.objects.removeBucket({ ...ada, bucket: 'lab' }), refusedAs('conflict', 'bucketFull'));
      await assert.rejects(world.objects.createBucket({ ...ada, bucket: 'lab' }), refusedAs('conflict', 'bucketOwned'));
      await assert.rejects(world.objects.createBucket({ ...ada, bucket: 'Lab' }), refusedAs('invalid', 'bucketName'));
    });
  });
}
