import type { Clock } from '#kernel/clock.ts';
import type { Ids } from '#kernel/ids.ts';
import type { KeyProvider } from '#kernel/key-provider.ts';
import type { Database } from '#kernel/sql.ts';
import type { Gateway, Identity, LineageRecorder } from '#src/gateway/crossing.ts';

/** What the use cases of secrets are made of. */
export type SecretsDeps = {
  gateway: Pick<Gateway, 'cross' | 'check'>;
  database: Pick<Database, 'read'>;
  lineage: Pick<LineageRecorder, 'labelsOf'>;
  keys: KeyProvider;
  ids: Ids;
  clock: Clock;
};

/** Who does it, and through which door or API. */
export type Caller = { identity: Identity; door: string; requestId: string };
