/** Where traces and logs go: the configuration, or the variables that OpenTelemetry names. */
import { AppError } from '#kernel/errors.ts';
import type { Resource } from './otlp-encoding.ts';

export type OtlpConfig = { tracesUrl: string; logsUrl: string; headers: Record<string, string>; resource: Resource };

/** Undefined when nothing is configured, or `OTEL_SDK_DISABLED` is true. Throws `invalid` for headers that cannot be read. */
export function otlpConfigOf(
  endpoint: string | undefined,
  env: NodeJS.ProcessEnv,
  resource: Resource,
): OtlpConfig | undefined {
  const base = endpoint ?? (env.OTEL_EXPORTER_OTLP_ENDPOINT || undefined);
  if (base === undefined || env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return undefined;
  const at = (signal: string): string => `${base.replace(/\/+$/, '')}/v1/${signal}`;
  return {
    tracesUrl: at('traces'),
    logsUrl: at('logs'),
    headers: parseHeaders(env.OTEL_EXPORTER_OTLP_HEADERS ?? ''),
    resource: { 'service.name': env.OTEL_SERVICE_NAME || 'fumehood', ...resource },
  };
}

/** `name=value,name=value`, values percent-encoded. They may hold a credential, so none is ever shown. */
function parseHeaders(text: string): Record<string, string> {
  const pairs = text.split(',').filter((pair) => pair.trim() !== '');
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf('=');
      const name = pair.slice(0, equals).trim().toLowerCase();
      if (equals < 1 || !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name))
        throw new AppError('invalid', 'OTEL_EXPORTER_OTLP_HEADERS is not a list of NAME=VALUE.');
      return [name, decodeURIComponent(pair.slice(equals + 1).trim())];
    }),
  );
}
