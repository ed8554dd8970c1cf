import type { Clock } from '#kernel/clock.ts';
import { AppError } from '#kernel/errors.ts';
import type { Database, Reader } from '#kernel/sql.ts';
import { readDefaultBundle } from './default-bundle.ts';
import { loadBundle } from './load-bundle.ts';
import type { PolicyVersion } from './policy.ts';
import { type BoundPolicy, createPolicyRegistry, type PolicyRegistry } from './policy-registry.ts';
import { insertBundle, selectBundle, selectPoliciesInForce } from './policy-store.ts';

/** Loads the default bundle and every policy in force; keeps the default bundle in the store, so that its decisions stay explainable. */
export async function openPolicies(deps: { database: Database; clock: Clock }): Promise<PolicyRegistry> {
  const bundle = readDefaultBundle();
  await deps.database.transaction((tx) => insertBundle(tx, bundle, deps.clock.nowMs()));
  const registry = createPolicyRegistry(await loadBundle(bundle));
  await refreshPolicies(deps, registry);
  return registry;
}

/** Takes over the policies in force as they are in the store: for replicas, whose store another one changes. */
export async function refreshPolicies(
  deps: { database: Pick<Database, 'read'> },
  registry: PolicyRegistry,
): Promise<void> {
  const known = new Map(registry.all().map((policy) => [`${policy.name}@${policy.version}`, policy]));
  const bound = await deps.database.read(async (reader) => {
    const loaded: BoundPolicy[] = [];
    for (const policy of await selectPoliciesInForce(reader))
      loaded.push(known.get(`${policy.name}@${policy.version}`) ?? (await bindPolicy(reader, policy)));
    return loaded;
  });
  registry.replaceAll(bound);
}

/** Loads the bundle of a policy version from the store. */
export async function bindPolicy(reader: Reader, policy: PolicyVersion): Promise<BoundPolicy> {
  const bundle = await selectBundle(reader, policy.digest);
  if (bundle === undefined) throw new AppError('integrity', `The bundle of policy "${policy.name}" is missing.`);
  return { name: policy.name, version: policy.version, kinds: policy.kinds, bundle: await loadBundle(bundle) };
}
