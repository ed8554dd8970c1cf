import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { neighbouringHex, randomIds } from './ids.ts';

describe('ids', () => {
  it('are a prefix and 128 bits, and never the same', () => {
    for (const prefix of ['req', 'dec', 'content']) {
      const made = Array.from({ length: 2000 }, () => randomIds.next(prefix));
      for (const id of made) assert.match(id, new RegExp(`^${prefix}-[0-9a-f]{32}$`));
      assert.equal(new Set(made).size, made.length);
    }
  });

  it('of rows that are made together differ in 104 random bits behind the same beginning', () => {
    const made = Array.from({ length: 2000 }, () => neighbouringHex(0x19a_12_34_56_78));
    assert.deepEqual(new Set(made.map((id) => id.slice(0, 6))), new Set(['345678']));
    assert.equal(new Set(made.map((id) => id.slice(6))).size, made.length);
    const bits = made.map((id) => BigInt(`0x${id.slice(6)}`));
    for (let bit = 0n; bit < 104n; bit += 1n) {
      const set = bits.filter((value) => (value >> bit) & 1n).length;
      assert.ok(set > 700 && set < 1300, `bit ${bit} is set in ${set} of 2000`);
    }
  });

  it('move on with the time, and begin anew after 2^24 ms', () => {
    assert.ok(neighbouringHex(1000) < neighbouringHex(2000));
    assert.equal(neighbouringHex(2 ** 24 + 5).slice(0, 6), '000005');
  });
});
