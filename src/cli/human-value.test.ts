import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cut, displayWidth } from './display-width.ts';
import { relativeTime, say, timeSpan } from './human-value.ts';

const NOW = Date.parse('2026-01-31T12:00:00Z');
const said = (value: unknown, name: string) => say(value, 'auto', name, { nowMs: NOW, unicode: true }).text;

test('times are told from now on; those far away by their day', () => {
  const spans: [number, string][] = [
    [400, 'now'],
    [-12_000, '12 s ago'],
    [-185_000, '3 min ago'],
    [26 * 60_000 + 5000, 'in 26 min'],
    [11_100_000, 'in 3 h 5 min'],
    [-3 * 86_400_000, '3 d ago'],
    [90 * 86_400_000, '2026-05-01'],
  ];
  for (const [away, text] of spans) assert.equal(relativeTime(NOW + away, NOW), text);
  assert.equal(timeSpan(850), '850 ms');
});

test('members are told by their names: sizes, spans, states, digests; the rest as it is', () => {
  assert.equal(said(2 ** 31, 'memoryBytes'), '2 GiB');
  assert.equal(said(90_000, 'idleMs'), '1 min');
  assert.equal(said(7300, 'uptimeSeconds'), '2 h 1 min');
  assert.equal(said('FINISHED', 'status'), '✓ FINISHED');
  assert.equal(said('somewhere', 'state'), 'somewhere');
  assert.equal(said(`sha256:${'ab'.repeat(32)}`, 'digest'), 'sha256:abababababab');
  assert.equal(said('2026-01-31T11:59:00.000Z', 'startedAt'), '1 min ago');
  assert.equal(said('2026-01-31T11:59:00.000Z', 'name'), '2026-01-31T11:59:00.000Z');
  assert.equal(said(null, 'expiresAt'), '-');
});

test('width counts columns, not characters, and a cut never halves one', () => {
  assert.equal(displayWidth('abc'), 3);
  assert.equal(displayWidth('東京'), 4);
  assert.equal(displayWidth('e\u0301'), 1);
  assert.equal(displayWidth('👩‍👩‍👧'), 2);
  assert.equal(cut('東京都', 5, '…'), '東京…');
  assert.equal(cut('東京都', 4, '…'), '東…');
  assert.equal(cut('abc', 3, '…'), 'abc');
});
