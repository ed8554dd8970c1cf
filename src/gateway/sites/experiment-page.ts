/** The page of an experiment, for reading: its runs with what most of them logged. HTML without a script; everything is escaped. */
import type { ShownExperiment } from '#src/tracking/show-experiment.ts';
import { escapeHtml, htmlPage } from './site-page.ts';

const MOST_COLUMNS = 4;
const LONGEST_VALUE = 60;

export function experimentPage({ experiment, labels, runs, more }: ShownExperiment): string {
  const metrics = commonKeys(runs.map(({ data }) => data.metrics));
  const params = commonKeys(runs.map(({ data }) => data.params));
  const heads = ['Run', 'Status', 'Started (UTC)', 'Owner', ...metrics, ...params];
  const rows = runs.map(({ run, data }) => [
    `<a href="/${escapeHtml(run.id)}">${escapeHtml(run.name)}</a>`,
    escapeHtml(run.status.toLowerCase()),
    run.startMs === null ? '' : new Date(run.startMs).toISOString().slice(0, 16).replace('T', ' '),
    escapeHtml(run.owner),
    ...metrics.map((key) => numberOf(data.metrics.find((one) => one.key === key)?.value)),
    ...params.map((key) =>
      escapeHtml((data.params.find((one) => one.key === key)?.value ?? '').slice(0, LONGEST_VALUE)),
    ),
  ]);
  const badges = labels.map((label) => `<span class="label">${escapeHtml(label)}</span>`).join(' ');
  return htmlPage(
    `Experiment ${experiment.name}`,
    [
      `<h1>Experiment ${escapeHtml(experiment.name)}</h1><p>${badges}</p>`,
      runs.length === 0 ? '<p>No runs yet that you may see.</p>' : tableOf(heads, rows),
      more ? `<p><small>These are the newest ${runs.length}.</small></p>` : '',
      `<p><small>All of them: <code>fumehood run list --experiment ${escapeHtml(quoted(experiment.name))}</code></small></p>`,
    ].join(''),
  );
}

/** The keys that most runs have, in the order in which they first come. */
function commonKeys(runs: readonly (readonly { key: string }[])[]): string[] {
  const counts = new Map<string, number>();
  for (const pairs of runs) for (const { key } of pairs) counts.set(key, (counts.get(key) ?? 0) + 1);
  const wanted = new Set(
    [...counts]
      .sort((one, other) => other[1] - one[1])
      .slice(0, MOST_COLUMNS)
      .map(([key]) => key),
  );
  return [...counts.keys()].filter((key) => wanted.has(key));
}

const numberOf = (value: number | undefined): string =>
  value === undefined ? '' : String(Number.isFinite(value) ? Number(value.toPrecision(6)) : value);

const quoted = (name: string): string => (/^[\w.-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`);

function tableOf(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((text) => `<th scope="col">${escapeHtml(text)}</th>`).join('');
  const body = rows.map((cells) => `<tr>${cells.map((html) => `<td>${html}</td>`).join('')}</tr>`).join('');
  return `<div class="wide"><table class="runs"><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}
