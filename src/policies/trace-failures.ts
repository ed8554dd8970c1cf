import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { withScratch } from './compile-rego.ts';
import type { Opa } from './opa.ts';

export const FailedExpression = z.object({
  file: z.string(),
  line: z.number(),
  expression: z.string(),
  /** What the input's parts in the expression were; null for those that are not there. */
  values: z.record(z.string(), z.unknown()),
});
export type FailedExpression = z.infer<typeof FailedExpression>;

const FILE = 'policy.rego';
const FAIL = /^policy\.rego:(\d+)\s+\|.*\bFail\b/;
const REFERENCE = /\binput((?:\.[A-Za-z_]\w*)+)/g;

/** The expressions of a policy that were not true for an input, by `opa eval --explain=fails`, each once. */
export async function traceFailures(
  opa: Opa,
  asked: { source: string; fileName: string; rule: string; input: unknown },
): Promise<FailedExpression[]> {
  return withScratch(async (folder) => {
    await writeFile(join(folder, FILE), asked.source);
    await writeFile(join(folder, 'input.json'), JSON.stringify(asked.input));
    const query = `data.${asked.rule.split('/').join('.')}`;
    const flags = ['--disable-indexing', '--explain=fails', '-f', 'pretty', '--timeout', '5s'];
    const done = await opa.run(['eval', ...flags, '-d', FILE, '-i', 'input.json', query], { cwd: folder });
    const lines = asked.source.split('\n');
    const failed = new Map<number, FailedExpression>();
    for (const text of done.stdout.split('\n')) {
      const line = Number(FAIL.exec(text)?.[1] ?? 0);
      const expression = lines[line - 1]?.trim();
      if (line === 0 || expression === undefined || expression === '') continue;
      failed.set(line, { file: asked.fileName, line, expression, values: valuesIn(expression, asked.input) });
    }
    return [...failed.values()].sort((a, b) => a.line - b.line);
  });
}

function valuesIn(expression: string, input: unknown): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [whole, path] of expression.matchAll(REFERENCE))
    values[whole] = lookUp(input, (path ?? '').slice(1).split('.'));
  return values;
}

function lookUp(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const part of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, part)) return null;
    found = (found as Record<string, unknown>)[part];
  }
  return found;
}
