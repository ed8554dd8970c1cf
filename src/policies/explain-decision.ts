import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import type { Reader } from '#kernel/sql.ts';
import type { Bundle } from './bundle.ts';
import type { Asked, StoredDecision } from './decision-store.ts';
import { loadBundle } from './load-bundle.ts';
import type { Opa } from './opa.ts';
import { selectBundle } from './policy-store.ts';
import { Reason } from './reason.ts';
import { FailedExpression, traceFailures } from './trace-failures.ts';

const Answer = z.object({
  policy: z.string().describe('"default", or the name of an applied policy'),
  version: z.number().optional(),
  digest: z.string(),
  allowed: z.boolean(),
  reasons: z.array(Reason),
  failed: z.array(FailedExpression),
});
type Answer = z.infer<typeof Answer>;

export const Explanation = z.object({
  id: z.string(),
  time: z.string(),
  user: z.string(),
  requestId: z.string(),
  allowed: z.boolean(),
  /** In words, first the outcome, then each condition that failed. */
  summary: z.array(z.string()),
  questions: z.array(
    z.object({
      action: z.string(),
      resource: z.string(),
      requested: z.number().optional(),
      tag: z.string().optional(),
      object: z.string(),
      input: z.record(z.string(), z.unknown()),
      answers: z.array(Answer),
    }),
  ),
});
export type Explanation = z.infer<typeof Explanation>;

const Input = z.looseObject({
  action: z.string(),
  resource: z.string(),
  requested: z.number().optional(),
  tag: z.string().optional(),
  object: z.looseObject({ id: z.string() }),
});

/** Where an explanation gets bundles and, for the lines of a user's policy, the `opa` tool. */
export type ExplainDeps = {
  reader: Reader;
  /** Undefined when it is not installed: the answers are the same, without the failed lines. */
  opa: Opa | undefined;
};

/** Evaluates the logged inputs on the logged bundles again and says which conditions failed. */
export async function explainDecision(deps: ExplainDeps, stored: StoredDecision): Promise<Explanation> {
  const inputs = z.array(Input).parse(JSON.parse(stored.inputs));
  const questions: Explanation['questions'] = [];
  for (const [index, input] of inputs.entries()) {
    const asked = stored.asked[index];
    if (asked === undefined) throw new AppError('integrity', `Decision ${stored.id} is incomplete in the store.`);
    questions.push({
      action: input.action,
      resource: input.resource,
      ...(input.requested === undefined ? {} : { requested: input.requested }),
      ...(input.tag === undefined ? {} : { tag: input.tag }),
      object: input.object.id,
      input,
      answers: await answersTo(deps, input, asked),
    });
  }
  return {
    id: stored.id,
    time: new Date(stored.atMs).toISOString(),
    user: stored.user,
    requestId: stored.requestId,
    allowed: stored.allowed,
    summary: summaryOf(stored, questions),
    questions,
  };
}

async function answersTo(deps: ExplainDeps, input: unknown, asked: Asked): Promise<Answer[]> {
  const bundles = [{ name: 'default', version: undefined, digest: asked.default }, ...asked.policies];
  const answers: Answer[] = [];
  for (const { name, version, digest } of bundles) {
    const bundle = await selectBundle(deps.reader, digest);
    if (bundle === undefined) throw new AppError('integrity', `The bundle ${digest} of this decision is missing.`);
    const { allowed, reasons } = (await loadBundle(bundle)).evaluate(Buffer.from(JSON.stringify(input)));
    answers.push({
      policy: name,
      ...(version === undefined ? {} : { version }),
      digest,
      allowed,
      reasons,
      failed: allowed ? [] : await failedOf(deps.opa, bundle, name, input),
    });
  }
  return answers;
}

async function failedOf(
  opa: Opa | undefined,
  bundle: Bundle,
  name: string,
  input: unknown,
): Promise<FailedExpression[]> {
  const allow = bundle.entrypoints.allow;
  if (opa === undefined || bundle.kind === 'default' || allow === undefined) return [];
  return traceFailures(opa, { source: bundle.source, fileName: `${name}.rego`, rule: allow, input });
}

function summaryOf(stored: StoredDecision, questions: Explanation['questions']): string[] {
  const lines = [
    stored.allowed
      ? `Allowed: every policy allows all ${questions.length} question(s).`
      : `Denied: ${stored.reason || 'no policy allows it.'}`,
  ];
  for (const { action, resource, requested, tag, object, answers } of questions) {
    const about = [action, `on ${resource} ${object}`, ...(requested === undefined ? [] : [`requested ${requested}`])];
    if (tag !== undefined) about.push(`tag ${tag}`);
    for (const { policy, allowed, reasons, failed } of answers) {
      if (allowed) continue;
      lines.push(`${about.join(', ')}: policy "${policy}" says no.`);
      for (const reason of reasons)
        lines.push(`  ${reason.message}${reason.hint === undefined ? '' : ` → ${reason.hint}`}`);
      for (const one of failed) lines.push(`  ${one.file}:${one.line}: ${one.expression} was not true${valuesOf(one)}`);
    }
  }
  return lines;
}

function valuesOf(failed: FailedExpression): string {
  const values = Object.entries(failed.values).map(([path, value]) => `${path} = ${JSON.stringify(value)}`);
  return values.length === 0 ? '' : `: ${values.join(', ')}`;
}
