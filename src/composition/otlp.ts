/** The way to an OpenTelemetry collector; loaded only where one is configured. */
import type { LogRecord } from '#kernel/log.ts';
import type { Metrics } from '#src/telemetry/metrics.ts';
import type { OtlpConfig } from '#src/telemetry/otlp-config.ts';
import { encodeLogs, encodeSpans, type TracedRecord } from '#src/telemetry/otlp-encoding.ts';
import { createExporter } from '#src/telemetry/otlp-exporter.ts';
import { createTracer, type FinishedSpan, type Tracer } from '#src/telemetry/tracer.ts';

const CLOSE_MS = 2000;

export type Otlp = { tracer: Tracer; record: (record: LogRecord) => void; close(): Promise<void> };

export function openOtlp(config: OtlpConfig, metrics: Metrics): Otlp {
  const { headers, resource } = config;
  const counting = (signal: string) => (outcome: string, items: number) =>
    metrics.fumehood_telemetry_items_total.inc(items, signal, outcome);
  const spans = createExporter<FinishedSpan>({
    url: config.tracesUrl,
    headers,
    encode: (items) => encodeSpans(resource, items),
    count: counting('traces'),
  });
  const logs = createExporter<TracedRecord>({
    url: config.logsUrl,
    headers,
    encode: (items) => encodeLogs(resource, items),
    count: counting('logs'),
  });
  const tracer = createTracer(spans.add);
  return {
    tracer,
    record: (record) => logs.add({ ...record, span: tracer.current() }),
    close: async () => {
      await Promise.all([spans.close(CLOSE_MS), logs.close(CLOSE_MS)]);
    },
  };
}
