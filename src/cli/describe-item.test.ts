import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeItem } from './describe-item.ts';
import { displayWidth } from './display-width.ts';

const look = (columns: number | undefined) => ({
  nowMs: Date.parse('2026-01-31T12:00:00Z'),
  unicode: true,
  columns,
  bold: (text: string) => text,
  paint: (_: number, text: string) => text,
});
const ITEM = {
  name: 'a\x1b[31mb',
  state: 'running',
  createdAt: '2026-01-31T11:57:00Z',
  memoryBytes: 2 ** 31,
  labels: [],
  lock: Array.from({ length: 60 }, (_, at) => `package-${at}==1.${at}`),
  doors: { s3: 'http://127.0.0.1:1', mlflow: 'http://127.0.0.1:2' },
  versions: [
    { version: 1, state: 'ready' },
    { version: 2, state: 'failed' },
  ],
  gone: undefined,
};

test('a thing is told member by member: times with how long ago, what is nested below, no control character obeyed', () => {
  const text = describeItem(ITEM, undefined, look(undefined));
  assert.match(text, /^name +a\\x1b\[31mb$/m);
  assert.match(text, /^state +● running$/m);
  assert.match(text, /^createdAt +2026-01-31T11:57:00Z \(3 min ago\)$/m);
  assert.match(text, /^memoryBytes +2 GiB$/m);
  assert.match(text, /^labels +-$/m);
  assert.match(text, /^doors +s3 {6}http:\/\/127.0.0.1:1\n +mlflow {2}http/m);
  assert.match(text, /^versions +version=1 {2}state=✓ ready\n +version=2 {2}state=✗ failed$/m);
  assert.doesNotMatch(text, /gone/);
});

test('a long list is broken at its commas on a terminal, and is one line on a pipe', () => {
  const narrow = describeItem({ lock: ITEM.lock }, undefined, look(40));
  for (const line of narrow.trimEnd().split('\n')) assert.ok(displayWidth(line) <= 40, line);
  assert.equal(narrow.replace(/\s+/g, ''), `lock${ITEM.lock.join(',')}`);
  assert.equal(describeItem({ lock: ITEM.lock }, undefined, look(undefined)).split('\n').length, 2);
});
