/** One look at each request from its head to its end: a line of the log, its metrics, and its span. */
import type { IncomingMessage } from 'node:http';
import type { Log } from '#kernel/log.ts';
import type { Metrics } from './metrics.ts';
import { parseTraceparent, type SpanContext } from './traceparent.ts';
import type { Tracer } from './tracer.ts';

export type WatchedRequest = {
  /** Runs the work of the request, under its span where there is one. */
  within<T>(work: () => Promise<T>): Promise<T>;
  /** The answer is sent, or the stream over; `route` is a template of a table, never a path that a client chose. Once; further calls do nothing. */
  end(seen: { status: number; route: string | undefined }): void;
};

export type RequestArrival = { door: string; request: IncomingMessage; requestId: string; sandboxId?: string };
export type WatchRequest = (arrival: RequestArrival) => WatchedRequest;

type Counted = { received: number; sent: number };

/** Builds the watch. Without a tracer nothing is made of a request but its line and its counts. */
export function createRequestWatch(deps: {
  log: Log;
  metrics: Metrics;
  tracer: Tracer | undefined;
  /** Where the trace of a sandbox began, if it is known. */
  traceOf: (sandboxId: string) => SpanContext | undefined;
}): WatchRequest {
  const { tracer } = deps;
  // What a connection had carried when its request before was over.
  const before = new WeakMap<object, Counted>();

  return (arrival) => {
    const startedMs = performance.now();
    const { door, request, requestId } = arrival;
    // A request that is cut off has lost its socket by the time it ends.
    const { socket } = request;
    const method = request.method === 'LINK' ? 'LIST' : (request.method ?? '');
    const span = tracer === undefined ? undefined : startSpan(tracer, deps.traceOf, arrival, method);
    let ended = false;
    return {
      within: (work) => (span === undefined || tracer === undefined ? work() : tracer.within(span, work)),
      end: ({ status, route = 'unknown' }) => {
        if (ended) return;
        ended = true;
        const durationMs = performance.now() - startedMs;
        const bytes = bytesOf(socket, before);
        deps.log('info', 'request', {
          door,
          method,
          route,
          status,
          durationMs: Math.round(durationMs * 100) / 100,
          requestId,
          ...(span === undefined ? {} : { traceId: span.context.traceId }),
          receivedBytes: bytes.received,
          sentBytes: bytes.sent,
        });
        count(deps.metrics, { door, method, route, status: String(status), seconds: durationMs / 1000 });
        span?.set({ 'http.route': route, 'http.response.status_code': status });
        span?.end(status >= 500 ? { error: String(status) } : {});
      },
    };
  };
}

function startSpan(
  tracer: Tracer,
  traceOf: (sandboxId: string) => SpanContext | undefined,
  { door, request, requestId, sandboxId }: RequestArrival,
  method: string,
) {
  const origin = sandboxId === undefined ? undefined : traceOf(sandboxId);
  const header = parseTraceparent(request.headers.traceparent);
  // What runs in a sandbox does not choose whether it is seen.
  const given = header === undefined || origin === undefined ? header : { ...header, sampled: origin.sampled };
  return tracer.span(`${method} ${door}`, {
    kind: 'server',
    // A client inside that has a trace of its own keeps it and is linked to the sandbox's; any other goes on in the sandbox's.
    parent: given ?? origin ?? null,
    links: given !== undefined && origin !== undefined ? [origin] : [],
    attributes: {
      'http.request.method': method,
      'fumehood.door': door,
      'fumehood.request_id': requestId,
      ...(sandboxId === undefined ? {} : { 'fumehood.sandbox_id': sandboxId }),
    },
  });
}

function count(
  metrics: Metrics,
  one: { door: string; method: string; route: string; status: string; seconds: number },
): void {
  if (one.door === 'api') {
    metrics.fumehood_http_requests_total.inc(1, one.method, one.route, one.status);
    metrics.fumehood_http_request_duration_seconds.observe(one.seconds, one.route);
  } else {
    metrics.fumehood_door_requests_total.inc(1, one.door, one.status);
    metrics.fumehood_door_request_duration_seconds.observe(one.seconds, one.door);
  }
}

/** What went over the connection since the request before it ended. */
function bytesOf(socket: { bytesRead?: number; bytesWritten?: number }, before: WeakMap<object, Counted>): Counted {
  const now = { received: socket.bytesRead ?? 0, sent: socket.bytesWritten ?? 0 };
  const last = before.get(socket);
  before.set(socket, now);
  return last === undefined ? now : { received: now.received - last.received, sent: now.sent - last.sent };
}
