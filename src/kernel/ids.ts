import { randomBytes } from 'node:crypto';

/** Makes new identifiers; injected so that tests can make them predictable. */
export type Ids = { next(prefix: string): string };

const ID_BYTES = 16;
const POOL_BYTES = 4096;

/** Unguessable ids: a prefix, a dash and 128 random bits in lower-case hex (`sb-…`, `req-…`). */
export const randomIds: Ids = createRandomIds();

/** Random bits are fetched for many ids at once: a system call for each would be most of its cost. None is used twice. */
function createRandomIds(): Ids {
  let pool = Buffer.alloc(0);
  let at = 0;
  return {
    next: (prefix) => {
      if (at === pool.length) {
        pool = randomBytes(POOL_BYTES);
        at = 0;
      }
      const id = pool.toString('hex', at, at + ID_BYTES);
      at += ID_BYTES;
      return `${prefix}-${id}`;
    },
  };
}
