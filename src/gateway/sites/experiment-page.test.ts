import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WholeRun } from '#src/tracking/read-run.ts';
import { experimentPage } from './experiment-page.ts';

const experiment = {
  id: '7',
  name: "it's <b>",
  artifactLocation: 's3://mlflow/7',
  lifecycle: 'active',
  owner: 'ann',
  createdMs: 0,
  updatedMs: 0,
} as const;

const runOf = (name: string, metrics: Record<string, number>, params: Record<string, string> = {}): WholeRun => ({
  run: {
    id: 'a'.repeat(32),
    experimentId: '7',
    name,
    status: 'FINISHED',
    startMs: Date.UTC(2026, 0, 2, 3, 4),
    endMs: null,
    lifecycle: 'active',
    owner: 'ann',
    sandboxId: null,
    userId: 'ann',
    artifactUri: 's3://mlflow/7/a',
  },
  data: {
    params: Object.entries(params).map(([key, value]) => ({ key, value })),
    tags: [],
    metrics: Object.entries(metrics).map(([key, value]) => ({ key, value, timeMs: 0, step: 0 })),
  },
  links: { inputs: [], modelInputs: [], modelOutputs: [] },
});

test('shows what most runs logged, each run a link, and everything escaped', () => {
  const html = experimentPage({
    experiment,
    labels: ['PII'],
    runs: [
      runOf('<i>one</i>', { rare: 1, loss: 0.1234567, b: Number.NaN }, { rate: '<u>' }),
      runOf('two', { loss: 2, b: 1, c: 1, d: 1 }),
      runOf('three', { c: 1, d: 1 }),
    ],
    more: true,
  });
  assert.deepEqual(
    [...html.matchAll(/<th scope="col">(.*?)<\/th>/g)].map(([, head]) => head),
    ['Run', 'Status', 'Started (UTC)', 'Owner', 'loss', 'b', 'c', 'd', 'rate'],
  );
  const [first = ''] = html.match(/<tbody><tr>.*?<\/tr>/) ?? [];
  assert.deepEqual(
    [...first.matchAll(/<td>(.*?)<\/td>/g)].map(([, cell]) => cell),
    [
      `<a href="/${'a'.repeat(32)}">&#60;i&#62;one&#60;/i&#62;</a>`,
      'finished',
      '2026-01-02 03:04',
      'ann',
      '0.123457',
      'NaN',
      '',
      '',
      '&#60;u&#62;',
    ],
  );
  assert.match(html, /<h1>Experiment it&#39;s &#60;b&#62;<\/h1><p><span class="label">PII<\/span><\/p>/);
  assert.match(html, /These are the newest 3\./);
  assert.match(html, /run list --experiment &#39;it&#39;\\&#39;&#39;s &#60;b&#62;&#39;/);
});

test('says that there are no runs', () => {
  assert.match(experimentPage({ experiment, labels: [], runs: [], more: false }), /No runs yet that you may see/);
});
