import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { findOpa } from '#src/policies/opa.ts';
import { testRego } from '#src/policies/test-rego.ts';

const FOLDER = join(import.meta.dirname, '../../policies/default');

it('the default policies pass their own tests, and every file of tests has some', async () => {
  const report = await testRego(await findOpa(), [FOLDER], { bundle: true });
  const failed = report.tests.filter((test) => !test.passed).map((test) => `${test.name} (${test.file}:${test.line})`);
  assert.deepEqual(failed, []);
  const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('_test.rego'),
  );
  assert.ok(files.length >= 4, `only ${files.join(', ')}`);
  for (const file of files)
    assert.ok(
      report.tests.some((test) => test.file.endsWith(file)),
      `${file} tests nothing`,
    );
  assert.ok(report.coverage >= 90, `the tests reach ${report.coverage} % of the policies`);
});
