import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { createMetrics } from './metrics.ts';
import { formatTraceparent, newContext, type SpanContext } from './traceparent.ts';
import { createTracer, type FinishedSpan } from './tracer.ts';
import { createRequestWatch } from './watch-requests.ts';

const origin = newContext(undefined);

function world(traces: Record<string, SpanContext> = {}) {
  const lines: Record<string, unknown>[] = [];
  const spans: FinishedSpan[] = [];
  const metrics = createMetrics();
  const watch = createRequestWatch({
    log: (_level, _message, fields) => void lines.push(fields ?? {}),
    metrics,
    tracer: createTracer((span) => spans.push(span)),
    traceOf: (sandboxId) => traces[sandboxId],
  });
  const serve = (headers: Record<string, string>, sandboxId?: string): void => {
    const request = { method: 'GET', headers, socket: {} } as unknown as IncomingMessage;
    const from = sandboxId === undefined ? {} : { sandboxId };
    watch({ door: 's3', request, requestId: 'req-1', ...from }).end({ status: 200, route: '/{bucket}' });
  };
  return { serve, lines, spans, metrics };
}

test('what runs in a sandbox can neither leave the traces of its sandbox unseen nor switch its own off', () => {
  const { serve, spans } = world({ 'sb-1': origin });
  const own = { ...newContext(undefined), sampled: false };
  serve({ traceparent: formatTraceparent(own) }, 'sb-1');
  serve({ traceparent: 'forged' }, 'sb-1');
  assert.equal(spans.length, 2);
  assert.equal(spans[0]?.context.traceId, own.traceId);
  assert.deepEqual(spans[0]?.links, [origin]);
  assert.equal(spans[1]?.context.traceId, origin.traceId);
  assert.equal(spans[1]?.parent?.spanId, origin.spanId);
});

test('outside, whoever asks chooses whether its trace is sampled', () => {
  const { serve, spans } = world();
  serve({ traceparent: formatTraceparent({ ...newContext(undefined), sampled: false }) });
  assert.equal(spans.length, 0);
  serve({});
  assert.equal(spans.length, 1);
});

test('a request that ends twice is counted once', async () => {
  const { metrics, lines } = world();
  const watch = createRequestWatch({
    log: (_level, _message, fields) => void lines.push(fields ?? {}),
    metrics,
    tracer: undefined,
    traceOf: () => undefined,
  });
  const request = { method: 'LINK', headers: {}, socket: {} } as unknown as IncomingMessage;
  const watched = watch({ door: 'vault', request, requestId: 'req-1' });
  watched.end({ status: 200, route: undefined });
  watched.end({ status: 500, route: undefined });
  assert.deepEqual(
    lines.map(({ method, route, status }) => [method, route, status]),
    [['LIST', 'unknown', 200]],
  );
  assert.match(await metrics.render(), /^fumehood_door_requests_total\{door="vault",status="200"\} 1$/m);
});
