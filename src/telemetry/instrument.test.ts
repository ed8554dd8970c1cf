import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createInstrument } from './instrument.ts';
import { createMetrics, METRICS } from './metrics.ts';

test('a histogram counts each value in every bucket that holds it, with sum and count', () => {
  const histogram = createInstrument('x_seconds', {
    type: 'histogram',
    help: 'h',
    labels: ['door'],
    buckets: [0.1, 1],
  });
  for (const value of [0.05, 0.1, 0.5, 7]) histogram.observe(value, 's3');
  assert.deepEqual(histogram.render().trim().split('\n').slice(2), [
    'x_seconds_bucket{door="s3",le="0.1"} 2',
    'x_seconds_bucket{door="s3",le="1"} 3',
    'x_seconds_bucket{door="s3",le="+Inf"} 4',
    'x_seconds_sum{door="s3"} 7.65',
    'x_seconds_count{door="s3"} 4',
  ]);
});

test('no label value can end its quotes or its line', () => {
  const counter = createInstrument('x_total', { type: 'counter', help: 'a\nb', labels: ['route'] });
  counter.inc(2, 'a"} 1\nforged_total 9\\');
  assert.deepEqual(counter.render().trim().split('\n'), [
    '# HELP x_total a\\nb',
    '# TYPE x_total counter',
    'x_total{route="a\\"} 1\\nforged_total 9\\\\"} 2',
  ]);
});

test('label values without end are counted together instead of filling the memory', () => {
  const counter = createInstrument('x_total', { type: 'counter', help: 'h', labels: ['a', 'b'] });
  for (let at = 0; at < 5000; at += 1) counter.inc(1, `value-${at}`, 'x');
  const lines = counter.render().trim().split('\n').slice(2);
  assert.equal(lines.length, 1001);
  assert.equal(lines.at(-1), 'x_total{a="other",b="other"} 4000');
});

test('every metric has the prefix, a base unit or a count in its name, and no label that names one user, run or sandbox', () => {
  for (const [name, spec] of Object.entries(METRICS)) {
    assert.match(name, /^fumehood_[a-z_]+[a-z]$/);
    assert.equal(name.endsWith('_total'), spec.type === 'counter', name);
    if (/(duration|time|delay|lag)/.test(name)) assert.match(name, /_seconds(_total)?$/);
    assert.doesNotMatch(name, /(milli|_ms|kilo|mega|percent)/);
    for (const label of spec.labels as readonly string[])
      assert.doesNotMatch(label, /(user|owner|sandbox|run|id|path)$/);
  }
});

test('gauges are set anew before each rendering', async () => {
  const metrics = createMetrics();
  let size = 0;
  metrics.onCollect(() => {
    size += 1;
    metrics.fumehood_audit_entries.set(size);
  });
  assert.match(await metrics.render(), /^fumehood_audit_entries 1$/m);
  assert.match(await metrics.render(), /^fumehood_audit_entries 2$/m);
});
