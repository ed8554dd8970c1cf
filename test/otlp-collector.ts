/** A collector for tests: takes OTLP/HTTP in JSON and keeps what came. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

type Attribute = { key: string; value: Record<string, unknown> };
export type ReceivedSpan = {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  attributes: Record<string, unknown>;
  links: { traceId: string; spanId: string }[];
};
export type ReceivedRecord = { body: string; traceId?: string; attributes: Record<string, unknown> };

export type Collector = {
  url: string;
  spans: ReceivedSpan[];
  records: ReceivedRecord[];
  /** Everything that came, as text. */
  text(): string;
  close(): Promise<void>;
};

const valuesOf = (attributes: Attribute[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

export async function startCollector(): Promise<Collector> {
  const spans: ReceivedSpan[] = [];
  const records: ReceivedRecord[] = [];
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    const body = (await json(request)) as Record<string, never>;
    bodies.push(JSON.stringify(body));
    if (request.url === '/v1/traces') spans.push(...spansOf(body));
    if (request.url === '/v1/logs') records.push(...recordsOf(body));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    records,
    text: () => bodies.join('\n'),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type WireSpan = Omit<ReceivedSpan, 'attributes'> & { attributes: Attribute[] };
type WireTraces = { resourceSpans?: { scopeSpans: { spans: WireSpan[] }[] }[] };
const spansOf = (body: WireTraces): ReceivedSpan[] =>
  (body.resourceSpans ?? [])
    .flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
    .map((span) => ({ ...span, attributes: valuesOf(span.attributes) }));

type WireRecord = { body: { stringValue: string }; traceId?: string; attributes: Attribute[] };
type WireLogs = { resourceLogs?: { scopeLogs: { logRecords: WireRecord[] }[] }[] };
const recordsOf = (body: WireLogs): ReceivedRecord[] =>
  (body.resourceLogs ?? [])
    .flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords))
    .map(({ body: text, attributes, ...rest }) => ({
      ...rest,
      body: text.stringValue,
      attributes: valuesOf(attributes),
    }));
