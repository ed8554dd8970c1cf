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

/** The rows as a table for people. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.what,
    `${round(row.value)} ${row.unit}${row.p99 === undefined ? '' : ` (p99 ${round(row.p99)})`}`,
    row.against.map((one) => `${one.name} ${round(one.value)}: ${round(one.ratio)}x`).join('; ') || '-',
    row.reach,
    row.reached ? 'yes' : 'NO',
  ]);
  const all = [['what', 'fumehood', 'against', 'to reach', 'reached'], ...cells];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...all.map((line) => (line[column] ?? '').length)));
  const text = all.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${text.join('\n')}\n`;
}
