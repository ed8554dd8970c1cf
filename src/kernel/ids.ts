import { sixteenRandomBytes } from './random-bytes.ts';

/** Makes new identifiers; injected so that tests can make them predictable. */
export type Ids = { next(prefix: string): string };

/** Rows that are made with nearly every crossing. */
const NEIGHBOURS: ReadonlySet<string> = new Set(['dec', 'content']);

/** Unguessable ids: a prefix, a dash and 128 bits in lower-case hex (`sb-…`, `req-…`), random but for those of `NEIGHBOURS`. */
export const randomIds: Ids = {
  next: (prefix) => `${prefix}-${NEIGHBOURS.has(prefix) ? neighbouringHex() : sixteenRandomBytes().toString('hex')}`,
};

/**
 * Sixteen bytes in hex, of which the first three are the time in ms (they begin anew every 4.7 hours) and the rest is random. What is made together is
 * together in an index too, where wholly random ids each change a page of their own.
 */
export function neighbouringHex(nowMs = Date.now()): string {
  const bytes = Buffer.from(sixteenRandomBytes());
  bytes.writeUIntBE(nowMs % 2 ** 24, 0, 3);
  return bytes.toString('hex');
}
