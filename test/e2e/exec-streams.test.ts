/** What a person types and sees through `sandbox exec`: whole, in both directions, with and without a terminal. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const IN_TERMINAL = join(import.meta.dirname, 'in_terminal.py');

let control: TestControlPlane;

before(async () => {
  control = await startControlPlane();
  await control.json(['sandbox', 'create', '--name', 'box', '--memory', '128m', '--disk', '64m']);
});

after(async () => control?.close());

test('input for a command that reads late arrives whole', async () => {
  // Where input ends between the buffers on its way decides what is waiting when the command begins to read.
  for (const size of [700_001, 1_100_003, 3_000_017]) {
    const program = 'sleep 0.5; tee copy | wc -c; tail -c 7 copy';
    const done = await control.run(['sandbox', 'exec', 'box', '--', 'sh', '-c', program], {
      input: `${'x'.repeat(size - 7)}the end`,
    });
    assert.equal(done.stdout, `${size}\nthe end`, done.stderr);
  }
});

type Seen = { code: number; output: string; changed: boolean; restored: boolean };

/** Runs a shell program in the sandbox with `-t`, on a terminal. */
async function onTerminal(program: string, more: Record<string, unknown> = {}): Promise<Seen> {
  const request = {
    argv: [process.execPath, MAIN, 'sandbox', 'exec', '-t', 'box', '--', 'sh', '-c', program],
    size: [31, 77],
    resize: [40, 90],
    when: 'ready',
    keys: '\r',
    ...more,
  };
  const { FUMEHOOD_TOKEN: _token, FUMEHOOD_URL: _url, ...env } = process.env;
  const { stdout } = await promisify(execFile)('/usr/bin/python3', [IN_TERMINAL, JSON.stringify(request)], {
    env: { ...env, FUMEHOOD_HOME: control.home },
    timeout: 60_000,
  });
  return JSON.parse(stdout) as Seen;
}

test('on a terminal, the bytes of a full-screen program pass untouched, and lines end as they should', async () => {
  const seen = await onTerminal("printf 'one\\ntwo\\n'; stty -opost; printf 'down\\nmore\\n'; echo ready; read key");
  assert.match(seen.output, /one\r\ntwo\r\n/);
  assert.doesNotMatch(seen.output, /\r\r/);
  assert.match(seen.output, /down\nmore\n/);
  assert.deepEqual([seen.code, seen.changed, seen.restored], [0, true, true]);
});

test('on a terminal, a change of its size reaches the program', async () => {
  const program =
    'stty size; echo ready; for i in $(seq 100); do [ "$(stty size)" = "40 90" ] && break; sleep 0.1; done; stty size';
  assert.match((await onTerminal(program)).output, /31 77\r\n(.|\r|\n)*40 90\r\n/);
});

test('the terminal is as it was after a command that fails, and after a client that is ended', async () => {
  const failed = await onTerminal('echo ready; read key; exit 3');
  assert.deepEqual([failed.code, failed.changed, failed.restored], [3, true, true]);
  const ended = await onTerminal('echo ready; sleep 60', { kill: 15 });
  assert.deepEqual([ended.changed, ended.restored], [true, true]);
});
