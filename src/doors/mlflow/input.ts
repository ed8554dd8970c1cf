/** Reads the fields of a request, as protobuf's JSON has them: int64 as number or text, doubles also as `"NaN"`, unknown fields ignored. */
import { AppError } from '#kernel/errors.ts';
import type { Pair } from '#src/tracking/run.ts';

/** A JSON object, or a query whose fields are texts and lists of texts. */
export type Input = Record<string, unknown>;

const missing = (name: string): AppError =>
  new AppError(
    'invalid',
    `Missing value for required parameter '${name}'. See the API docs for more information about request parameters.`,
    {
      details: { field: name },
    },
  );
const wrong = (name: string, what: string): AppError =>
  new AppError('invalid', `Invalid value for parameter '${name}' supplied: it must be ${what}.`, {
    details: { field: name },
  });

/** A text, or `''` when it is not given. */
export function text(input: Input, name: string): string {
  const value = input[name];
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  throw wrong(name, 'a string');
}

/** A text that must be there and not be empty. */
export function requiredText(input: Input, name: string): string {
  const value = text(input, name);
  if (value === '') throw missing(name);
  return value;
}

/** The run of a request; older clients call it `run_uuid`. */
export const runId = (input: Input): string => text(input, 'run_id') || requiredText(input, 'run_uuid');

/** A whole number, or undefined when it is not given. */
export function integer(input: Input, name: string): number | undefined {
  const value = input[name];
  if (value === undefined || value === null || value === '') return undefined;
  const number = typeof value === 'string' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw wrong(name, 'an integer');
  return number;
}

/** A number, also NaN and the infinities. */
export function double(input: Input, name: string): number {
  const value = input[name];
  if (typeof value === 'number') return value;
  if (value === undefined || value === null) throw missing(name);
  if (value === 'NaN') return Number.NaN;
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
  if (Number.isNaN(number)) throw wrong(name, 'a number');
  return number;
}

/** True for `true` and `"true"`. */
export const flag = (input: Input, name: string): boolean => input[name] === true || input[name] === 'true';

/** The objects of a list, or none. */
export function objects(input: Input, name: string): Input[] {
  const value = input[name] ?? [];
  if (!Array.isArray(value) || value.some((one) => typeof one !== 'object' || one === null || Array.isArray(one)))
    throw wrong(name, 'a list of objects');
  return value;
}

/** The texts of a list, or none; a query gives one text as itself. */
export function texts(input: Input, name: string): string[] {
  const value = input[name] ?? [];
  const list = Array.isArray(value) ? value : [value];
  if (list.some((one) => typeof one !== 'string' && typeof one !== 'number')) throw wrong(name, 'a list of strings');
  return list.map(String);
}

/** Keys with their values. */
export const pairs = (input: Input, name: string): Pair[] =>
  objects(input, name).map((one) => ({ key: requiredText(one, 'key'), value: text(one, 'value') }));

/** How many results: at least one, at most `most`. */
export function limit(input: Input, standard: number, most: number): number {
  const value = integer(input, 'max_results') ?? standard;
  if (value < 1 || value > most)
    throw new AppError(
      'invalid',
      `Invalid value for parameter 'max_results' supplied: it must be at least 1 and at most ${most}, but got ${value}.`,
      {
        details: { field: 'max_results' },
      },
    );
  return value;
}

/** The offset that a page token stands for. Throws `invalid`. */
export function offsetOf(token: string): number {
  if (token === '') return 0;
  try {
    const { offset } = JSON.parse(Buffer.from(token, 'base64').toString('utf8')) as { offset?: unknown };
    if (typeof offset === 'number' && Number.isSafeInteger(offset) && offset >= 0) return offset;
  } catch {
    // Said below.
  }
  throw new AppError('invalid', 'Invalid page token, could not base64-decode it.', {
    details: { field: 'page_token' },
  });
}

/** The field of the next page, where there is one. */
export const nextPage = (offset: number | undefined): { next_page_token?: string } =>
  offset === undefined ? {} : { next_page_token: Buffer.from(JSON.stringify({ offset })).toString('base64') };
