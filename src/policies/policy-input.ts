/** The versioned input of every decision: see docs/reference/policy-input.md. */
import type { Approval } from './approval-in-force.ts';
import type { Question, ResourceKind, Subject } from './decision.ts';

export const INPUT_VERSION = 1;

export type PolicyInput = {
  version: typeof INPUT_VERSION;
  action: string;
  resource: ResourceKind;
  requested?: number;
  tag?: string;
  subject: Subject;
  object: Question['object'];
  context: PolicyContext;
};

export type PolicyContext = {
  /** ISO 8601 */
  time: string;
  /** ms since the epoch, for policies that compare times */
  timeMs: number;
  approvals: Approval[];
  assessments: [];
  usage: Record<string, number>;
};

/** Kinds of things whose labels are the tags of what is in them: asked once per label. */
const TAGGED: ReadonlySet<ResourceKind> = new Set<ResourceKind>(['data', 'object', 'run', 'model']);

/** The inputs that one question becomes: one per label of its object for tagged kinds, else one; all must be allowed. */
export function inputsOf(question: Question, subject: Subject, context: PolicyContext): PolicyInput[] {
  const { action, resource, requested, object } = question;
  const base: PolicyInput = {
    version: INPUT_VERSION,
    action,
    resource,
    ...(requested === undefined ? {} : { requested }),
    subject,
    object,
    context,
  };
  if (!TAGGED.has(resource) || object.labels.length === 0) return [base];
  return object.labels.map((tag) => ({ ...base, tag }));
}
