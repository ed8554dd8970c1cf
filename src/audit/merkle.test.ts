import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  appendLeaf,
  consistencyProof,
  emptyFrontier,
  inclusionProof,
  leafHash,
  loadFrontier,
  nodeHash,
  rootOf,
  type SubtreeSource,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts';

/** The definition of RFC 6962 section 2.1, word for word, as the reference. */
function treeHash(leaves: Buffer[]): Buffer {
  if (leaves.length === 0) return createHash('sha256').digest();
  if (leaves.length === 1) return leaves[0] as Buffer;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)));
}

const leavesOf = (size: number, salt = ''): Buffer[] =>
  Array.from({ length: size }, (_, index) => leafHash(`${salt}${index}`));
const sourceOf =
  (leaves: Buffer[]): SubtreeSource =>
  async (height, position) =>
    treeHash(leaves.slice(position * 2 ** height, (position + 1) * 2 ** height));
const grow = (leaves: Buffer[]) => leaves.reduce((frontier, leaf) => appendLeaf(frontier, leaf), emptyFrontier());
const flip = (hash: Buffer, bit: number): Buffer => {
  const changed = Buffer.from(hash);
  changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return changed;
};

const sizes = fc.integer({ min: 1, max: 600 });
const pairs = fc.tuple(sizes, sizes).map(([a, b]) => ({ small: Math.min(a, b), large: Math.max(a, b) }));
const bits = fc.integer({ min: 0, max: 255 });
const runs = { numRuns: 60 };

describe('the Merkle tree', () => {
  it('has the published roots of the known eight leaves', () => {
    const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
    const roots = [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
    ];
    const leaves = inputs.map((hex) => leafHash(Buffer.from(hex, 'hex')));
    roots.forEach((root, index) => {
      assert.equal(rootOf(grow(leaves.slice(0, index + 1))).toString('hex'), root);
    });
    assert.equal(
      rootOf(grow(leaves)).toString('hex'),
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    );
  });

  it('grows leaf by leaf to the root that the definition gives, and a loaded frontier is the grown one', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, async (size) => {
        const leaves = leavesOf(size);
        const grown = grow(leaves);
        assert.ok(rootOf(grown).equals(treeHash(leaves)));
        assert.deepEqual(await loadFrontier(sourceOf(leaves), size), grown);
      }),
      runs,
    );
  });

  it('proves every entry, and no other leaf, place or root', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, bits, async ({ small, large }, bit) => {
        const index = small - 1;
        const leaves = leavesOf(large);
        const leaf = leaves[index] as Buffer;
        const proof = await inclusionProof(sourceOf(leaves), index, large);
        const right = { index, size: large, leaf, proof, root: treeHash(leaves) };
        assert.equal(verifyInclusion(right), true);
        assert.equal(verifyInclusion({ ...right, leaf: flip(leaf, bit) }), false);
        assert.equal(verifyInclusion({ ...right, root: flip(right.root, bit) }), false);
        assert.equal(verifyInclusion({ ...right, index: large }), false);
        assert.equal(verifyInclusion({ ...right, proof: [...proof, leaf] }), false);
        if (large > 1) {
          assert.equal(verifyInclusion({ ...right, index: (index + 1) % large }), false);
          assert.equal(verifyInclusion({ ...right, proof: proof.slice(1) }), false);
          assert.equal(verifyInclusion({ ...right, proof: proof.map((hash) => flip(hash, bit)) }), false);
        }
      }),
      runs,
    );
  });

  it('proves that a tree begins with an older one, and never that it begins with another', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, bits, async ({ small, large }, bit) => {
        const leaves = leavesOf(large);
        const proof = await consistencyProof(sourceOf(leaves), small, large);
        const right = {
          oldSize: small,
          newSize: large,
          oldRoot: treeHash(leaves.slice(0, small)),
          newRoot: treeHash(leaves),
          proof,
        };
        assert.equal(verifyConsistency(right), true);
        assert.equal(verifyConsistency({ ...right, oldRoot: treeHash(leavesOf(small, 'other')) }), false);
        assert.equal(verifyConsistency({ ...right, newRoot: flip(right.newRoot, bit) }), false);
        assert.equal(verifyConsistency({ ...right, proof: [...proof, right.newRoot] }), false);
        if (small < large) assert.equal(verifyConsistency({ ...right, oldSize: large, newSize: small }), false);
      }),
      runs,
    );
  });
});
