/** Spans and log records as OTLP has them in JSON: ids in hex, times in nanoseconds as text, enumerations as numbers. */
import type { LogLevel, LogRecord } from '#kernel/log.ts';
import type { SpanContext } from './traceparent.ts';
import type { FinishedSpan } from './tracer.ts';

export type Resource = Record<string, string>;
export type TracedRecord = LogRecord & { span: SpanContext | undefined };

const KINDS = { internal: 1, server: 2, client: 3 } as const;
const STATUS_ERROR = 2;
const SEVERITIES: Record<LogLevel, number> = { debug: 5, info: 9, warn: 13, error: 17 };
const SCOPE = { name: 'fumehood' };

/** The body of a request to `/v1/traces`. */
export const encodeSpans = (resource: Resource, spans: readonly FinishedSpan[]): unknown => ({
  resourceSpans: [
    { resource: { attributes: attributes(resource) }, scopeSpans: [{ scope: SCOPE, spans: spans.map(encodeSpan) }] },
  ],
});

/** The body of a request to `/v1/logs`. */
export const encodeLogs = (resource: Resource, records: readonly TracedRecord[]): unknown => ({
  resourceLogs: [
    {
      resource: { attributes: attributes(resource) },
      scopeLogs: [{ scope: SCOPE, logRecords: records.map(encodeRecord) }],
    },
  ],
});

function encodeSpan(span: FinishedSpan): unknown {
  const { context, parent, error } = span;
  return {
    traceId: context.traceId,
    spanId: context.spanId,
    ...(parent === undefined ? {} : { parentSpanId: parent.spanId }),
    name: span.name,
    kind: KINDS[span.kind],
    startTimeUnixNano: nanoseconds(span.startMs),
    endTimeUnixNano: nanoseconds(span.endMs),
    attributes: attributes(span.attributes),
    links: span.links.map(({ traceId, spanId }) => ({ traceId, spanId })),
    ...(error === undefined ? {} : { status: { code: STATUS_ERROR, message: error } }),
  };
}

function encodeRecord({ timeMs, level, message, fields, span }: TracedRecord): unknown {
  return {
    timeUnixNano: nanoseconds(timeMs),
    severityNumber: SEVERITIES[level],
    severityText: level,
    body: { stringValue: message },
    attributes: attributes(fields),
    ...(span === undefined ? {} : { traceId: span.traceId, spanId: span.spanId }),
  };
}

const nanoseconds = (ms: number): string => String(BigInt(Math.round(ms * 1000)) * 1000n);

const attributes = (values: Record<string, unknown>): unknown[] =>
  Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ({ key, value: encodeValue(value) }));

function encodeValue(value: unknown): unknown {
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number')
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  return { stringValue: typeof value === 'string' ? value : JSON.stringify(value) };
}
