/** Trace contexts as W3C Trace Context has them (`traceparent`, version 00). */
import { randomBytes } from 'node:crypto';

export type SpanContext = { readonly traceId: string; readonly spanId: string; readonly sampled: boolean };

const SHAPE = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** The context in a header; undefined for none and for one that is not well formed (section 3.2: start anew). */
export function parseTraceparent(header: string | string[] | undefined): SpanContext | undefined {
  if (typeof header !== 'string' || header.length > 512) return undefined;
  const [, version, traceId = '', spanId = '', flags = '', more] = SHAPE.exec(header) ?? [];
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The header that hands a context on. */
export const formatTraceparent = ({ traceId, spanId, sampled }: SpanContext): string =>
  `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;

/** A context below `parent`, or the root of a new trace. */
export function newContext(parent: SpanContext | undefined): SpanContext {
  const spanId = randomBytes(8).toString('hex');
  if (parent !== undefined) return { traceId: parent.traceId, spanId, sampled: parent.sampled };
  return { traceId: randomBytes(16).toString('hex'), spanId, sampled: true };
}
