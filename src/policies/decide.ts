import { createHash } from 'node:crypto';
import type { Clock } from '#kernel/clock.ts';
import type { Ids } from '#kernel/ids.ts';
import type { Reader } from '#kernel/sql.ts';
import type { Decider } from '#src/gateway/crossing.ts';
import type { Approval } from './approval-in-force.ts';
import type { Decision, Question, Subject } from './decision.ts';
import { type Asked, insertDecision, type StoredDecision } from './decision-store.ts';
import { inputsOf, type PolicyContext, type PolicyInput } from './policy-input.ts';
import type { BoundPolicy, PolicyRegistry } from './policy-registry.ts';
import type { Reason } from './reason.ts';

export type DeciderDeps = {
  registry: PolicyRegistry;
  clock: Clock;
  ids: Ids;
  /** The approvals of a user that are in force at this time. */
  approvalsInForce(reader: Reader, user: string, nowMs: number): Promise<Approval[]>;
  /** What a user holds of the quotas now, by its name there. */
  usageOf(reader: Reader, user: string): Promise<Record<string, number>>;
};

type Judged = { input: PolicyInput; bound: readonly BoundPolicy[] };
type Refusal = { reasons: Reason[]; policy: string | undefined };

/**
 * Decides in process. Each question is asked once per label of its object where labels are tags (see `inputsOf`); the default bundle
 * and every policy bound to the question's kind must allow each input. The first that does not gives the reason.
 */
export function createDecider(deps: DeciderDeps): Decider {
  // What `record` writes, beside the decision that the gateway carries.
  const pending = new WeakMap<Decision, StoredDecision>();

  return {
    decide: async (reader, { subject, questions, requestId }) => {
      const nowMs = deps.clock.nowMs();
      const stored: StoredDecision = {
        id: deps.ids.next('dec'),
        atMs: nowMs,
        user: subject.user,
        requestId,
        allowed: false,
        reason: '',
        inputs: '[]',
        asked: [],
      };
      let refusal: Refusal | undefined;
      let approvals: Approval[] = [];
      try {
        const context = await contextOf(deps, reader, subject, questions, nowMs);
        approvals = context.approvals;
        refusal = judge(deps.registry, judgedOf(deps.registry, subject, questions, context), stored);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        refusal = {
          reasons: [{ code: 'error', message: `The decision failed (${why.slice(0, 200)}).` }],
          policy: undefined,
        };
      }
      stored.allowed = refusal === undefined;
      const decision: Decision = {
        ...decisionOf(stored, refusal),
        ...(approvals.length === 0
          ? {}
          : { approvals: approvals.map(({ id, dataset, purpose }) => ({ id, dataset, purpose })) }),
      };
      stored.reason = decision.reason;
      pending.set(decision, stored);
      return decision;
    },
    record: async (tx, decision) => {
      const stored = pending.get(decision);
      if (stored !== undefined) await insertDecision(tx, stored);
    },
  };
}

function judgedOf(
  registry: PolicyRegistry,
  subject: Subject,
  questions: readonly Question[],
  context: PolicyContext,
): Judged[] {
  return questions.flatMap((question) =>
    inputsOf(question, subject, context).map((input) => ({ input, bound: registry.boundTo(input.resource) })),
  );
}

/** Asks all bundles about all inputs until one refuses; an act that asks nothing is refused. */
function judge(registry: PolicyRegistry, all: readonly Judged[], stored: StoredDecision): Refusal | undefined {
  const texts: string[] = [];
  let refusal: Refusal | undefined;
  if (all.length === 0)
    refusal = { reasons: [{ code: 'undefined', message: 'Nothing was asked.' }], policy: undefined };
  for (const { input, bound } of all) {
    const text = JSON.stringify(input);
    texts.push(text);
    stored.asked.push(askedOf(registry, bound));
    refusal ??= refusalOf(registry, Buffer.from(text), bound);
  }
  stored.inputs = `[${texts.join(',')}]`;
  return refusal;
}

function refusalOf(registry: PolicyRegistry, input: Buffer, bound: readonly BoundPolicy[]): Refusal | undefined {
  const verdict = registry.default.evaluate(input);
  if (!verdict.allowed) return { reasons: verdict.reasons, policy: undefined };
  for (const policy of bound) {
    const answer = policy.bundle.evaluate(input);
    if (!answer.allowed) return { reasons: answer.reasons, policy: policy.name };
  }
  return undefined;
}

const askedOf = (registry: PolicyRegistry, bound: readonly BoundPolicy[]): Asked => ({
  default: registry.default.digest,
  policies: bound.map(({ name, version, bundle }) => ({ name, version, digest: bundle.digest })),
});

/** Looks up only what a policy could read: approvals where a label is in play, both where a user's policy is bound. */
async function contextOf(
  deps: DeciderDeps,
  reader: Reader,
  subject: Subject,
  questions: readonly Question[],
  nowMs: number,
): Promise<PolicyContext> {
  const bound = questions.some((question) => deps.registry.boundTo(question.resource).length > 0);
  const labelled = subject.labels.length > 0 || questions.some((question) => question.object.labels.length > 0);
  return {
    time: new Date(nowMs).toISOString(),
    timeMs: nowMs,
    approvals: bound || labelled ? await deps.approvalsInForce(reader, subject.user, nowMs) : [],
    assessments: [],
    usage: bound ? await deps.usageOf(reader, subject.user) : {},
  };
}

function decisionOf(stored: StoredDecision, refusal: Refusal | undefined): Decision {
  const bundles = new Set<string>();
  for (const asked of stored.asked) {
    bundles.add(asked.default);
    for (const policy of asked.policies) bundles.add(policy.digest);
  }
  const base = {
    id: stored.id,
    allowed: stored.allowed,
    bundles: [...bundles],
    inputDigest: `sha256:${createHash('sha256').update(stored.inputs).digest('hex')}`,
  };
  if (refusal === undefined) return { ...base, reason: '' };
  const said = refusal.reasons.map((reason) => reason.message).join(' ');
  const hint = refusal.reasons.find((reason) => reason.hint !== undefined)?.hint;
  return {
    ...base,
    reason: refusal.policy === undefined ? said : `Policy "${refusal.policy}": ${said}`,
    ...(hint === undefined ? {} : { hint }),
    // Only when an approval is all that is missing does asking for one help.
    ...(refusal.reasons.every((reason) => reason.approvable === true) ? { approvable: true } : {}),
  };
}
