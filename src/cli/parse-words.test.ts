import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closest } from './closest.ts';
import type { Command } from './command.ts';
import { nounHelp } from './help.ts';
import { NOUNS } from './nouns.ts';
import { parseWords } from './parse-words.ts';

const command: Command = {
  verb: 'exec',
  example: '',
  summary: 'Test',
  args: [
    { name: 'ID', help: 'id' },
    { name: 'KIND', required: false, choices: ['a', 'b'], help: 'kind' },
  ],
  flags: [
    { name: 'env', value: 'K=V', many: true, help: 'variable' },
    { name: 'timeout', value: 'TIME', help: 'time' },
    { name: 'terminal', short: 't', help: 'terminal' },
  ],
  rest: 'COMMAND...',
  run: async () => 0,
};
const parse = (...words: string[]) => parseWords(command, 'fumehood x exec', words);

test('arguments, repeated flags, values with an equals sign, short flags and the rest are told apart', () => {
  const words = parse('sb-1', '--env', 'A=1', '--env=B=2', '-t', 'b', '--', 'ls', '--timeout', '-x');
  assert.equal(words.arg('ID'), 'sb-1');
  assert.equal(words.arg('KIND'), 'b');
  assert.deepEqual(words.many('env'), ['A=1', 'B=2']);
  assert.ok(words.on('terminal') && !words.on('timeout'));
  assert.deepEqual(words.rest, ['ls', '--timeout', '-x']);
});

test('every wrong word is a usage error that says what would be right', () => {
  const hintOf = (...words: string[]): string => {
    try {
      parse(...words);
    } catch (error) {
      const { code, message, hint } = error as { code: string; message: string; hint: string };
      assert.equal(code, 'invalid');
      return `${message} ${hint}`;
    }
    throw new assert.AssertionError({ message: `${words.join(' ')} was accepted` });
  };
  assert.match(hintOf('x', '--timout', '3s', '--', 'ls'), /no flag --timout.*Did you mean --timeout/);
  assert.match(hintOf('x', '--timeout'), /--timeout needs a value \(TIME\)/);
  assert.match(hintOf('x', '--timeout', '1s', '--timeout', '2s', '--', 'ls'), /given twice/);
  assert.match(hintOf('x', 'c', '--', 'ls'), /KIND cannot be "c".*one of a, b/);
  assert.match(hintOf('x', 'a', 'ls'), /one word too many.*after "--"/);
  assert.match(hintOf('x'), /COMMAND\.\.\. is missing/);
  assert.match(hintOf('--', 'ls'), /ID is missing/);
  assert.match(hintOf('x', '--terminal=yes', '--', 'ls'), /takes no value/);
  assert.match(hintOf('x', '-q', '--', 'ls'), /no flag -q/);
});

test('--help is answered however wrong the other words are', () => {
  assert.equal(parse('--help').help, true);
});

test('a mistyped word finds the one that was meant, a foreign word none', () => {
  const words = ['sandbox', 'secret', 'status'];
  assert.equal(closest('sandbx', words), 'sandbox');
  assert.equal(closest('stauts', words), 'status');
  assert.equal(closest('sa', words), 'sandbox');
  assert.equal(closest('kubernetes', words), undefined);
});

test('every noun loads, its verbs are unique, and each says what it does', async () => {
  for (const noun of NOUNS) {
    const commands = await noun.load();
    assert.equal(new Set(commands.map((one) => one.verb)).size, commands.length, noun.name);
    for (const one of commands) {
      assert.ok(one.summary.length > 5 && !one.summary.endsWith('.'), `${noun.name} ${one.verb}`);
      const names = [...(one.flags ?? []).map((flag) => flag.name), 'json', 'plain', 'yes', 'no-input', 'home', 'help'];
      assert.equal(new Set(names).size, names.length, `${noun.name} ${one.verb} has a flag twice`);
    }
    assert.match(await nounHelp(noun.name), new RegExp(`^fumehood ${noun.name}`));
  }
});
