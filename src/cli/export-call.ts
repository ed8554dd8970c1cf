/** The span of one call of the command line, which is the root of all that follows from it, sent where OpenTelemetry's variables say. */
import { request as httpRequest } from 'node:http';
import { otlpConfigOf } from '#src/telemetry/otlp-config.ts';
import { encodeSpans } from '#src/telemetry/otlp-encoding.ts';
import type { SpanContext } from '#src/telemetry/traceparent.ts';
import { VERSION } from './version.ts';

/** A collector that is away or slow costs the span, and whoever called no more than this. */
const LONGEST_WAIT_MS = 200;

export type Call = {
  /** The words that name the command, without its arguments: those may hold what is nobody else's business. */
  name: string;
  context: SpanContext;
  parent: SpanContext | undefined;
  startMs: number;
  endMs: number;
  exitCode: number;
  /** The code of the error that ended it. */
  error: string | undefined;
};

/** Sends the span; resolves when it was taken, or is given up. Never rejects. */
export async function exportCall(env: NodeJS.ProcessEnv, call: Call): Promise<void> {
  if (!call.context.sampled) return;
  try {
    const resource = { 'service.name': env.OTEL_SERVICE_NAME || 'fumehood-cli', 'service.version': VERSION };
    const config = otlpConfigOf(env.FUMEHOOD_OTLP_ENDPOINT || undefined, env, resource);
    if (config === undefined) return;
    const { name, context, parent, startMs, endMs, exitCode, error } = call;
    const attributes = { 'process.exit.code': exitCode };
    const span = { name, kind: 'client' as const, context, parent, links: [], attributes, startMs, endMs, error };
    await send(config.tracesUrl, config.headers, JSON.stringify(encodeSpans(config.resource, [span])));
  } catch {
    // Telemetry never changes how a command ends, nor what it prints.
  }
}

async function send(url: string, headers: Record<string, string>, body: string): Promise<void> {
  const target = new URL(url);
  const request = target.protocol === 'https:' ? (await import('node:https')).request : httpRequest;
  const length = String(Buffer.byteLength(body));
  await new Promise<void>((resolve) => {
    const sent = request(target, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json', 'content-length': length },
      signal: AbortSignal.timeout(LONGEST_WAIT_MS),
    });
    sent.on('response', (answer) => {
      answer.resume();
      answer.once('close', resolve);
    });
    sent.on('error', () => resolve());
    sent.end(body);
  });
}
