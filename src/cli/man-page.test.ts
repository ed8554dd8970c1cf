import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { havePackages } from './debian-package.ts';
import { manPage, roff } from './man-page.ts';
import { NOUNS } from './nouns.ts';

test('the manual page has every command, and no text of it is taken for a request', async () => {
  const page = await manPage('1.2.3');
  for (const noun of NOUNS) assert.ok(page.includes(`fumehood ${roff(noun.name)}`), noun.name);
  const requests = page.split('\n').filter((line) => /^[.']/.test(line));
  for (const line of requests) assert.match(line, /^\.(TH|SH|SS|TP|B|I|PP|RS|RE|nf|fi)\b/);
  assert.equal(roff(".so /etc/passwd\n'x\\n-"), "\\&.so /etc/passwd\n\\&'x\\en\\-");
});

test('groff formats it without a warning', async () => {
  havePackages({
    packages: ['groff-base'],
    find: () => spawnSync('groff', ['-man', '-Tutf8'], { input: '' }).status === 0,
    need: 'The test of the manual page needs groff',
  });
  const input = await manPage('1.2.3');
  const done = spawnSync('groff', ['-man', '-Tutf8', '-ww'], { input, encoding: 'utf8' });
  assert.equal(done.status, 0);
  assert.equal(done.stderr, '');
  assert.match(done.stdout, /fumehood sandbox create/);
});
