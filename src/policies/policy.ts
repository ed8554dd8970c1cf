/** The noun: a policy that an officer applied under a name, in a version, for kinds of resource. */
import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import { type PolicyObject, RESOURCE_KINDS, type ResourceKind } from './decision.ts';

export type PolicyVersion = {
  name: string;
  version: number;
  digest: string;
  kinds: ResourceKind[];
  /** True for the version that took the policy out of force. */
  removed: boolean;
  appliedBy: string;
  appliedMs: number;
  /** The source as it was handed in. */
  submitted: string;
};

export const PolicyName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'lower-case letters, digits and dashes, at most 63')
  .refine((name) => name !== 'default', 'the default bundle is always in force and cannot be replaced');

export const Kinds = z.array(z.enum(RESOURCE_KINDS)).min(1).max(RESOURCE_KINDS.length);

/** A policy as policy sees it. */
export const policyObject = (name: string, more: Record<string, unknown> = {}): PolicyObject => ({
  type: 'policy',
  id: name,
  name,
  labels: [],
  ...more,
});

export const PolicyView = z.object({
  name: z.string(),
  version: z.number(),
  digest: z.string(),
  for: Kinds,
  removed: z.boolean(),
  appliedBy: z.string(),
  appliedAt: z.string(),
});
export type PolicyView = z.infer<typeof PolicyView>;

/** The version as the API shows it; times as ISO 8601. */
export const viewPolicy = (policy: PolicyVersion): PolicyView => ({
  name: policy.name,
  version: policy.version,
  digest: policy.digest,
  for: policy.kinds,
  removed: policy.removed,
  appliedBy: policy.appliedBy,
  appliedAt: new Date(policy.appliedMs).toISOString(),
});

export const noSuchPolicy = (name: string): AppError =>
  new AppError('not_found', `There is no policy "${name}".`, { details: { hint: 'See "fumehood policy list".' } });
