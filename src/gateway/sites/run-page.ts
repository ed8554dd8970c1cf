/** The page of a run, for reading: HTML without a script. Every name and value in it came out of a sandbox and is escaped. */
import { yieldLongTurn } from '#kernel/long-turn.ts';
import type { Metric, Pair } from '#src/tracking/run.ts';
import type { ShownRun } from '#src/tracking/show-run.ts';
import { escapeHtml, htmlPage } from './site-page.ts';

export type RunFile = { path: string; sizeBytes: number };

const WIDTH = 320;
const HEIGHT = 140;
const MARGIN = 8;
const MOST_SHOWN = 500;

/** `files`: undefined when the reader may not see their names. */
export async function runPage(shown: ShownRun, files: RunFile[] | undefined): Promise<string> {
  const { run, experiment, labels, data, curves, sources } = shown;
  const facts: Pair[] = [
    { key: 'status', value: run.status },
    { key: 'owner', value: run.owner },
    { key: 'sandbox', value: run.sandboxId ?? '' },
    { key: 'started', value: timeOf(run.startMs) },
    { key: 'ended', value: timeOf(run.endMs) },
    { key: 'id', value: run.id },
  ];
  const badges = labels.map((label) => `<span class="label">${escapeHtml(label)}</span>`).join(' ');
  const of = `<a href="/experiments/${escapeHtml(run.experimentId)}">${escapeHtml(experiment)}</a>`;
  const charts: string[] = [];
  for (const [key, points] of curves) {
    await yieldLongTurn();
    charts.push(chart(key, points));
  }
  const latest = data.metrics.map(({ key, value, step }) => ({ key, value: `${value} (step ${step})` }));
  return htmlPage(
    `Run ${run.name}`,
    [
      `<h1>Run ${escapeHtml(run.name)}</h1><p>of experiment ${of} ${badges}</p>`,
      table(facts.filter(({ value }) => value !== '')),
      section('Metrics', `<div class="charts">${charts.join('')}</div>${table(latest)}`, data.metrics.length),
      section('Parameters', table(data.params), data.params.length),
      section(
        'Files',
        files === undefined ? '<p>You may not see their names.</p>' : table(files.map(fileRow)),
        files?.length ?? 1,
      ),
      section('Made from', table(sources.map(sourceRow)), sources.length),
      section('Tags', table(data.tags), data.tags.length),
      `<p><small>More of its lineage: <code>fumehood lineage run:${escapeHtml(run.id)}</code></small></p>`,
    ].join(''),
  );
}

const timeOf = (ms: number | null): string => (ms === null ? '' : new Date(ms).toISOString());
const fileRow = ({ path, sizeBytes }: RunFile): Pair => ({ key: path, value: `${sizeBytes} bytes` });
const sourceRow = ({ id, name, labels }: ShownRun['sources'][number]): Pair => ({
  key: id.split(':')[0] ?? '',
  value: [name, ...labels.map((label) => `[${label}]`)].join(' '),
});

const section = (title: string, html: string, count: number): string =>
  count === 0 ? '' : `<h2>${escapeHtml(title)}</h2>${html}`;

function table(pairs: readonly Pair[]): string {
  const rows = pairs
    .slice(0, MOST_SHOWN)
    .map(
      ({ key, value }) =>
        `<tr><th scope="row">${escapeHtml(key)}</th><td>${escapeHtml(value.slice(0, 2000))}</td></tr>`,
    );
  const more = pairs.length > MOST_SHOWN ? `<p><small>and ${pairs.length - MOST_SHOWN} more</small></p>` : '';
  return `<table>${rows.join('')}</table>${more}`;
}

/** One curve over the steps; what is not finite is left out. */
function chart(key: string, metrics: readonly Metric[]): string {
  const points = metrics.filter(({ value }) => Number.isFinite(value));
  const [low, high] = rangeOf(points.map(({ value }) => value));
  const [first, last] = rangeOf(points.map(({ step }) => step));
  const scale = (value: number, from: number, to: number, size: number): number =>
    MARGIN + (to === from ? 0.5 : (value - from) / (to - from)) * (size - 2 * MARGIN);
  const at = ({ step, value }: Metric): string =>
    `${scale(step, first, last, WIDTH).toFixed(1)},${(HEIGHT - scale(value, low, high, HEIGHT)).toFixed(1)}`;
  const line =
    points.length === 1
      ? `<circle cx="${WIDTH / 2}" cy="${HEIGHT / 2}" r="3" fill="currentColor"/>`
      : `<polyline fill="none" stroke="currentColor" stroke-width="1.5" points="${points.map(at).join(' ')}"/>`;
  const words =
    points.length === 0 ? 'no finite value' : `from ${short(low)} to ${short(high)}, steps ${first} to ${last}`;
  return `<figure><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(`${key}: ${words}`)}">${line}</svg><figcaption>${escapeHtml(key)}<br><small>${escapeHtml(words)}</small></figcaption></figure>`;
}

function rangeOf(values: readonly number[]): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

const short = (value: number): string => String(Number(value.toPrecision(5)));
