import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type ChecksumAlgorithm, createChecksum } from './checksum.ts';

const CHECK: [ChecksumAlgorithm, string][] = [
  ['crc32', 'cbf43926'],
  ['crc32c', 'e3069283'],
  ['crc64nvme', 'ae8b14860a799888'],
  ['sha1', 'f7c3bc1d808e04732adf679965ccc34ca7ae3441'],
];

for (const [algorithm, expected] of CHECK) {
  it(`${algorithm} of "123456789" is the check value of its catalogue, whole and in pieces`, () => {
    for (const cuts of [['123456789'], ['1', '2345', '6789'], ['12345678', '9']]) {
      const sum = createChecksum(algorithm);
      for (const cut of cuts) sum.update(Buffer.from(cut));
      assert.equal(sum.digest().toString('hex'), expected);
    }
  });
}
