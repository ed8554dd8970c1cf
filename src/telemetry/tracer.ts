/** Spans of one process: made here, ended by whoever made them, handed to an exporter. There is no tracer at all when nothing is configured. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { newContext, type SpanContext } from './traceparent.ts';

export type Attributes = Record<string, string | number | boolean>;
export type SpanKind = 'internal' | 'server' | 'client';

export type FinishedSpan = {
  name: string;
  kind: SpanKind;
  context: SpanContext;
  parent: SpanContext | undefined;
  links: readonly SpanContext[];
  attributes: Attributes;
  startMs: number;
  endMs: number;
  /** What went wrong: an error's code, never its text. */
  error: string | undefined;
};

export type Span = {
  readonly context: SpanContext;
  set(attributes: Attributes): void;
  /** Once; further calls do nothing. */
  end(outcome?: { error?: string; endMs?: number }): void;
};

export type SpanOptions = {
  kind?: SpanKind;
  /** The current span unless said otherwise; null starts a new trace. */
  parent?: SpanContext | null | undefined;
  links?: readonly SpanContext[];
  attributes?: Attributes;
  startMs?: number;
};

export type Tracer = {
  span(name: string, options?: SpanOptions): Span;
  /** The span that the running work belongs to. */
  current(): SpanContext | undefined;
  /** Runs work, and all that follows from it, under a span. */
  within<T>(span: Span, work: () => T): T;
  nowMs(): number;
};

/** Builds a tracer; `finished` gets every sampled span that has ended and must not wait. */
export function createTracer(finished: (span: FinishedSpan) => void): Tracer {
  const running = new AsyncLocalStorage<SpanContext>();
  const nowMs = (): number => performance.timeOrigin + performance.now();
  return {
    nowMs,
    current: () => running.getStore(),
    within: (span, work) => running.run(span.context, work),
    span: (name, options = {}) => {
      const parent = options.parent === undefined ? running.getStore() : (options.parent ?? undefined);
      const context = newContext(parent);
      const attributes = { ...options.attributes };
      const startMs = options.startMs ?? nowMs();
      let ended = false;
      return {
        context,
        set: (more) => void Object.assign(attributes, more),
        end: ({ error, endMs = nowMs() } = {}) => {
          if (ended || !context.sampled) return;
          ended = true;
          const { kind = 'internal', links = [] } = options;
          finished({ name, kind, context, parent, links, attributes, startMs, endMs, error });
        },
      };
    },
  };
}
