import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { AppError } from '#kernel/errors.ts';

const JSON_LIMIT_BYTES = 1024 * 1024;
const BODY_TIMEOUT_MS = 30_000;

type Part = 'path' | 'query' | 'body';
type Wrong = { field: string; message: string };

/** Parses one part of a request by its schema; `invalid` lists every field that is wrong. Keys that the schema does not know are wrong too. */
export function parsePart<T>(part: Part, schema: z.ZodType<T> | undefined, value: unknown): T {
  const wrong: Wrong[] = unknownKeys(part, schema, value);
  if (schema === undefined) {
    if (wrong.length > 0) throw invalid(wrong);
    return undefined as T;
  }
  const parsed = schema.safeParse(value);
  if (parsed.success && wrong.length === 0) return parsed.data;
  for (const issue of parsed.error?.issues ?? [])
    wrong.push({ field: [part, ...issue.path.map(String)].join('.'), message: issue.message });
  throw invalid(wrong);
}

/** The error for input that breaks its schema, with the first field in the message and all of them in the details. */
export function invalid(wrong: Wrong[]): AppError {
  const [first] = wrong;
  const more = wrong.length > 1 ? ` (and ${wrong.length - 1} more)` : '';
  return new AppError('invalid', `${first?.field ?? 'request'}: ${first?.message ?? 'is not valid'}${more}`, {
    details: {
      field: first?.field ?? 'request',
      fields: wrong,
      hint: wrong.length > 1 ? `Correct ${wrong.map((one) => one.field).join(', ')} and send it again.` : undefined,
    } as AppError['details'],
  });
}

function unknownKeys(part: Part, schema: z.ZodType | undefined, value: unknown): Wrong[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  const keys = Object.keys(value);
  if (schema === undefined) return keys.map((key) => unknownKey(part, key));
  if (!('shape' in schema) || typeof schema.shape !== 'object' || schema.shape === null) return [];
  const { shape } = schema;
  // A schema that says what to do with further keys (loose, catchall) has its way.
  const definition = schema.def as { catchall?: unknown };
  if (definition.catchall !== undefined) return [];
  return keys.filter((key) => !Object.hasOwn(shape, key)).map((key) => unknownKey(part, key));
}

const unknownKey = (part: Part, key: string): Wrong => ({
  field: `${part}.${key}`,
  message: part === 'query' ? 'is not a parameter of this route' : 'is not a field of this route',
});

/** The query as an object; a parameter that is given several times becomes a list. */
export function queryObject(search: URLSearchParams): Record<string, string | string[]> {
  const query: Record<string, string | string[]> = {};
  for (const key of new Set(search.keys())) {
    const values = search.getAll(key);
    Object.defineProperty(query, key, { value: values.length === 1 ? values[0] : values, enumerable: true });
  }
  return query;
}

/** Reads a body of at most 1 MiB; throws `too_large`, or `timeout` when it does not arrive within 30 s. */
export async function readBody(request: IncomingMessage, limitBytes: number = JSON_LIMIT_BYTES): Promise<Buffer> {
  const tooLarge = new AppError('too_large', `The body is larger than ${limitBytes} bytes.`);
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw tooLarge;
  const timer = setTimeout(() => request.destroy(new AppError('timeout', 'The body did not arrive.')), BODY_TIMEOUT_MS);
  try {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) throw tooLarge;
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } finally {
    clearTimeout(timer);
  }
}

/** The JSON value of a body; undefined for an empty one. Other content types are refused, which also stops forms sent by foreign pages. */
export function parseJson(contentType: string | undefined, bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  if (!/^application\/([a-z0-9.+-]+\+)?json\s*(;|$)/i.test(contentType ?? ''))
    throw new AppError('invalid', 'The body must be JSON.', {
      details: { field: 'content-type', hint: 'Send it with the header "Content-Type: application/json".' },
    });
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new AppError('invalid', `The body is not JSON: ${error instanceof Error ? error.message : 'unreadable'}.`, {
      details: { field: 'body' },
    });
  }
}
