import { randomBytes } from 'node:crypto';

const POOL_BYTES = 4096;

/** Sixteen random bytes, secret and used once. They are fetched for many at once: a system call for each would be most of its cost. */
export const sixteenRandomBytes: () => Buffer = createPool(16);

function createPool(bytes: number): () => Buffer {
  let pool = Buffer.alloc(0);
  let at = 0;
  return () => {
    if (at === pool.length) {
      pool = randomBytes(POOL_BYTES);
      at = 0;
    }
    at += bytes;
    return pool.subarray(at - bytes, at);
  };
}
