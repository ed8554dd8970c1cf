import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { it } from 'node:test';
import { canonicalJson } from '#kernel/canonical-json.ts';
import { manifestDigest } from './dataset.ts';

it('the digest of a version is that of the canonical JSON of its files, in the order of the bytes of their paths', async () => {
  const file = (path: string, sizeBytes: number) => ({
    path,
    sizeBytes,
    digest: `sha256:${'0'.repeat(63)}${sizeBytes % 10}`,
  });
  // In UTF-16 the last two are the other way round.
  const many = Array.from({ length: 2000 }, (_, at) => file(`Z/${String(at).padStart(5, '0')}`, at));
  const files = [...many, file('a', 1), file('a/b', 2), file('b "quoted"', 3), file('\uffee', 4), file('\u{1f600}', 5)];
  const wanted = createHash('sha256').update(canonicalJson({ files })).digest('hex');
  for (const given of [files, files.toReversed()]) assert.equal(await manifestDigest(given), `sha256:${wanted}`);
});
