/** What the use cases of identity are handed by the composition root. */
import type { Clock } from '#kernel/clock.ts';
import type { Ids } from '#kernel/ids.ts';
import type { Gateway, Identity } from '#src/gateway/crossing.ts';
import type { Authenticator } from './authenticate.ts';

export type IdentityDeps = {
  gateway: Pick<Gateway, 'cross'>;
  clock: Clock;
  ids: Ids;
  authenticator: Pick<Authenticator, 'forget'>;
};

/** Who calls, and through which request. */
export type Caller = { identity: Identity; requestId: string };
