import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandHelp } from './help.ts';
import { NOUNS } from './nouns.ts';
import { parseWords } from './parse-words.ts';

/** The words of the call of fumehood in an example, as a shell has them. */
function wordsOf(example: string): string[] {
  const call = /(?:^|\| |\$\()(fumehood .*?)(?: > .*|\)")?$/.exec(example)?.[1] ?? '';
  return [...call.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
}

test('every command has one example in its help, and it parses', async () => {
  for (const noun of NOUNS) {
    for (const command of await noun.load()) {
      const called = ['fumehood', noun.name, command.verb].filter((word) => word !== '');
      const words = wordsOf(command.example);
      assert.deepEqual(words.slice(0, called.length), called, command.example);
      parseWords(command, called.join(' '), words.slice(called.length));
      assert.ok(commandHelp(command, called.join(' ')).includes(`\nExample\n  ${command.example}\n`));
    }
  }
});
