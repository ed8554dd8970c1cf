import { existsSync } from 'node:fs';
import { AppError } from '#kernel/errors.ts';
import { findOpa } from '#src/policies/opa.ts';
import { readUserPolicy } from '#src/policies/user-policy.ts';

export type CheckedPolicy = {
  ok: true;
  package: string;
  rules: string[];
  converted: boolean;
  source: string;
  /** Percent of the lines that the tests beside it reach; null when there are none. */
  coverage: number | null;
};

/** Checks one policy as applying it would, without a server. Throws `invalid` with file, line and the compiler's words. */
export async function checkPolicy(source: string, path: string, env: NodeJS.ProcessEnv): Promise<CheckedPolicy> {
  const opa = await findOpa(env);
  const { package: name, rules, converted, source: text } = await readUserPolicy(opa, source, path);
  const coverage = converted ? null : await coverageOf(opa, path);
  return { ok: true, package: name, rules, converted, source: text, coverage };
}

async function coverageOf(opa: Awaited<ReturnType<typeof findOpa>>, path: string): Promise<number | null> {
  const tests = path.replace(/\.rego$/, '_test.rego');
  if (tests === path || !existsSync(tests)) return null;
  const done = await opa.run(['test', '--coverage', '--format=json', path, tests]);
  if (done.code !== 0)
    throw new AppError('invalid', `The tests in ${tests} do not pass.`, {
      details: { hint: `See: fumehood policy test ${tests}` },
    });
  const report = JSON.parse(done.stdout) as { files?: Record<string, { coverage?: number }> };
  const own = Object.entries(report.files ?? {}).find(([file]) => path.endsWith(file) || file.endsWith(path));
  return Math.round((own?.[1].coverage ?? 0) * 10) / 10;
}

export type TestedPolicies = { passed: number; failed: number; failures: string[] };

/** Runs the tests of the policies in a folder. */
export async function testPolicies(dir: string, env: NodeJS.ProcessEnv): Promise<TestedPolicies> {
  if (!existsSync(dir)) throw new AppError('invalid', `"${dir}" is not there.`);
  const opa = await findOpa(env);
  const done = await opa.run(['test', '--format=json', dir], { timeoutMs: 120_000 });
  const results = parseResults(done.stdout);
  if (results === undefined)
    throw new AppError('invalid', `The policies in "${dir}" cannot be read:\n${(done.stderr || done.stdout).trim()}`);
  if (results.length === 0)
    throw new AppError('invalid', `"${dir}" holds no test.`, { details: { hint: 'Tests are rules named test_…' } });
  const failures = results
    .filter((one) => one.fail === true || one.error !== undefined)
    .map((one) => `${one.package}.${one.name}`);
  return { passed: results.length - failures.length, failed: failures.length, failures };
}

type Result = { package: string; name: string; fail?: boolean; error?: unknown };

function parseResults(text: string): Result[] | undefined {
  try {
    const results: unknown = text.trim() === '' ? [] : JSON.parse(text);
    return Array.isArray(results) ? (results as Result[]) : undefined;
  } catch {
    return undefined;
  }
}
