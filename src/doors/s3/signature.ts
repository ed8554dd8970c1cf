/** AWS Signature Version 4 as the server computes it (AWS Signature Version 4 for API requests, "Create a signed AWS API request"). */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { ChunkSigning } from './aws-chunked.ts';
import { wireError } from './s3-error.ts';

/** What of a request is signed. `path` is as sent, `query` as sent without the question mark. */
export type SignedRequest = { method: string; path: string; query: string; headers: Map<string, string> };

/** What a request says about its signature. */
export type Credential = {
  accessKeyId: string;
  /** `20260101/us-east-1/s3/aws4_request` */
  scope: string;
  /** `20260101T000000Z` */
  date: string;
  signedHeaders: string[];
  signature: string;
  /** Presigned URLs: for how many seconds. */
  expiresSeconds: number | undefined;
};

const ALGORITHM = 'AWS4-HMAC-SHA256';
const HEADER =
  /^AWS4-HMAC-SHA256\s+Credential=([^,\s]+)\s*,\s*SignedHeaders=([^,\s]+)\s*,\s*Signature=([0-9a-f]{64})\s*$/;
const DATE = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/;
const SCOPE = /^\d{8}\/[^/]*\/s3\/aws4_request$/;
const LONGEST_SECONDS = 604_800;
const SKEW_MS = 15 * 60 * 1000;

const hmac = (key: Uint8Array | string, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Percent-encoding of everything but A-Z a-z 0-9 - . _ ~ (and the slash, when kept). */
export function uriEncode(text: string, keepSlash = false): string {
  const encoded = encodeURIComponent(text).replace(
    /[!'()*]/g,
    (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return keepSlash ? encoded.replaceAll('%2F', '/') : encoded;
}

/** Decodes percent-encoding; throws InvalidURI where it is not UTF-8. */
export function uriDecode(text: string): string {
  try {
    const decoded = decodeURIComponent(text);
    if (decoded.isWellFormed()) return decoded;
  } catch {
    // Said below.
  }
  throw wireError('InvalidURI', 'The URL cannot be decoded: it is not percent-encoded UTF-8.');
}

/** Names and values of a query, decoded, in the order they were sent. */
export function parseQuery(query: string): [string, string][] {
  if (query === '') return [];
  return query.split('&').map((pair) => {
    const at = pair.indexOf('=');
    const [name, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
    return [uriDecode(name.replaceAll('+', '%20')), uriDecode(value.replaceAll('+', '%20'))];
  });
}

/** The credential of the Authorization header or of a presigned URL; undefined when there is neither. */
export function readCredential(request: SignedRequest): Credential | undefined {
  const header = request.headers.get('authorization');
  const query = new Map(parseQuery(request.query));
  if (header === undefined) return query.has('X-Amz-Algorithm') ? readPresigned(query) : undefined;
  const match = HEADER.exec(header);
  if (match === null) {
    throw wireError(
      'AuthorizationHeaderMalformed',
      'The Authorization header is not that of Signature Version 4.',
      'Let the client sign with AWS4-HMAC-SHA256 (in boto3: signature_version="s3v4").',
    );
  }
  const [accessKeyId, scope] = splitCredential(match[1] ?? '');
  return {
    accessKeyId,
    scope,
    date: checkedDate(request.headers.get('x-amz-date')),
    signedHeaders: (match[2] ?? '').split(';'),
    signature: match[3] ?? '',
    expiresSeconds: undefined,
  };
}

function readPresigned(query: Map<string, string>): Credential {
  const expires = Number(query.get('X-Amz-Expires') ?? Number.NaN);
  const known = query.get('X-Amz-Algorithm') === ALGORITHM && Number.isInteger(expires);
  if (!known || expires < 1 || expires > LONGEST_SECONDS) {
    throw wireError(
      'AuthorizationQueryParametersError',
      'The signature of this URL cannot be read, or is valid for over a week.',
    );
  }
  const [accessKeyId, scope] = splitCredential(query.get('X-Amz-Credential') ?? '');
  return {
    accessKeyId,
    scope,
    date: checkedDate(query.get('X-Amz-Date')),
    signedHeaders: (query.get('X-Amz-SignedHeaders') ?? '').split(';'),
    signature: query.get('X-Amz-Signature') ?? '',
    expiresSeconds: expires,
  };
}

function splitCredential(credential: string): [string, string] {
  const at = credential.indexOf('/');
  const scope = credential.slice(at + 1);
  if (at < 1 || !SCOPE.test(scope)) {
    throw wireError('AuthorizationHeaderMalformed', 'The credential is not KEY/DATE/REGION/s3/aws4_request.');
  }
  return [credential.slice(0, at), scope];
}

function checkedDate(date: string | undefined): string {
  if (date !== undefined && DATE.test(date)) return date;
  throw wireError('AccessDenied', 'A signed request needs a date in the form 20260131T235959Z (x-amz-date).');
}

/** Refuses a request that is too old, too new, expired, or dated other than its scope. */
export function checkTime(credential: Credential, nowMs: number): void {
  const at = Date.parse(credential.date.replace(DATE, '$1-$2-$3T$4:$5:$6Z'));
  if (Number.isNaN(at) || credential.scope.slice(0, 8) !== credential.date.slice(0, 8)) {
    throw wireError('AuthorizationHeaderMalformed', 'The date of the credential is not that of the request.');
  }
  const { expiresSeconds } = credential;
  if (expiresSeconds !== undefined && nowMs > at + expiresSeconds * 1000) {
    throw wireError('AccessDenied', 'Request has expired.', 'Make a new presigned URL.');
  }
  if (at > nowMs + SKEW_MS || (expiresSeconds === undefined && at < nowMs - SKEW_MS)) {
    throw wireError('RequestTimeTooSkewed', 'The clocks of client and server differ by more than 15 minutes.');
  }
}

/** The canonical form of a request; `payloadHash` is the value of x-amz-content-sha256. */
export function canonicalRequest(request: SignedRequest, signedHeaders: string[], payloadHash: string): string {
  const query = parseQuery(request.query)
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]): [string, string] => [uriEncode(name), uriEncode(value)])
    .sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : Number(x > y)) : a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  const headers = signedHeaders.map((name) => {
    const value = (request.headers.get(name) ?? '').trim().replace(/\s+/g, ' ');
    return `${name}:${value}\n`;
  });
  const path = uriEncode(uriDecode(request.path), true);
  return [request.method, path, query, headers.join(''), signedHeaders.join(';'), payloadHash].join('\n');
}

/** The key that signs under this scope. */
export function signingKey(secretAccessKey: string, scope: string): Buffer {
  return scope.split('/').reduce<Buffer>((key, part) => hmac(key, part), Buffer.from(`AWS4${secretAccessKey}`));
}

/** The signature of a request, hex. */
export function signRequest(
  request: SignedRequest,
  credential: Pick<Credential, 'signedHeaders' | 'date' | 'scope'>,
  payloadHash: string,
  key: Uint8Array,
): string {
  const canonical = canonicalRequest(request, credential.signedHeaders, payloadHash);
  return hmac(key, [ALGORITHM, credential.date, credential.scope, sha256(canonical)].join('\n')).toString('hex');
}

/** Throws SignatureDoesNotMatch unless the request carries the signature that its key gives, over host and all x-amz-* headers. */
export function verifyRequest(
  request: SignedRequest,
  credential: Credential,
  payloadHash: string,
  key: Uint8Array,
): void {
  const signed = new Set(credential.signedHeaders);
  const unsigned = [...request.headers.keys()].filter((name) => name.startsWith('x-amz-') && !signed.has(name));
  const harmless = credential.expiresSeconds === undefined ? [] : ['x-amz-content-sha256', 'x-amz-user-agent'];
  if (!signed.has('host') || unsigned.some((name) => !harmless.includes(name))) {
    throw wireError('AccessDenied', `There were headers that are not signed: ${unsigned.join(', ') || 'host'}.`);
  }
  expectSame(signRequest(request, credential, payloadHash, key), credential.signature);
}

function expectSame(computed: string, sent: string): void {
  const same = computed.length === sent.length && timingSafeEqual(Buffer.from(computed), Buffer.from(sent));
  if (same) return;
  throw wireError(
    'SignatureDoesNotMatch',
    'The signature is not the one that the secret key gives for this request.',
    'Check the secret key, and that nothing between client and server changes the request.',
  );
}

/** Checks the signatures of chunks, each over the one before, beginning with the request's own. */
export function chunkSigning(credential: Credential, key: Uint8Array): ChunkSigning {
  let previous = credential.signature;
  const check = (lines: string[], signature: string): void => {
    expectSame(hmac(key, lines.join('\n')).toString('hex'), signature);
    previous = signature;
  };
  const head = (kind: string): string[] => [`${ALGORITHM}-${kind}`, credential.date, credential.scope, previous];
  return {
    chunk: (digest, signature) => check([...head('PAYLOAD'), sha256(''), digest], signature),
    trailer: (digest, signature) => check([...head('TRAILER'), digest], signature),
  };
}
