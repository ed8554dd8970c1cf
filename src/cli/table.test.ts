import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { displayWidth } from './display-width.ts';
import { type Column, renderTable } from './table.ts';

const COLUMNS: readonly Column[] = [
  ['NAME', 'name', { keep: true }],
  ['STATE', 'state'],
  ['EXPIRES', 'expiresAt'],
  ['PURPOSE', 'purpose'],
  ['SIZE', 'sizeBytes'],
  ['ID', 'id', { keep: true }],
];
const NOW = Date.parse('2026-01-31T12:00:00Z');
const item = (name: string, purpose = 'text generation for the quarterly report'): Record<string, unknown> => ({
  name,
  state: 'running',
  expiresAt: '2026-01-31T12:26:30Z',
  purpose,
  sizeBytes: 1_288_490_188,
  id: `sb-${'0'.repeat(32)}`,
});
const render = (items: Record<string, unknown>[], columns: number | undefined, unicode = true) =>
  renderTable(COLUMNS, items, {
    nowMs: NOW,
    unicode,
    columns,
    bold: (text) => text,
    paint: (_, text) => text,
  });

test('a table never is wider than the terminal, whatever is in it', () => {
  const names = [
    'a',
    '東京のデータ',
    '👩‍👩‍👧 family',
    'x'.repeat(300),
    'e\u0301galite\u0301',
    '\x1b[31mred\x1b[0m\r\n',
    '\u202eevil',
  ];
  for (const columns of [20, 40, 60, 80, 100, 200]) {
    const { text } = render(
      names.map((name) => item(name, name.repeat(3))),
      columns,
    );
    for (const line of text.trimEnd().split('\n'))
      assert.ok(displayWidth(line) <= columns, `${columns}: ${displayWidth(line)} columns: ${line}`);
    assert.equal(text.trimEnd().split('\n').length, names.length + 1);
  }
});

test('what gives way first is what stands last; an id is whole or not there, and the titles left out are told', () => {
  const wide = render([item('first')], 120);
  assert.deepEqual(wide.hidden, []);
  const { text, hidden } = render([item('first')], 80);
  assert.deepEqual(hidden, ['ID']);
  assert.match(text, /first +● running +in 26 min +text generation.* +1\.2 GiB/);
  const narrow = render([item('first')], 40);
  assert.match(narrow.text, /^NAME +STATE +EXPIRES/);
  assert.match(narrow.text, /first +● running +in 26 min/);
});

test('on a pipe nothing is cut', () => {
  const { text, hidden } = render([item('first', 'p'.repeat(500))], undefined);
  assert.deepEqual(hidden, []);
  assert.ok(text.includes('p'.repeat(500)) && text.includes(`sb-${'0'.repeat(32)}`));
});

test('control characters, and those that turn text around, are shown and not obeyed', () => {
  const { text } = render([item('a\x1b]0;title\x07b\u202ec\nd')], undefined);
  assert.equal(stripVTControlCharacters(text), text);
  assert.ok(text.includes('a\\x1b]0;title\\x07b\\u202ec\\x0ad'));
});

test('without Unicode a state has an ASCII sign beside its word', () => {
  const { text } = render([item('first'), { ...item('second', 'p'.repeat(90)), state: 'failed' }], 80, false);
  assert.match(text, /\* running/);
  assert.match(text, /x failed/);
  assert.match(text, /~/);
  assert.doesNotMatch(text, /[^\x00-\x7f]/);
});

test('ten thousand rows and an empty list are tables too', () => {
  const { text } = render(
    Array.from({ length: 10_000 }, (_, at) => item(`name-${at}`)),
    80,
  );
  assert.equal(text.split('\n').length, 10_002);
  assert.equal(render([], 80).text.split('\n').length, 2);
});
