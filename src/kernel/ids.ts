import { sixteenRandomBytes } from './random-bytes.ts';

/** Makes new identifiers; injected so that tests can make them predictable. */
export type Ids = { next(prefix: string): string };

/** Unguessable ids: a prefix, a dash and 128 random bits in lower-case hex (`sb-…`, `req-…`). */
export const randomIds: Ids = { next: (prefix) => `${prefix}-${sixteenRandomBytes().toString('hex')}` };
