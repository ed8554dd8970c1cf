import type { IncomingMessage } from 'node:http';
import type { Conditions } from '#src/objects/object.ts';
import type { RangeRequest } from '#src/objects/range.ts';
import { wireError } from './s3-error.ts';
import { parseQuery, type SignedRequest, uriDecode } from './signature.ts';

/** A request of the S3 API, its URL taken apart: no bucket is the service, no key is the bucket. */
export type S3Request = {
  signed: SignedRequest;
  method: string;
  bucket: string;
  key: string;
  query: Map<string, string>;
  headers: Map<string, string>;
};

const VIRTUAL_HOST = /^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.localhost(?::\d+)?$/;

/** Takes a request apart; path style, and `BUCKET.localhost` as host. */
export function readRequest(message: IncomingMessage): S3Request {
  const url = message.url ?? '/';
  const at = url.indexOf('?');
  const path = at < 0 ? url : url.slice(0, at);
  const queryText = at < 0 ? '' : url.slice(at + 1);
  const headers = joinHeaders(message.rawHeaders);
  const method = message.method ?? 'GET';
  const virtual = VIRTUAL_HOST.exec(headers.get('host') ?? '')?.[1];
  const decoded = uriDecode(path.startsWith('/') ? path.slice(1) : path);
  const slash = decoded.indexOf('/');
  const [first, rest] = slash < 0 ? [decoded, ''] : [decoded.slice(0, slash), decoded.slice(slash + 1)];
  if (virtual === undefined && first === '' && rest !== '') {
    throw wireError('InvalidBucketName', 'The path begins with two slashes: it names an object, and no bucket.');
  }
  return {
    signed: { method, path, query: queryText, headers },
    method,
    bucket: virtual ?? first,
    key: virtual === undefined ? rest : decoded,
    query: new Map(parseQuery(queryText)),
    headers,
  };
}

/** Headers by lower-case name; what comes more than once is joined by a comma. */
function joinHeaders(raw: string[]): Map<string, string> {
  const headers = new Map<string, string>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    const value = raw[at + 1] ?? '';
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before},${value}`);
  }
  return headers;
}

/** A whole number of the query, or the default. */
export function wholeNumber(request: S3Request, name: string, standard: number, most: number): number {
  const text = request.query.get(name);
  if (text === undefined || text === '') return standard;
  const value = Number(text);
  if (!/^\d{1,10}$/.test(text) || value > 2_147_483_647) {
    throw wireError('InvalidArgument', `"${name}" is not a whole number from 0 to 2147483647.`);
  }
  return Math.min(value, most);
}

/** `bytes=A-B`, `bytes=A-`, `bytes=-N`; anything else (several ranges, other units) means the whole, as RFC 9110 section 14.2 lets one. */
export function readRange(text: string | undefined): RangeRequest | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(text?.trim() ?? '');
  const [first, last] = [match?.[1] ?? '', match?.[2] ?? ''];
  if (match === null || (first === '' && last === '')) return undefined;
  if (first === '') return { suffixBytes: Number(last) };
  if (last === '') return { start: Number(first) };
  return Number(last) < Number(first) ? undefined : { start: Number(first), end: Number(last) };
}

/** The conditions of a request; `prefix` is that of a copy's source. */
export function readConditions(headers: Map<string, string>, prefix = ''): Conditions | undefined {
  const ifMatch = etagsOf(headers.get(`${prefix}if-match`));
  const ifNoneMatch = etagsOf(headers.get(`${prefix}if-none-match`));
  const ifModifiedSinceMs = dateOf(headers.get(`${prefix}if-modified-since`));
  const ifUnmodifiedSinceMs = dateOf(headers.get(`${prefix}if-unmodified-since`));
  const conditions: Conditions = {
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(ifNoneMatch === undefined ? {} : { ifNoneMatch }),
    ...(ifModifiedSinceMs === undefined ? {} : { ifModifiedSinceMs }),
    ...(ifUnmodifiedSinceMs === undefined ? {} : { ifUnmodifiedSinceMs }),
  };
  return Object.keys(conditions).length === 0 ? undefined : conditions;
}

const etagsOf = (text: string | undefined): string[] | undefined =>
  text?.split(',').map((one) =>
    one
      .trim()
      .replace(/^W\//, '')
      .replace(/^"(.*)"$/, '$1'),
  );

/** A date that cannot be read is no condition (RFC 9110 section 13.1.3). */
function dateOf(text: string | undefined): number | undefined {
  const at = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}

const OVERRIDES = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
];
/** What a header of HTTP/1.1 can hold: printable ISO-8859-1, and tabs. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The headers of the answer that a GET or HEAD asks for (`response-content-type` and its like); throws InvalidArgument. */
export function readOverrides(request: S3Request): [string, string][] {
  return OVERRIDES.flatMap((name): [string, string][] => {
    const value = request.query.get(`response-${name}`);
    if (value === undefined) return [];
    if (!HEADER_VALUE.test(value))
      throw wireError('InvalidArgument', `"response-${name}" is not printable ISO-8859-1, as a header has to be.`);
    return [[name, value]];
  });
}
