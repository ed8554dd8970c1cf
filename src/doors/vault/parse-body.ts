import type { z } from 'zod';
import { AppError } from '#kernel/errors.ts';
import type { Exchange } from '#src/gateway/door.ts';

/** Reads a JSON object of at most `limitBytes`; an empty body is an empty object. Throws `invalid`, `too_large`. */
export async function readJsonBody(
  { request, hold }: Pick<Exchange, 'request' | 'hold'>,
  limitBytes: number,
): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) throw new AppError('too_large', `The body is larger than ${limitBytes} bytes.`);
    hold(chunk.length);
    chunks.push(chunk);
  }
  if (sizeBytes === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
  } catch {
    // The parser's own message quotes the body, which may be a secret.
    throw new AppError('invalid', 'failed to parse JSON input');
  }
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new AppError('invalid', 'the body must be a JSON object');
  return value as Record<string, unknown>;
}

/** Parses a body by its schema; the error names the field and never its value. */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const missing = issue?.path.length === 1 && issue.path[0] === 'versions';
  if (missing) throw new AppError('invalid', 'no version number provided');
  throw new AppError('invalid', `${issue?.path.join('.') || 'body'}: ${issue?.message ?? 'is not valid'}`);
}
