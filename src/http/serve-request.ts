import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppError } from '#kernel/errors.ts';
import { yieldLongTurn } from '#kernel/long-turn.ts';
import type { Gateway, Identity } from '#src/gateway/crossing.ts';
import type { Answer, Idempotency } from './idempotency.ts';
import { parseJson, parsePart, queryObject, readBody } from './parse-request.ts';
import { renderAnswer } from './render-answer.ts';
import { DOOR, type Refuse } from './request-context.ts';
import type { ApiCross, Route } from './route.ts';
import type { CrossingWatch } from './watch-crossings.ts';

/** What is known of a request once it has a route and an identity. */
export type Arrived = {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  route: Route;
  pathParams: Record<string, string>;
  identity: Identity;
  requestId: string;
};

/** The crossing of one request, with what the route knows filled in. */
export function crossOf(
  gateway: Pick<Gateway, 'cross'>,
  by: { identity: Identity; requestId: string; action: string },
): ApiCross {
  return (request) => gateway.cross({ ...by, door: DOOR, ...request });
}

/** Parses, lets the route's handler cross, and answers. Throws what the caller renders as a problem. */
export async function serveRequest(
  deps: { gateway: Pick<Gateway, 'cross'>; crossings: CrossingWatch; idempotency: Idempotency; refuse: Refuse },
  arrived: Arrived,
): Promise<void> {
  const { request, response, route, identity } = arrived;
  const { params, query, bytes, body } = await parse(arrived).catch((thrown) =>
    deps.refuse(thrown, route.action, identity),
  );

  const { requestId } = arrived;
  const crossed = (): boolean => deps.crossings.crossed(requestId);
  const cross = crossOf(deps.gateway, { identity, requestId, action: route.action });
  if (route.response === 'stream') guardStream(response, route, crossed);
  const work = async (): Promise<Answer> => {
    const result = await route.handle({
      params,
      query,
      body,
      identity,
      requestId,
      cross,
      signal: goneSignal(response),
      raw: { request, response },
    });
    if (!crossed()) throw uncrossed(route);
    if (route.response === 'stream') return { status: response.statusCode, body: null };
    return { status: route.status, body: route.status === 204 ? null : await renderAnswer(route.response, result) };
  };
  const answer = await once(deps.idempotency, arrived, bytes, work);
  if (route.response !== 'stream') send(response, answer);
  else if (!response.headersSent) throw new AppError('internal', 'Something went wrong inside Fumehood.');
}

async function parse({ request, route, url, pathParams }: Arrived) {
  const params = parsePart('path', route.params, route.params === undefined ? {} : pathParams);
  const query = parsePart('query', route.query, queryObject(url.searchParams));
  if (route.bodyKind === 'raw') return { params, query, bytes: Buffer.alloc(0), body: undefined };
  const bytes = await readBody(request);
  await yieldLongTurn();
  return { params, query, bytes, body: parseBody(route, request, bytes) };
}

/** Answers that hold a secret which is shown once are never kept for a repeat. */
const SECRET_ANSWERS: ReadonlySet<string> = new Set(['token', 'user', 'secret', 'port']);

function once(idempotency: Idempotency, arrived: Arrived, body: Buffer, work: () => Promise<Answer>): Promise<Answer> {
  const key = arrived.request.headers['idempotency-key'];
  const { route } = arrived;
  if (key === undefined || route.method !== 'POST' || route.response === 'stream') return work();
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(key))
    throw new AppError('invalid', 'The Idempotency-Key must be 1 to 128 visible ASCII characters.', {
      details: { field: 'idempotency-key' },
    });
  if (route.bodyKind === 'raw')
    throw new AppError('invalid', 'This route takes no Idempotency-Key, because its body is a stream.', {
      details: { field: 'idempotency-key', hint: 'Send it without the key.' },
    });
  const at = { user: arrived.identity.user, route: `${route.method} ${arrived.url.pathname}`, key };
  return idempotency.once({ ...at, body, secret: SECRET_ANSWERS.has(route.resource) }, work);
}

function parseBody(route: Route, request: IncomingMessage, bytes: Buffer): unknown {
  const value = parseJson(request.headers['content-type'], bytes);
  if (route.body === undefined) return parsePart('body', undefined, value);
  return parsePart('body', route.body, value === undefined ? {} : value);
}

function send(response: ServerResponse, answer: Answer): void {
  response.statusCode = answer.status;
  if (answer.body === null) {
    response.end();
    return;
  }
  response.setHeader('content-type', 'application/json');
  response.setHeader('content-length', Buffer.byteLength(answer.body));
  response.end(answer.body);
}

const uncrossed = (route: Route): Error => new Error(`${route.method} ${route.path} answered without a crossing`);

/** A handler that writes the response itself cannot send its first byte before it has crossed. */
function guardStream(response: ServerResponse, route: Route, crossed: () => boolean): void {
  const original = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse;
  response.writeHead = ((...args: unknown[]) => {
    if (!crossed()) {
      response.destroy();
      throw uncrossed(route);
    }
    return original(...args);
  }) as typeof response.writeHead;
}

function goneSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort(new AppError('unavailable', 'The client went away.'));
  });
  return controller.signal;
}
