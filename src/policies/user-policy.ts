/** A policy as its author wrote it, and what becomes of it. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import { type Bundle, bundleDigest } from './bundle.ts';
import { compileRego, withScratch } from './compile-rego.ts';
import { missingBuiltins } from './missing-builtins.ts';
import type { Opa } from './opa.ts';

export type UserPolicy = {
  /** `play`, `com.example.gpu` */
  package: string;
  /** Which of the rules that decide it has. */
  rules: ('allow' | 'deny')[];
  /** The source in the syntax of Rego version 1; line numbers of explanations are of this text. */
  source: string;
  /** True when it was handed in in the older syntax. */
  converted: boolean;
  bundle: Bundle;
};

const FILE = 'policy.rego';
const LONGEST_SOURCE = 256 * 1024;

/** Parses (either syntax), checks types and builtins, and compiles. Throws `invalid` with file, line and the compiler's words. */
export async function readUserPolicy(opa: Opa, source: string, fileName: string = FILE): Promise<UserPolicy> {
  if (source.length > LONGEST_SOURCE) throw new AppError('too_large', 'A policy has at most 256 KiB.');
  return withScratch(async (folder) => {
    const path = join(folder, FILE);
    await writeFile(path, source);
    const { text, converted } = await toCurrentSyntax(opa, folder, source, fileName);
    await writeFile(path, text);
    const checked = await opa.run(['check', '-f', 'json', FILE], { cwd: folder });
    if (checked.code !== 0) throw compilerError(checked.stderr || checked.stdout, fileName);
    const { packagePath, rules } = await outlineOf(opa, folder, fileName);
    const entrypoints = Object.fromEntries(rules.map((rule) => [rule, [...packagePath, rule].join('/')]));
    const wasm = await compileRego(opa, {
      cwd: folder,
      path: FILE,
      bundle: false,
      entrypoints: Object.values(entrypoints),
    });
    await refuseMissingBuiltins(wasm, fileName);
    const parts = { wasm, data: '{}', entrypoints };
    const bundle: Bundle = { ...parts, kind: 'user', source: text, digest: bundleDigest(parts) };
    return { package: packagePath.join('.'), rules, source: text, converted, bundle };
  });
}

async function toCurrentSyntax(
  opa: Opa,
  folder: string,
  source: string,
  fileName: string,
): Promise<{ text: string; converted: boolean }> {
  const current = await opa.run(['parse', '-f', 'json', FILE], { cwd: folder });
  if (current.code === 0) return { text: source, converted: false };
  const older = await opa.run(['parse', '--v0-compatible', '-f', 'json', FILE], { cwd: folder });
  if (older.code !== 0) throw compilerError(current.stderr || current.stdout, fileName);
  const done = await opa.run(['fmt', '--v0-v1', '-w', FILE], { cwd: folder });
  if (done.code !== 0) throw compilerError(done.stderr || done.stdout, fileName);
  return { text: await readFile(join(folder, FILE), 'utf8'), converted: true };
}

const Term = z.object({ type: z.string(), value: z.unknown() });
const Outline = z.object({
  package: z.object({ path: z.array(Term) }),
  rules: z
    .array(
      z.object({
        head: z.object({ name: z.string().optional(), ref: z.array(Term).optional(), args: z.unknown().optional() }),
      }),
    )
    .default([]),
});

async function outlineOf(
  opa: Opa,
  folder: string,
  fileName: string,
): Promise<{ packagePath: string[]; rules: ('allow' | 'deny')[] }> {
  const parsed = await opa.run(['parse', '-f', 'json', FILE], { cwd: folder });
  const outline = Outline.parse(JSON.parse(parsed.stdout));
  const packagePath = outline.package.path.slice(1).map((term) => String(term.value));
  if (packagePath.some((part) => !/^[A-Za-z_][\w-]*$/.test(part))) {
    throw new AppError(
      'invalid',
      `${fileName}: the package name ${packagePath.join('.')} has parts that are not words.`,
    );
  }
  const names = new Set(
    outline.rules
      .filter(({ head }) => head.args === undefined)
      .map(({ head }) => head.name ?? String(head.ref?.[0]?.value ?? '')),
  );
  const rules = (['allow', 'deny'] as const).filter((rule) => names.has(rule));
  if (rules.length > 0) return { packagePath, rules };
  throw new AppError(
    'invalid',
    `${fileName}: package ${packagePath.join('.')} has neither a rule allow nor a rule deny.`,
    {
      details: { hint: 'Write for example: allow if input.requested <= 4' },
    },
  );
}

async function refuseMissingBuiltins(wasm: Uint8Array, fileName: string): Promise<void> {
  const missing = await missingBuiltins(wasm);
  if (missing.length === 0) return;
  throw new AppError(
    'invalid',
    `${fileName}: the in-process engine does not offer ${missing.join(', ')}: a decision hangs on its input alone.`,
    { details: { hint: 'Use what the input says instead (input.context.time, input.context.approvals).' } },
  );
}

const CompilerErrors = z.object({
  errors: z.array(
    z.object({
      message: z.string(),
      location: z.object({ row: z.number(), col: z.number() }).optional(),
    }),
  ),
});

/** The compiler's first three complaints, each with its place. */
export function compilerError(output: string, fileName: string): AppError {
  const parsed = CompilerErrors.safeParse(tryJson(output));
  const said = parsed.success
    ? parsed.data.errors
        .slice(0, 3)
        .map(
          ({ message, location }) =>
            `${fileName}${location === undefined ? '' : `:${location.row}:${location.col}`}: ${message}`,
        )
    : [`${fileName}: ${output.trim().split('\n')[0] ?? 'cannot be read'}`];
  return new AppError('invalid', said.join('; '), {
    details: { field: 'source', hint: 'Correct the policy at that place.' },
  });
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
