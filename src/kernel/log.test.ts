import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog, type LogRecord } from './log.ts';

const TOKEN = `fh_${'A1b-'.repeat(11)}`;

test('a line of JSON an event, from the least level upwards', () => {
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line), 'warn');
  log('info', 'quiet');
  log('warn', 'loud', { port: 1, text: 'a\nb' });
  assert.equal(lines.length, 1);
  const { time, ...rest } = JSON.parse(lines[0] ?? '');
  assert.ok(!Number.isNaN(Date.parse(time)));
  assert.deepEqual(rest, { level: 'warn', message: 'loud', port: 1, text: 'a\nb' });
});

test('no value can make a line of its own or move the cursor of a terminal', () => {
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line), 'info', 'text');
  log('info', 'request', { method: 'GET', path: 'a\n12:00 error forged', colour: '\u001b[31m\u009bx', size: 3 });
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', /^\d\d:\d\d:\d\d\.\d{3} info {2}request method=GET path="a\\n12:00 error forged" /);
  assert.match(lines[0] ?? '', /^[\x20-\x7e]+\n$/);
});

test('what looks like a credential is cut out, also out of the text and the stack of an error', () => {
  const lines: string[] = [];
  const records: LogRecord[] = [];
  for (const format of ['json', 'text'] as const) {
    const log = createLog(
      (line) => lines.push(line),
      'info',
      format,
      (record) => records.push(record),
    );
    log('error', 'failed', {
      error: new Error(`cannot parse "Bearer ${TOKEN}"`),
      header: `authorization: bearer abcdefgh12345678`,
      child: 'hvs.fhABCDEFGHIJKLMN',
    });
  }
  for (const text of [...lines, JSON.stringify(records)]) {
    for (const secret of [TOKEN, 'abcdefgh12345678', 'ABCDEFGHIJKLMN']) assert.ok(!text.includes(secret), text);
    assert.match(text, /cannot parse/);
  }
});
