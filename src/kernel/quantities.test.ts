import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exactBytes, exactSpan, parseByteSize, parseDuration } from './quantities.ts';

test('sizes and times are read as people write them', () => {
  for (const [text, bytes] of [
    ['64 MiB', 64 * 2 ** 20],
    ['1.5g', 1.5 * 2 ** 30],
    ['2 GB', 2 * 2 ** 30],
    ['17', 17],
  ] as const)
    assert.equal(parseByteSize(text), bytes, text);
  for (const [text, ms] of [
    ['30 s', 30_000],
    ['10m', 600_000],
    ['10 min', 600_000],
    ['1 h 30 min', 5_400_000],
    ['1h30m', 5_400_000],
    ['500ms', 500],
    ['20', 20_000],
    ['1.5h', 5_400_000],
  ] as const)
    assert.equal(parseDuration(text), ms, text);
});

test('what is neither is refused', () => {
  for (const text of ['', 'x', '5 parsecs', '-1s', '1h -5m', '1 2', 'm', '1..5h', '1e3', '\u0661s'])
    assert.throws(() => parseDuration(text), { code: 'invalid' }, text);
  for (const text of ['', 'x', '-1g', '1 parsec', '1 gg', '1e3'])
    assert.throws(() => parseByteSize(text), { code: 'invalid' }, text);
});

test('what is shown exactly is read back as the same', () => {
  const whole = fc.oneof(
    fc.nat(2 ** 31 - 1),
    fc.nat(4096).map((n) => n * 2 ** 20),
    fc.maxSafeNat().map((n) => n % 2 ** 42),
  );
  fc.assert(fc.property(whole, (bytes) => parseByteSize(exactBytes(bytes)) === bytes));
  fc.assert(fc.property(fc.maxSafeNat(), (ms) => parseDuration(exactSpan(ms)) === ms));
  assert.deepEqual([2 ** 31, 64 * 2 ** 20, 1.5 * 2 ** 30, 1_234_567, 0].map(exactBytes), [
    '2 GiB',
    '64 MiB',
    '1.5 GiB',
    '1234567 B',
    '0 B',
  ]);
  assert.deepEqual([30_000, 5_400_000, 604_800_000, 1500, 0].map(exactSpan), [
    '30 s',
    '1 h 30 min',
    '7 d',
    '1 s 500 ms',
    '0 s',
  ]);
});
