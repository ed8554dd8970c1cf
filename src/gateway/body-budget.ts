/** How many bytes of bodies one peer may have in memory at once, over all doors: what waits for its end, or for its reader, is held, and not by others. */
import { AppError } from '#kernel/errors.ts';
import type { Peer } from './door.ts';

/** Bodies that come, and those of answers whose reader takes them slowly. */
export type BodyKind = 'request' | 'answer';

export type BodyHold = {
  /** These bytes of a body (of the request, unless said otherwise) are kept in memory. Throws `too_many_requests` when the peer has its fill. */
  hold(bytes: number, of?: BodyKind): void;
  /** The request is over. */
  release(): void;
};

export type BodyBudget = { open(peer: Peer): BodyHold };

const MIB = 1024 * 1024;
const SANDBOX_BYTES: Record<BodyKind, number> = { request: 48 * MIB, answer: 128 * MIB };
/** All people and services outside of sandboxes together. */
const EXTERNAL_BYTES: Record<BodyKind, number> = { request: 256 * MIB, answer: 512 * MIB };

type Limits = { sandboxBytes?: Record<BodyKind, number>; externalBytes?: Record<BodyKind, number> };

export function createBodyBudget({
  sandboxBytes = SANDBOX_BYTES,
  externalBytes = EXTERNAL_BYTES,
}: Limits = {}): BodyBudget {
  const held: Record<BodyKind, Map<string, number>> = { request: new Map(), answer: new Map() };
  return {
    open: (peer) => {
      const name = peer.kind === 'sandbox' ? peer.sandboxId : '';
      const most = peer.kind === 'sandbox' ? sandboxBytes : externalBytes;
      const own: Record<BodyKind, number> = { request: 0, answer: 0 };
      const add = (bytes: number, of: BodyKind): void => {
        own[of] += bytes;
        const sum = (held[of].get(name) ?? 0) + bytes;
        if (sum > 0) held[of].set(name, sum);
        else held[of].delete(name);
      };
      return {
        hold: (bytes, of = 'request') => {
          if ((held[of].get(name) ?? 0) + bytes > most[of])
            throw new AppError('too_many_requests', `Bodies of over ${most[of] / MIB} MiB are being sent at once.`, {
              details: { hint: 'Send fewer or smaller requests at once.' },
            });
          add(bytes, of);
        },
        release: () => {
          for (const kind of ['request', 'answer'] as const) add(-own[kind], kind);
        },
      };
    },
  };
}
