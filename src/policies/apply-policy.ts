import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import type { Tx } from '#kernel/sql.ts';
import type { Crossing } from '#src/gateway/crossing.ts';
import { loadBundle } from './load-bundle.ts';
import { bindPolicy } from './open-policies.ts';
import { Kinds, noSuchPolicy, PolicyName, type PolicyVersion, policyObject } from './policy.ts';
import type { Caller, PolicyDeps } from './policy-deps.ts';
import type { BoundPolicy } from './policy-registry.ts';
import { insertBundle, insertPolicyVersion, selectPolicyVersions } from './policy-store.ts';
import { readUserPolicy, type UserPolicy } from './user-policy.ts';

export const PolicyRequest = z.strictObject({
  name: PolicyName,
  for: Kinds.describe('the kinds of resource that it decides'),
  source: z.string().min(1).describe('Rego, in the syntax of version 1 or the older one'),
});
export type PolicyRequest = z.infer<typeof PolicyRequest>;

/**
 * Compiles and puts in force, from the next decision on. Who may not apply is told so before anything is compiled; a policy that does
 * not compile changes nothing.
 */
export async function applyPolicy(
  deps: PolicyDeps,
  caller: Caller,
  request: PolicyRequest,
): Promise<{ applied: PolicyVersion; policy: UserPolicy }> {
  const { name } = request;
  const crossing = crossingOf(caller, 'policy.apply', name, { kinds: request.for });
  await deps.gateway.check(crossing);
  const policy = await readUserPolicy(await deps.opa(), request.source, `${name}.rego`);
  const bundle = await loadBundle(policy.bundle);
  let bound: BoundPolicy | undefined;
  const applied = await deps.gateway.cross<PolicyVersion>({
    ...crossing,
    act: async (tx, opened) => {
      await insertBundle(tx, policy.bundle, opened.nowMs);
      const kinds = [...new Set(request.for)];
      const made = await addVersion(tx, opened, {
        name,
        digest: policy.bundle.digest,
        kinds,
        removed: false,
        submitted: request.source,
      });
      bound = { name, version: made.version, kinds, bundle };
      return made;
    },
    onCommitted: () => {
      if (bound !== undefined) deps.registry.put(bound);
    },
  });
  return { applied, policy };
}

/** Puts an earlier version (the one before, or `to`) in force again, as a new version. */
export function rollbackPolicy(
  deps: PolicyDeps,
  caller: Caller,
  request: { name: string; to?: number | undefined },
): Promise<PolicyVersion> {
  const { name, to } = request;
  let bound: BoundPolicy | undefined;
  return deps.gateway.cross<PolicyVersion>({
    ...crossingOf(caller, 'policy.rollback', name, {}),
    act: async (tx, opened) => {
      const [current, ...before] = await selectPolicyVersions(tx, name);
      if (current === undefined) throw noSuchPolicy(name);
      const target = before.find((version) => !version.removed && (to === undefined || version.version === to));
      if (target === undefined) {
        throw new AppError(
          'conflict',
          `Policy "${name}" has no ${to === undefined ? 'earlier version' : `version ${to}`} to go back to.`,
          {
            details: { hint: 'See "fumehood policy get NAME"; "fumehood policy delete NAME" takes it out of force.' },
          },
        );
      }
      opened.detail('rolledBackTo', target.version);
      const { digest, kinds, submitted } = target;
      const made = await addVersion(tx, opened, { name, digest, kinds, removed: false, submitted });
      bound = await bindPolicy(tx, made);
      return made;
    },
    onCommitted: () => {
      if (bound !== undefined) deps.registry.put(bound);
    },
  });
}

/** Takes a policy out of force; its versions stay. */
export function removePolicy(deps: PolicyDeps, caller: Caller, name: string): Promise<PolicyVersion> {
  return deps.gateway.cross<PolicyVersion>({
    ...crossingOf(caller, 'policy.delete', name, {}),
    act: async (tx, opened) => {
      const [current] = await selectPolicyVersions(tx, name);
      if (current === undefined || current.removed) throw noSuchPolicy(name);
      const { digest, kinds, submitted } = current;
      return addVersion(tx, opened, { name, digest, kinds, removed: true, submitted });
    },
    onCommitted: () => deps.registry.remove(name),
  });
}

const crossingOf = (caller: Caller, action: string, name: string, more: Record<string, unknown>) => ({
  ...caller,
  door: 'api',
  action,
  object: { kind: 'policy', id: name, name },
  ask: async () => [{ action, resource: 'policy' as const, object: policyObject(name, more) }],
});

async function addVersion(
  tx: Tx,
  crossing: Crossing,
  version: Pick<PolicyVersion, 'name' | 'digest' | 'kinds' | 'removed' | 'submitted'>,
): Promise<PolicyVersion> {
  const [latest] = await selectPolicyVersions(tx, version.name);
  const { subject, nowMs } = crossing;
  const made: PolicyVersion = {
    ...version,
    version: (latest?.version ?? 0) + 1,
    appliedBy: subject.user,
    appliedMs: nowMs,
  };
  await insertPolicyVersion(tx, made);
  crossing.attest('policy', made.name, made.version);
  crossing.detail('version', made.version);
  crossing.detail('digest', made.digest);
  crossing.detail('for', made.kinds.join(' '));
  await crossing.writes(
    { kind: 'policy', id: `${made.name}@${made.version}`, name: made.name, digest: made.digest },
    'applied',
  );
  return made;
}
