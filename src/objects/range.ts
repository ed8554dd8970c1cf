import { AppError } from '#kernel/errors.ts';
import type { ByteSpan } from './blob.ts';

/** A range as asked for: from a first byte (to a last one, counted), or the last so many bytes. */
export type RangeRequest = { start: number; end?: number } | { suffixBytes: number };

/** The bytes that a range means in content of this size; throws `invalid` (`about: range`) when there is none. */
export function resolveRange(range: RangeRequest, sizeBytes: number): ByteSpan {
  const span =
    'suffixBytes' in range
      ? { start: Math.max(0, sizeBytes - range.suffixBytes), end: sizeBytes - 1 }
      : { start: range.start, end: Math.min(range.end ?? sizeBytes - 1, sizeBytes - 1) };
  if (span.start <= span.end && span.start < sizeBytes) return span;
  throw new AppError('invalid', `The range lies outside of the ${sizeBytes} bytes of the object.`, {
    details: { about: 'range', sizeBytes, hint: 'Ask for its size first.' },
  });
}

/** Which bytes of which piece make up a span of the whole. */
export function* cutSpan<T extends { sizeBytes: number }>(
  pieces: readonly T[],
  span: ByteSpan,
): Generator<{ piece: T; span: ByteSpan }, void, undefined> {
  let base = 0;
  for (const piece of pieces) {
    const start = Math.max(span.start - base, 0);
    const end = Math.min(span.end - base, piece.sizeBytes - 1);
    if (start <= end) yield { piece, span: { start, end } };
    base += piece.sizeBytes;
  }
}
