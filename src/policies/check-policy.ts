/** Checking and testing policies without a server: for the command line and for CI. */
import { access, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AppError } from '#kernel/errors.ts';
import { findOpa, type Opa } from './opa.ts';
import { type TestReport, testRego } from './test-rego.ts';
import { readUserPolicy } from './user-policy.ts';

export type PolicyCheck = {
  file: string;
  package: string;
  rules: string[];
  digest: string;
  /** True when the file is in the older syntax; `source` is then what it becomes. */
  converted: boolean;
  source: string;
  /** Of FILE_test.rego beside the file; null when there is none. */
  tests: TestReport | null;
};

/**
 * Checks one file: syntax (either), types, builtins, whether it compiles, and its tests. Throws `invalid` with the place of what is wrong,
 * or when a test fails; `not_found` when there is no such file.
 */
export async function checkPolicy(file: string, opa?: Opa): Promise<PolicyCheck> {
  const source = await readSource(file);
  const tool = opa ?? (await findOpa());
  const policy = await readUserPolicy(tool, source, basename(file));
  const testFile = join(dirname(file), basename(file).replace(/\.rego$/, '_test.rego'));
  const tests = (await exists(testFile))
    ? await testRego(tool, [file, testFile], { olderSyntax: policy.converted })
    : null;
  if (tests !== null) refuseFailed(tests);
  return {
    file,
    package: policy.package,
    rules: policy.rules,
    digest: policy.bundle.digest,
    converted: policy.converted,
    source: policy.source,
    tests,
  };
}

/** Runs all tests of a folder. Throws `invalid` when one fails or there is none. */
export async function testPolicies(folder: string, opa?: Opa): Promise<TestReport> {
  if (!(await isFolder(folder))) throw noFile(folder, 'folder');
  const report = await testRego(opa ?? (await findOpa()), [folder], { bundle: true });
  refuseFailed(report);
  if (report.passed === 0) {
    throw new AppError('invalid', `There is no test in ${folder}.`, {
      details: { hint: 'Name files *_test.rego and their rules test_….' },
    });
  }
  return report;
}

function refuseFailed(report: TestReport): void {
  const failed = report.tests.filter((test) => !test.passed);
  if (failed.length === 0) return;
  const named = failed.slice(0, 5).map((test) => `${test.name} (${test.file}:${test.line})`);
  throw new AppError(
    'invalid',
    `${failed.length} of ${report.tests.length} policy tests failed: ${named.join(', ')}.`,
    {
      details: { hint: 'Run "opa test --verbose" on the files to see the values.', report },
    },
  );
}

async function readSource(file: string): Promise<string> {
  if (!(await exists(file)) || (await isFolder(file))) throw noFile(file, 'file');
  return readFile(file, 'utf8');
}

const noFile = (path: string, what: string): AppError =>
  new AppError('not_found', `There is no ${what} ${path}.`, { details: { hint: 'Check the path.' } });

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
