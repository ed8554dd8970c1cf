/** How many bytes of request bodies one peer may have in memory at once, over all doors: what waits for its end is held, and not by others. */
import { AppError } from '#kernel/errors.ts';
import type { Peer } from './door.ts';

export type BodyHold = {
  /** These bytes of a body are kept in memory. Throws `too_many_requests` when the peer has its fill. */
  hold(bytes: number): void;
  /** The request is over. */
  release(): void;
};

export type BodyBudget = { open(peer: Peer): BodyHold };

const SANDBOX_BYTES = 48 * 1024 * 1024;
/** All people and services outside of sandboxes together. */
const EXTERNAL_BYTES = 256 * 1024 * 1024;

export function createBodyBudget(options: { sandboxBytes?: number; externalBytes?: number } = {}): BodyBudget {
  const held = new Map<string, number>();
  return {
    open: (peer) => {
      const name = peer.kind === 'sandbox' ? peer.sandboxId : '';
      const most =
        peer.kind === 'sandbox' ? (options.sandboxBytes ?? SANDBOX_BYTES) : (options.externalBytes ?? EXTERNAL_BYTES);
      let own = 0;
      const add = (bytes: number): void => {
        own += bytes;
        const sum = (held.get(name) ?? 0) + bytes;
        if (sum > 0) held.set(name, sum);
        else held.delete(name);
      };
      return {
        hold: (bytes) => {
          if ((held.get(name) ?? 0) + bytes > most)
            throw new AppError(
              'too_many_requests',
              `Bodies of over ${most / 1024 / 1024} MiB are being sent at once.`,
              {
                details: { hint: 'Send fewer or smaller requests at once.' },
              },
            );
          add(bytes);
        },
        release: () => add(-own),
      };
    },
  };
}
