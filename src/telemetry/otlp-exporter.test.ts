import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { test } from 'node:test';
import { otlpConfigOf } from './otlp-config.ts';
import { encodeSpans } from './otlp-encoding.ts';
import { createExporter } from './otlp-exporter.ts';
import { createTracer, type FinishedSpan } from './tracer.ts';

type WireTraces = { resourceSpans: { scopeSpans: { spans: Record<string, unknown>[] }[] }[] };
type Received = { url: string; headers: Record<string, unknown>; body: unknown };

async function collector(statusOf: (nth: number) => number = () => 200) {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    received.push({ url: request.url ?? '', headers: request.headers, body: await json(request) });
    response.writeHead(statusOf(received.length)).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url, received, close };
}

function exporterTo(url: string) {
  const counts: Record<string, number> = {};
  const exporter = createExporter<number>({
    url,
    headers: { authorization: 'Basic x' },
    encode: (items) => ({ items }),
    count: (outcome, items) => {
      counts[outcome] = (counts[outcome] ?? 0) + items;
    },
  });
  return { exporter, counts };
}

test('what is queued is sent in order when the control plane closes', async () => {
  const { url, received, close } = await collector();
  const { exporter, counts } = exporterTo(`${url}/v1/traces`);
  for (let at = 0; at < 1000; at += 1) exporter.add(at);
  await exporter.close(10_000);
  await close();
  const all = received.flatMap(({ body }) => (body as { items: number[] }).items);
  assert.deepEqual(
    all,
    Array.from({ length: 1000 }, (_, at) => at),
  );
  assert.deepEqual(counts, { sent: 1000 });
  assert.equal(received[0]?.headers.authorization, 'Basic x');
  assert.equal(received[0]?.url, '/v1/traces');
});

test('a collector that is away, or too slow, costs items and never time or memory', async () => {
  const { exporter, counts } = exporterTo('http://127.0.0.1:9/v1/traces');
  for (let at = 0; at < 20_000; at += 1) exporter.add(at);
  assert.equal(counts.dropped, 20_000 - 8192);
  await exporter.close(5_000);
  assert.equal(counts.dropped, 20_000);
});

test('a refusal is final, and a collector that asks to wait is asked again', async () => {
  const refusing = await collector(() => 400);
  const refused = exporterTo(refusing.url);
  refused.exporter.add(1);
  await refused.exporter.close(5_000);
  await refusing.close();
  assert.deepEqual(refused.counts, { refused: 1 });

  const busy = await collector((nth) => (nth === 1 ? 503 : 200));
  const patient = exporterTo(busy.url);
  patient.exporter.add(1);
  await new Promise<void>((resolve) => {
    const look = setInterval(() => {
      if (busy.received.length === 0) return;
      clearInterval(look);
      resolve();
    }, 20);
  });
  await patient.exporter.close(5_000);
  await busy.close();
  assert.deepEqual(patient.counts, { sent: 1 });
});

test('a span is encoded with hex ids, nanoseconds as text, and its parent', async () => {
  const spans: FinishedSpan[] = [];
  const tracer = createTracer((span) => spans.push(span));
  const parent = tracer.span('outer', { parent: null });
  await tracer.within(parent, async () => {
    await Promise.resolve();
    tracer.span('inner', { attributes: { n: 1, share: 0.5, name: 'x', ok: true } }).end({ error: 'denied' });
  });
  parent.end();
  parent.end();
  assert.equal(spans.length, 2);
  const encoded = encodeSpans({ 'service.name': 'fumehood' }, spans) as WireTraces;
  const inner = encoded.resourceSpans[0]?.scopeSpans[0]?.spans[0] ?? {};
  assert.match(String(inner.traceId), /^[0-9a-f]{32}$/);
  assert.equal(inner.traceId, parent.context.traceId);
  assert.equal(inner.parentSpanId, parent.context.spanId);
  assert.match(String(inner.startTimeUnixNano), /^\d{19}$/);
  assert.deepEqual(inner.status, { code: 2, message: 'denied' });
  assert.deepEqual(inner.attributes, [
    { key: 'n', value: { intValue: '1' } },
    { key: 'share', value: { doubleValue: 0.5 } },
    { key: 'name', value: { stringValue: 'x' } },
    { key: 'ok', value: { boolValue: true } },
  ]);
});

test('a trace that its caller did not sample is not exported', () => {
  const spans: FinishedSpan[] = [];
  const tracer = createTracer((span) => spans.push(span));
  tracer.span('x', { parent: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: false } }).end();
  assert.equal(spans.length, 0);
});

test("OpenTelemetry's own variables say where to send, and can switch it off", () => {
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318/',
    OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%20b, x=1',
    OTEL_SERVICE_NAME: 'lab',
  };
  assert.deepEqual(otlpConfigOf(undefined, env, {}), {
    tracesUrl: 'http://c:4318/v1/traces',
    logsUrl: 'http://c:4318/v1/logs',
    headers: { 'api-key': 'a b', x: '1' },
    resource: { 'service.name': 'lab' },
  });
  assert.equal(otlpConfigOf('http://own:1', env, {})?.logsUrl, 'http://own:1/v1/logs');
  assert.equal(otlpConfigOf(undefined, { ...env, OTEL_SDK_DISABLED: 'true' }, {}), undefined);
  assert.equal(otlpConfigOf(undefined, {}, {}), undefined);
  assert.throws(
    () => otlpConfigOf('http://c', { OTEL_EXPORTER_OTLP_HEADERS: 'secret' }, {}),
    (error: Error) => !error.message.includes('secret'),
  );
});
