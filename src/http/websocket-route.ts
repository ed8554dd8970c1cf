import type { z } from 'zod';
import type { Identity } from '#src/gateway/crossing.ts';
import type { ResourceKind } from '#src/policies/decision.ts';
import type { ExecChannel } from './exec-stream.ts';
import type { ApiCross } from './route.ts';

export type WebSocketRequest<P, Q, S> = {
  params: P;
  query: Q;
  /** The client's first frame, parsed by the route's `start` schema. */
  start: S;
  identity: Identity;
  requestId: string;
  /** The handler crosses before it sends the first byte. */
  cross: ApiCross;
  /** Aborted when the client goes away. */
  signal: AbortSignal;
  channel: ExecChannel;
};

/** A route that becomes a stream of frames (`exec-stream.ts`): declared as a REST route is, always asked by GET. */
export type WebSocketRoute<P = unknown, Q = unknown, S = unknown> = {
  method: 'GET';
  path: string;
  action: string;
  resource: ResourceKind;
  summary: string;
  params: z.ZodType<P> | undefined;
  query: z.ZodType<Q> | undefined;
  start: z.ZodType<S>;
  /** Serves until the stream ends; an error that it throws goes to the client as an `error` frame. */
  handle(request: WebSocketRequest<P, Q, S>): Promise<void>;
};

type WebSocketRouteOptions<P, Q, S> = Omit<WebSocketRoute<P, Q, S>, 'method' | 'params' | 'query'> & {
  params?: z.ZodType<P>;
  query?: z.ZodType<Q>;
};

/** Declares a stream route; types follow from the schemas. */
export function webSocketRoute<P = Record<string, never>, Q = Record<string, never>, S = unknown>(
  options: WebSocketRouteOptions<P, Q, S>,
): WebSocketRoute {
  const declared: WebSocketRoute<P, Q, S> = {
    ...options,
    method: 'GET',
    params: options.params,
    query: options.query,
  };
  // The server validates with these very schemas before it calls, so the erased types are the ones that arrive.
  return declared as unknown as WebSocketRoute;
}
