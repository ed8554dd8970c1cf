import { type ClientRequest, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError, ERROR_CODES, type ErrorCode } from '#kernel/errors.ts';
import { formatTraceparent, newContext, type SpanContext } from '#src/telemetry/traceparent.ts';
import type { Connection } from './connection.ts';

export type Query = Record<string, string | number | boolean | string[] | undefined>;

export type Api = {
  /** Sends one request and gives the parsed answer; throws the server's error as an AppError. */
  send<T = Record<string, unknown>>(
    method: string,
    path: string,
    options?: { query?: Query; body?: unknown },
  ): Promise<T>;
  /** Sends bytes, gives the parsed answer. */
  upload<T = Record<string, unknown>>(
    method: string,
    path: string,
    options: { query?: Query; content: Readable; type?: string },
  ): Promise<T>;
  /** Asks for a stream of bytes; with a body, by POST. */
  download(path: string, options?: { query?: Query; body?: unknown }): Promise<Readable>;
  /** Where and as whom this speaks. */
  connection(): Connection;
  /** Headers that every request of this call carries: its trace. */
  readonly trace: Record<string, string>;
};

/** Joins a path out of segments, each encoded. */
export const at = (...segments: string[]): string => `/api/v1/${segments.map(encodeURIComponent).join('/')}`;

/** The REST client; the connection is looked up at the first request. Every request is a part of the trace at `context`. */
export function createApi(find: () => Connection, context: SpanContext = newContext(undefined)): Api {
  const trace = { traceparent: formatTraceparent(context) };
  let found: Connection | undefined;
  const connection = (): Connection => {
    found ??= find();
    return found;
  };
  const open = async (
    method: string,
    path: string,
    options: { query?: Query; content?: Readable | string; type?: string },
  ) => {
    const { url, token } = connection();
    const target = new URL(url + path + queryText(options.query));
    const headers: Record<string, string> = { accept: 'application/json', ...trace };
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (options.content !== undefined) headers['content-type'] = options.type ?? 'application/octet-stream';
    if (typeof options.content === 'string') headers['content-length'] = String(Buffer.byteLength(options.content));
    const answer = await exchange(target, { method, headers }, options.content);
    if ((answer.statusCode ?? 500) >= 400) throw await errorOf(answer);
    return answer;
  };
  return {
    connection,
    trace,
    send: async (method, path, { query, body } = {}) => {
      const content = body === undefined ? undefined : JSON.stringify(body);
      return parse(await open(method, path, withDefined({ query, content, type: 'application/json' })));
    },
    upload: async (method, path, options) => parse(await open(method, path, options)),
    download: (path, { query, body } = {}) => {
      const content = body === undefined ? undefined : JSON.stringify(body);
      const method = body === undefined ? 'GET' : 'POST';
      return open(method, path, withDefined({ query, content, type: 'application/json' }));
    },
  };
}

type Sending = { query?: Query; content?: Readable | string; type?: string };
const withDefined = (members: { [K in keyof Sending]: Sending[K] | undefined }): Sending =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));

function queryText(query: Query | undefined): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) search.append(name, String(one));
  }
  return search.size === 0 ? '' : `?${search}`;
}

async function exchange(
  url: URL,
  options: RequestOptions,
  content: Readable | string | undefined,
): Promise<IncomingMessage> {
  const request = url.protocol === 'https:' ? (await import('node:https')).request : httpRequest;
  return new Promise((resolve, reject) => {
    const sent: ClientRequest = request(url, options, resolve);
    sent.on('error', (error: NodeJS.ErrnoException) => reject(unreachable(url, error)));
    if (content === undefined || typeof content === 'string') sent.end(content);
    else pipeline(content, sent).catch((error) => reject(error));
  });
}

function unreachable(url: URL, error: NodeJS.ErrnoException): AppError {
  return new AppError('unavailable', `${url.origin} cannot be reached (${error.code ?? error.message}).`, {
    details: { hint: 'Is it running? See "fumehood status"; start it with "fumehood up --detach".' },
    cause: error,
  });
}

async function readAll(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

async function parse<T>(answer: IncomingMessage): Promise<T> {
  const text = await readAll(answer);
  return (text === '' ? {} : JSON.parse(text)) as T;
}

/** The error inside a problem+json answer; an answer of another form is named as such. */
async function errorOf(answer: IncomingMessage): Promise<AppError> {
  const requestId = String(answer.headers['x-request-id'] ?? '');
  try {
    const problem = JSON.parse(await readAll(answer)) as Record<string, unknown>;
    const code = Object.hasOwn(ERROR_CODES, String(problem.code)) ? (problem.code as ErrorCode) : 'internal';
    const { hint, decisionId, fields } = problem;
    return new AppError(code, String(problem.detail ?? 'The server gave no reason.'), {
      details: {
        requestId: problem.requestId ?? requestId,
        ...(typeof hint === 'string' ? { hint } : {}),
        ...(typeof decisionId === 'string' ? { decisionId } : {}),
        ...(fields === undefined ? {} : { fields }),
      },
    });
  } catch {
    return new AppError('unavailable', `The server answered ${answer.statusCode} in a form that is not Fumehood's.`, {
      details: { requestId, hint: 'Check FUMEHOOD_URL: it must be the address of a control plane.' },
    });
  }
}
