import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTraceparent, newContext, parseTraceparent } from './traceparent.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

test('a context survives its header', () => {
  const context = newContext(undefined);
  assert.deepEqual(parseTraceparent(formatTraceparent(context)), context);
  const child = newContext(context);
  assert.equal(child.traceId, context.traceId);
  assert.notEqual(child.spanId, context.spanId);
});

test('what is not a trace context starts a new trace instead of being taken over', () => {
  const wrong = [
    undefined,
    '',
    [`00-${TRACE}-${SPAN}-01`],
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01\r\nx: y`,
    `01-${TRACE}-${SPAN}-01-${'x'.repeat(1000)}`,
  ];
  for (const header of wrong) assert.equal(parseTraceparent(header), undefined, String(header));
});

test('a later version is read as far as it is known, and the sampled flag is one bit of several', () => {
  assert.deepEqual(parseTraceparent(`cc-${TRACE}-${SPAN}-03-future`), { traceId: TRACE, spanId: SPAN, sampled: true });
  assert.equal(parseTraceparent(`00-${TRACE}-${SPAN}-02`)?.sampled, false);
});
