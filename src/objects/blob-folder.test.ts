import assert from 'node:assert/strict';
import { readdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { AppError } from '#kernel/errors.ts';
import { SMALL_BLOB_BYTES } from './blob.ts';
import { blobKeyContext } from './blob-key-store.ts';
import { createChecksum } from './checksum.ts';
import { FRAME_BYTES, sealFrame } from './frame.ts';
import { collect, inPieces, openWorld, patternBytes, person, type World } from './test-objects.ts';

const damaged = (error: unknown): boolean => error instanceof AppError && error.code === 'integrity';

describe('blob folder', () => {
  let world: World;
  before(async () => {
    world = await openWorld();
  });
  after(() => world.close());
  const pathOf = (blobId: string): string => join(world.home, 'objects', blobId.slice(0, 2), blobId);

  it('gives any span of any content, frames or not', async () => {
    const sizes = [
      0,
      1,
      SMALL_BLOB_BYTES,
      SMALL_BLOB_BYTES + 1,
      FRAME_BYTES - 1,
      FRAME_BYTES,
      FRAME_BYTES + 1,
      3 * FRAME_BYTES,
      3 * FRAME_BYTES + 77,
    ];
    for (const size of sizes) {
      const bytes = patternBytes(size, size + 1);
      const blob = await world.vault.write(inPieces(bytes, 333_333));
      assert.ok((await collect(world.vault.read(blob))).equals(bytes));
      if (size === 0) continue;
      const span = fc.tuple(fc.nat(size - 1), fc.nat(size - 1)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)]);
      await fc.assert(
        fc.asyncProperty(span, async ([start = 0, end = 0]) => {
          const part = await collect(world.vault.read(blob, { start, end }));
          assert.ok(part.equals(bytes.subarray(start, end + 1)));
        }),
        { numRuns: 12 },
      );
    }
  });

  it('keeps no plaintext on disk, in files that only their owner may read', async () => {
    const blob = await world.vault.write(inPieces(Buffer.from('a very secret sentence'.repeat(1000))));
    assert.equal((await readFile(pathOf(blob.blobId))).includes('secret'), false);
    assert.equal((await stat(pathOf(blob.blobId))).mode & 0o777, 0o600);
    assert.equal((await stat(join(world.home, 'objects'))).mode & 0o777, 0o700);
  });

  it('gives back no content under another digest than its own, whether its frames are bound to it or not', async () => {
    const bytes = patternBytes(FRAME_BYTES + 5, 9);
    const blob = await world.vault.write(inPieces(bytes));
    const key = await world.keys.unwrap(blob, blobKeyContext(blob.blobId));
    const old = { ...blob, layout: 1 };
    await assert.rejects(collect(world.vault.read(old)), damaged, 'the layout is part of what is bound');
    const frames = [bytes.subarray(0, FRAME_BYTES), bytes.subarray(FRAME_BYTES)].flatMap((frame, index) =>
      sealFrame(key, { blobId: blob.blobId, index, last: index === 1 }, frame),
    );
    const other = { sha256: 'a'.repeat(64) };
    await assert.rejects(collect(world.vault.read({ ...blob, ...other })), damaged);
    await writeFile(pathOf(blob.blobId), Buffer.concat(frames));
    assert.ok((await collect(world.vault.read(old))).equals(bytes), 'what was written before is read as before');
    await assert.rejects(collect(world.vault.read({ ...old, ...other })), damaged);
    await assert.rejects(collect(world.vault.read(blob)), damaged);
  });

  it('computes the checksums of blobs in a row, and lets go of a content that ends early', async () => {
    const parts = [patternBytes(3 * FRAME_BYTES + 7, 1), patternBytes(10, 2), patternBytes(FRAME_BYTES, 3)];
    const blobs = await Promise.all(parts.map((part) => world.vault.write(inPieces(part))));
    async function* cut(): AsyncGenerator<Buffer> {
      yield patternBytes(2 * FRAME_BYTES + 1, 4);
      throw new Error('the connection ended');
    }
    await assert.rejects(world.vault.write(cut()), /the connection ended/);
    const digests = await world.vault.digest(blobs, ['sha256', 'crc64nvme']);
    for (const algorithm of ['sha256', 'crc64nvme'] as const) {
      const sum = createChecksum(algorithm);
      for (const part of parts) sum.update(part);
      assert.deepEqual(digests.get(algorithm), sum.digest());
    }
  });

  it('leaves a small one, encrypted, to the commit that names it, and never gives it back changed', async () => {
    const bytes = Buffer.from('a very secret sentence');
    const blob = await world.vault.write(inPieces(bytes));
    assert.ok(blob.sealed !== undefined && !Buffer.from(blob.sealed).includes('secret'));
    await assert.rejects(stat(pathOf(blob.blobId)));
    for (let at = 0; at < blob.sealed.length; at += 1) {
      const sealed = Buffer.from(blob.sealed);
      sealed[at] = (sealed[at] ?? 0) ^ 1;
      await assert.rejects(collect(world.vault.read({ ...blob, sealed })), damaged);
    }
    await assert.rejects(collect(world.vault.read({ ...blob, sealed: blob.sealed.subarray(1) })), damaged);
    const other = await world.vault.write(inPieces(bytes));
    assert.ok(other.sealed !== undefined);
    await assert.rejects(collect(world.vault.read({ ...blob, sealed: other.sealed })), damaged);
  });

  it('turns a flipped byte, swapped frames, a cut and another blob in its place into an error, never into data', async () => {
    const bytes = patternBytes(2 * FRAME_BYTES + 100);
    const sealed = FRAME_BYTES + 16;
    const blob = await world.vault.write(inPieces(bytes));
    const good = await readFile(pathOf(blob.blobId));
    const reads = () => collect(world.vault.read(blob));
    for (const at of [0, sealed - 1, sealed + 5, good.length - 1]) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] ?? 0) ^ 1;
      await writeFile(pathOf(blob.blobId), bad);
      await assert.rejects(reads(), damaged);
    }
    const swapped = Buffer.concat([
      good.subarray(sealed, 2 * sealed),
      good.subarray(0, sealed),
      good.subarray(2 * sealed),
    ]);
    await writeFile(pathOf(blob.blobId), swapped);
    await assert.rejects(reads(), damaged);
    await writeFile(pathOf(blob.blobId), good);
    await truncate(pathOf(blob.blobId), 2 * sealed);
    await assert.rejects(reads(), damaged);
    const shorter = { ...blob, sizeBytes: 2 * FRAME_BYTES };
    await assert.rejects(collect(world.vault.read(shorter)), damaged);
    const other = await world.vault.write(inPieces(bytes));
    await writeFile(pathOf(blob.blobId), await readFile(pathOf(other.blobId)));
    await assert.rejects(reads(), damaged);
  });

  it('lets a reader finish before the bytes that nothing names go', async () => {
    const bytes = patternBytes(3 * FRAME_BYTES);
    const blob = await world.vault.write(inPieces(bytes));
    const reading = world.vault.read(blob);
    const first = await reading.next();
    world.vault.discard([blob.blobId]);
    const rest = await collect(reading);
    assert.ok(Buffer.concat([first.value ?? Buffer.alloc(0), rest]).equals(bytes));
    await assert.rejects(collect(world.vault.read(blob)), damaged);
  });

  it('removes nothing while a backup holds it, and what waited when the last one lets go', async () => {
    const { blobId } = await world.vault.write(inPieces(patternBytes(2 * SMALL_BLOB_BYTES)));
    world.vault.keep([blobId]);
    const [one, other] = [world.vault.hold(), world.vault.hold()];
    world.vault.discard([blobId]);
    one();
    one();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal((await stat(pathOf(blobId))).isFile(), true);
    other();
    const deadline = Date.now() + 10_000;
    while ((await stat(pathOf(blobId)).catch(() => undefined)) !== undefined) {
      assert.ok(Date.now() < deadline, 'it goes');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });

  it('sweeps unnamed bytes that are old, and neither young, named nor unfinished ones', async () => {
    const ada = { identity: person('ada'), door: 's3', requestId: 'req-1' };
    await world.objects.put({ ...ada, bucket: 'mlflow', key: 'named', body: inPieces(Buffer.from('named')) });
    const { uploadId } = await world.objects.beginUpload({ ...ada, bucket: 'mlflow', key: 'parts' });
    const part = { ...ada, bucket: 'mlflow', key: 'parts', uploadId, partNumber: 1 };
    const kept = await world.objects.uploadPart({
      ...part,
      source: { body: inPieces(patternBytes(2 * SMALL_BLOB_BYTES)) },
    });
    const finished = await world.vault.write(inPieces(patternBytes(2 * SMALL_BLOB_BYTES)));
    const orphan = join(world.home, 'objects', 'ab', `ab${'0'.repeat(30)}`);
    const young = join(world.home, 'objects', 'ab', `ab${'1'.repeat(30)}`);
    await writeFile(orphan, 'x');
    await writeFile(young, 'x');
    const old = new Date(Date.now() - 7_200_000);
    await utimes(orphan, old, old);
    for (const one of [kept.blobId, finished.blobId]) await utimes(pathOf(one), old, old);
    const swept = await world.objects.sweep({ requestId: 'req-2', graceMs: 3_600_000, abandonedMs: 86_400_000 });
    assert.equal(swept.blobs, 1);
    const left = await readdir(join(world.home, 'objects', 'ab'));
    assert.ok(left.includes(`ab${'1'.repeat(30)}`) && !left.includes(`ab${'0'.repeat(30)}`));
    assert.equal((await stat(pathOf(kept.blobId))).isFile(), true);
    assert.equal((await stat(pathOf(finished.blobId))).isFile(), true);
    world.clock.advance(2 * 86_400_000);
    const later = await world.objects.sweep({ requestId: 'req-3', graceMs: 3_600_000, abandonedMs: 86_400_000 });
    assert.equal(later.uploads, 1);
  });
});
