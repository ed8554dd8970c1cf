import { z } from 'zod';
import { AppError } from '#kernel/errors.ts';

/** The query parameters of every list: `limit` (1 to 1000, default 100) and the `cursor` of the page before. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z.string().max(2048).optional(),
};

/** The schema of one page of a list. */
export const pageOf = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item), next: z.string().nullable() });

/** A cursor: the key of the last item of a page, opaque to clients. */
export const encodeCursor = (key: readonly (string | number)[]): string =>
  Buffer.from(JSON.stringify(key)).toString('base64url');

/** The key inside a cursor; `invalid` when it is none of ours. */
export function decodeCursor(cursor: string): (string | number)[] {
  try {
    const key: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(key) && key.every((part) => typeof part === 'string' || typeof part === 'number')) return key;
  } catch {
    // Said below.
  }
  throw new AppError('invalid', 'The cursor is not one that a list gave out.', {
    details: { field: 'query.cursor', hint: 'Start again without a cursor.' },
  });
}

/** A parameter that may be given once or several times. */
export const manyOf = <T extends z.ZodType>(item: T) =>
  z.preprocess((value) => (value === undefined || Array.isArray(value) ? value : [value]), z.array(item));
