import { cpus, release, totalmem } from 'node:os';
import { type Row, round } from './measure.ts';

export type Machine = { cpu: string; cores: number; memoryGib: number; kernel: string; node: string };

export const machine = (): Machine => ({
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memoryGib: Math.round(totalmem() / 2 ** 30),
  kernel: release(),
  node: process.version,
});

/** The cells of a row: what, ours, theirs with ratios, what is to be reached, whether it is. */
const cellsOf = (row: Row): string[] => [
  row.what,
  `${round(row.value)} ${row.unit}${row.p99 === undefined ? '' : ` (p99 ${round(row.p99)})`}`,
  row.against.map((one) => `${one.name} ${round(one.value)}: ${round(one.ratio)}x`).join('; ') || '-',
  row.reach,
  row.reached ? 'yes' : 'NO',
];
const TITLES = ['what', 'fumehood', 'against', 'to reach', 'reached'];

/** The rows as a table for people. */
export function table(rows: readonly Row[]): string {
  const all = [TITLES, ...rows.map(cellsOf)];
  const widths = TITLES.map((_, column) => Math.max(...all.map((line) => (line[column] ?? '').length)));
  const text = all.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${text.join('\n')}\n`;
}

/** The same as Markdown. */
export function markdown(rows: readonly Row[]): string {
  const lines = [TITLES, TITLES.map(() => '---'), ...rows.map(cellsOf)];
  return lines.map((line) => `| ${line.join(' | ')} |\n`).join('');
}
