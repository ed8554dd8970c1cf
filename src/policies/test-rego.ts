import { z } from 'zod';
import type { Opa } from './opa.ts';
import { compilerError } from './user-policy.ts';

export type TestReport = {
  passed: number;
  failed: number;
  /** Share of lines that the tests reach, in percent. */
  coverage: number;
  tests: { name: string; file: string; line: number; passed: boolean }[];
};

const Tests = z.array(
  z.object({
    name: z.string(),
    package: z.string(),
    location: z.object({ file: z.string(), row: z.number() }),
    fail: z.boolean().optional(),
    error: z.unknown().optional(),
    skip: z.boolean().optional(),
  }),
);
const Coverage = z.looseObject({ coverage: z.number().default(0) });

/** Runs Rego tests with `opa test`. Throws `invalid` when the files do not compile. */
export async function testRego(
  opa: Opa,
  paths: readonly string[],
  options: { olderSyntax?: boolean; bundle?: boolean } = {},
): Promise<TestReport> {
  const flags = [
    ...(options.olderSyntax === true ? ['--v0-compatible'] : []),
    ...(options.bundle === true ? ['--bundle'] : []),
  ];
  const ran = await opa.run(['test', '-f', 'json', ...flags, ...paths], { timeoutMs: 120_000 });
  const found = Tests.safeParse(parseOr(ran.stdout));
  if (!found.success && ran.stdout.trim() !== '' && ran.stdout.trim() !== 'null')
    throw compilerError(ran.stdout, 'test');
  if (!found.success && ran.stderr.trim() !== '') throw compilerError(ran.stderr, 'test');
  const tests = (found.success ? found.data : [])
    .filter((test) => test.skip !== true)
    .map((test) => ({
      name: `${test.package}.${test.name}`,
      file: test.location.file,
      line: test.location.row,
      passed: test.fail !== true && test.error === undefined,
    }));
  const failed = tests.filter((test) => !test.passed).length;
  const measured = failed > 0 ? undefined : await opa.run(['test', '--coverage', '-f', 'json', ...flags, ...paths]);
  const coverage = Coverage.safeParse(parseOr(measured?.stdout ?? ''));
  return { passed: tests.length - failed, failed, coverage: coverage.success ? coverage.data.coverage : 0, tests };
}

function parseOr(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
