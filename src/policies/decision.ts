/** What is asked of policy, and what it answers. One documented, versioned shape for every decision. */
import type { NodeRef } from '#src/lineage/node.ts';

/** The kinds of resource that policies are bound to. */
export const RESOURCE_KINDS = [
  'sandbox',
  'gpu',
  'data',
  'object',
  'run',
  'model',
  'secret',
  'egress',
  'port',
  'environment',
  'policy',
  'approval',
  'token',
  'user',
  'quota',
  'audit',
  'lineage',
] as const;
export type ResourceKind = (typeof RESOURCE_KINDS)[number];

/** Who asks, as policy sees it. A sandbox acts for its user, with the labels it has gathered. */
export type Subject = {
  type: 'user' | 'sandbox';
  /** User name, or sandbox id. */
  id: string;
  user: string;
  roles: string[];
  /** Scopes that narrow a token (`*` = all of the user's rights). */
  scopes: string[];
  purpose: string;
  labels: string[];
};

export type PolicyObject = {
  type: string;
  id: string;
  name?: string;
  version?: string;
  digest?: string;
  owner?: string;
  labels: string[];
} & Record<string, unknown>;

/** One question: a crossing asks as many as it touches resources. An object with several labels is asked once per label (`tag`). */
export type Question = {
  action: string;
  resource: ResourceKind;
  requested?: number;
  object: PolicyObject;
};

/** The answer to all questions of one crossing: every applied bundle must allow every question. */
export type Decision = {
  id: string;
  allowed: boolean;
  /** Digests of the bundles that spoke (`sha256:…`). */
  bundles: string[];
  inputDigest: string;
  /** The approvals in force that policy was shown. */
  approvals?: { id: string; dataset: string; purpose: string }[];
  /** Why not, in words; empty when allowed. */
  reason: string;
  /** The command that would change the answer, if policy names one. */
  hint?: string;
  /** True when an approval would change the answer. */
  approvable?: boolean;
};

/** What a subject points at in the lineage graph. */
export const nodeOfSubject = (subject: Pick<Subject, 'type' | 'id'>): NodeRef => ({
  kind: subject.type,
  id: subject.id,
});
