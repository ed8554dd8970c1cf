/** A REST route as data: what validates is what the OpenAPI document says, and no route exists without its policy action. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import type { CrossingRequest, Identity } from '#src/gateway/crossing.ts';
import type { ResourceKind } from '#src/policies/decision.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A crossing of the API: identity, door, request id and action come from the route. */
export type ApiCross = <T>(
  request: Pick<CrossingRequest<T>, 'object' | 'ask' | 'act'> &
    Partial<Pick<CrossingRequest<T>, 'action' | 'onCommitted'>>,
) => Promise<T>;

export type RouteRequest<P, Q, B> = {
  params: P;
  query: Q;
  body: B;
  identity: Identity;
  requestId: string;
  /** Every handler crosses at least once; an answer without an audit entry is never sent. */
  cross: ApiCross;
  /** Aborted when the client goes away. */
  signal: AbortSignal;
  /** The raw exchange, for bodies that stream. */
  raw: { request: IncomingMessage; response: ServerResponse };
};

export type Route<P = unknown, Q = unknown, B = unknown, R = unknown> = {
  method: Method;
  /** `/api/v1/sandboxes/:id`; a last segment `*name` takes the rest of the path. */
  path: string;
  /** The policy action (`sandbox.create`): part of the input of every decision of this route. */
  action: string;
  /** The kind of resource that the action is mainly about. */
  resource: ResourceKind;
  summary: string;
  params: z.ZodType<P> | undefined;
  query: z.ZodType<Q> | undefined;
  body: z.ZodType<B> | undefined;
  /** `stream` when the handler writes the response itself. */
  response: z.ZodType<R> | 'stream';
  /** What one line of a stream holds that consists of JSON lines. */
  line?: z.ZodType;
  status: 200 | 201 | 202 | 204;
  /** `raw`: the handler reads the request's body as a stream. */
  bodyKind: 'json' | 'raw';
  handle(request: RouteRequest<P, Q, B>): Promise<R | undefined>;
};

type RouteOptions<P, Q, B, R> = Omit<Route<P, Q, B, R>, 'params' | 'query' | 'body' | 'status' | 'bodyKind'> & {
  params?: z.ZodType<P>;
  query?: z.ZodType<Q>;
  body?: z.ZodType<B>;
  status?: Route['status'];
  bodyKind?: Route['bodyKind'];
};

/** Declares a route; types of params, query and body follow from their schemas. */
export function route<P = Record<string, never>, Q = Record<string, never>, B = undefined, R = unknown>(
  options: RouteOptions<P, Q, B, R>,
): Route {
  const declared: Route<P, Q, B, R> = {
    ...options,
    params: options.params,
    query: options.query,
    body: options.body,
    status: options.status ?? 200,
    bodyKind: options.bodyKind ?? 'json',
  };
  // The server validates with these very schemas before it calls, so the erased types are the ones that arrive.
  return declared as unknown as Route;
}

/** One page of a list: `next` is the cursor for the following one. */
export type Page<T> = { items: T[]; next: string | null };
