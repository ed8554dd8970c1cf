/** What the use cases of policies are handed by the composition root. */
import type { Clock } from '#kernel/clock.ts';
import type { Database } from '#kernel/sql.ts';
import type { Gateway, Identity } from '#src/gateway/crossing.ts';
import type { Opa } from './opa.ts';
import type { PolicyRegistry } from './policy-registry.ts';

export type PolicyDeps = {
  gateway: Pick<Gateway, 'cross' | 'check'>;
  database: Pick<Database, 'read'>;
  clock: Clock;
  registry: PolicyRegistry;
  /** Finds the `opa` tool; throws `unavailable` with the command that installs it. */
  opa(): Promise<Opa>;
};

/** Who calls, and through which request. */
export type Caller = { identity: Identity; requestId: string };
