import { parseDuration } from '#kernel/quantities.ts';
import type { Context } from './command.ts';
import type { Column } from './table.ts';
import { canDrawOver, drawOver, intervalOf, type Sample, type Samples, samplesOf } from './watch.ts';

/** A sample with what follows from the one before. */
export type Row = Sample & { cpuPercent: number | null };

const COLUMNS: readonly Column[] = [
  ['NAME', 'name', { keep: true }],
  ['CPU %', (row) => (row.cpuPercent === null ? '-' : String(row.cpuPercent))],
  ['MEMORY', 'memoryBytes'],
  ['DISK', 'diskBytes'],
  ['NET IN', 'networkInBytes', { worth: -7 }],
  ['NET OUT', 'networkOutBytes', { worth: -7 }],
  ['IDLE', 'idleMs'],
  ['TTL', 'expiresAt'],
  ['PIDS', 'pids'],
  ['OWNER', 'owner'],
  ['ID', 'id', { keep: true }],
];

/** `fumehood top` and `sandbox stats --watch`: everything that runs, the busiest first; once on a pipe. */
export async function top(context: Context, only: readonly string[] = []): Promise<number> {
  const everyMs = intervalOf(context.text('every'), parseDuration);
  const once = context.on('once') || !canDrawOver(context);
  const query = { everyMs, mine: context.on('everybody') ? false : undefined, sandbox: [...only] };
  if (!once) return drawOver(context, (signal) => pictures(context, samplesOf(context, query, { signal })));
  // Two looks make a percentage.
  const looks: Samples[] = [];
  for await (const samples of samplesOf(context, { ...query, everyMs: 500 }, { looks: 2 })) looks.push(samples);
  const [before, now] = looks;
  context.out.list({ items: now === undefined ? [] : rowsOf(now, before), next: null }, COLUMNS);
  return 0;
}

async function* pictures(context: Context, samples: AsyncIterable<Samples>): AsyncGenerator<string> {
  let before: Samples | undefined;
  for await (const one of samples) {
    const rows = rowsOf(one, before);
    const busy = rows.reduce((sum, row) => sum + (row.cpuPercent ?? 0), 0);
    yield `${rows.length} running, ${Math.round(busy)} % of a core, ${new Date(one.time).toLocaleTimeString()}    Ctrl-C ends\n\n${context.out.table(rows, COLUMNS)}`;
    before = one;
  }
}

/** The rows of a look, by CPU and then by memory; a share of CPU is what was used since the look before, in percent of one core. */
export function rowsOf(now: Samples, before: Samples | undefined): Row[] {
  const older = new Map((before?.items ?? []).map((item) => [item.id, item]));
  const seconds = before === undefined ? 0 : (Date.parse(now.time) - Date.parse(before.time)) / 1000;
  return now.items
    .map((item) => {
      const last = older.get(item.id);
      const share = last === undefined || seconds <= 0 ? null : (item.cpuSeconds - last.cpuSeconds) / seconds;
      return { ...item, cpuPercent: share === null ? null : Math.max(0, Math.round(share * 1000) / 10) };
    })
    .sort((a, b) => (b.cpuPercent ?? 0) - (a.cpuPercent ?? 0) || b.memoryBytes - a.memoryBytes);
}
