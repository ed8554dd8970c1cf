import type { ResourceKind } from './decision.ts';
import type { LoadedBundle } from './load-bundle.ts';

/** A policy as it is in force: loaded, under its name, for the kinds that it decides. */
export type BoundPolicy = { name: string; version: number; kinds: readonly ResourceKind[]; bundle: LoadedBundle };

/** What decides now: the default bundle, and the applied policies by the kind of resource that they are bound to. */
export type PolicyRegistry = {
  readonly default: LoadedBundle;
  boundTo(kind: ResourceKind): readonly BoundPolicy[];
  put(policy: BoundPolicy): void;
  remove(name: string): void;
  /** Takes over a whole set, as it is in the store. */
  replaceAll(policies: readonly BoundPolicy[]): void;
  all(): BoundPolicy[];
};

/** Holds loaded policies in memory; fed from the store at start and after each change is committed. */
export function createPolicyRegistry(defaultBundle: LoadedBundle): PolicyRegistry {
  let byName = new Map<string, BoundPolicy>();
  let byKind = new Map<ResourceKind, BoundPolicy[]>();
  const index = (): void => {
    byKind = new Map();
    for (const policy of [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1)))
      for (const kind of policy.kinds) byKind.set(kind, [...(byKind.get(kind) ?? []), policy]);
  };
  return {
    default: defaultBundle,
    boundTo: (kind) => byKind.get(kind) ?? NONE,
    put: (policy) => {
      byName.set(policy.name, policy);
      index();
    },
    remove: (name) => {
      byName.delete(name);
      index();
    },
    replaceAll: (policies) => {
      byName = new Map(policies.map((policy) => [policy.name, policy]));
      index();
    },
    all: () => [...byName.values()],
  };
}

const NONE: readonly BoundPolicy[] = [];
