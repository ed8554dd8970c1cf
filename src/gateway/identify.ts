import { AppError } from '#kernel/errors.ts';
import type { Identity } from './crossing.ts';
import type { Peer } from './door.ts';

export type IdentifyDeps = {
  /** Who a running sandbox is; undefined when it is not (or no longer) running. */
  sandboxIdentity: (sandboxId: string) => Identity | undefined;
  /** Checks a token in full. Throws `unauthenticated`. */
  authenticateToken: (token: string) => Promise<Identity>;
};

/** Says who is at the other end. Throws `unauthenticated`. */
export type Identify = (peer: Peer, token: string | undefined) => Promise<Identity>;

/** In a sandbox the connection is the identity and a token is not looked at; outside, the token is checked in full. */
export function createIdentify(deps: IdentifyDeps): Identify {
  return async (peer, token) => {
    if (peer.kind === 'sandbox') {
      const identity = deps.sandboxIdentity(peer.sandboxId);
      if (identity === undefined) throw new AppError('unauthenticated', 'This sandbox is not running.');
      return identity;
    }
    if (token === undefined || token === '') throw new AppError('unauthenticated', 'A token is needed here.');
    return deps.authenticateToken(token);
  };
}
