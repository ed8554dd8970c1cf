import { AppError } from '#kernel/errors.ts';

/** The last run of a page: what comes after it begins the next one. */
export type After = { value: number | string | null; startMs: number; id: string };

/** Where a page begins: at an offset of the whole order, or in one stage of it, after a run or at an offset. */
export type PageToken = { offset: number } | { stage: number; after: After } | { stage: number; offset: number };

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

/** Throws `invalid`. */
export function readPageToken(text: string): PageToken {
  try {
    const token = JSON.parse(Buffer.from(text, 'base64').toString('utf8')) as Record<string, unknown>;
    const { stage, offset, after } = token;
    if (stage === undefined && isCount(offset)) return { offset };
    if (isCount(stage) && isCount(offset)) return { stage, offset };
    if (isCount(stage) && isAfter(after)) return { stage, after };
  } catch {
    // Said below.
  }
  throw new AppError('invalid', 'Invalid page token, could not base64-decode it.');
}

function isAfter(value: unknown): value is After {
  if (typeof value !== 'object' || value === null) return false;
  const { value: sort, startMs, id } = value as Record<string, unknown>;
  const isSort = sort === null || typeof sort === 'string' || (typeof sort === 'number' && Number.isFinite(sort));
  return isSort && Number.isSafeInteger(startMs) && typeof id === 'string';
}

export const writePageToken = (token: PageToken): string => Buffer.from(JSON.stringify(token)).toString('base64');
