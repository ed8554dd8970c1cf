/** Tables that fit a terminal: columns give way by their order, nothing wraps, nothing is cut on a pipe. */
import { cut, displayWidth, pad } from './display-width.ts';
import { type Form, type Said, type Saying, say } from './human-value.ts';

type Show = string | ((item: Record<string, unknown>) => unknown);

/**
 * A column: its title, the member it shows (or how to show an item), and how. Where there is no room the last columns give way first,
 * those with a `worth` after all others. `keep` is for what is typed again, such as an id: it is left out rather than cut.
 */
export type Column = readonly [title: string, show: Show, how?: { as?: Form; keep?: boolean; worth?: number }];

export type TableLook = Saying & {
  columns: number | undefined;
  bold: (text: string) => string;
  paint: (colour: number, text: string) => string;
};

const GAP = 2;
const LEAST = 12;

/** The whole table, and the titles of columns for which there was no room. */
export function renderTable(
  columns: readonly Column[],
  items: readonly Record<string, unknown>[],
  look: TableLook,
): { text: string; hidden: string[] } {
  const rows = items.map((item) => columns.map((column) => cellOf(column, item, look)));
  const natural = columns.map(([title], at) =>
    rows.reduce((most, row) => Math.max(most, displayWidth(row[at]?.text ?? '')), displayWidth(title)),
  );
  const widths = fit(columns, natural, look.columns);
  const shown = columns.map((_, at) => at).filter((at) => (widths[at] ?? 0) > 0);
  const mark = look.unicode ? '…' : '~';
  const line = (cells: readonly Said[], style: (said: Said, text: string) => string): string => {
    const parts = shown.map((at) => {
      const said = cells[at] ?? { text: '' };
      const text = cut(said.text, widths[at] ?? 0, mark);
      const filled = at === shown.at(-1) ? text : pad(text, widths[at] ?? 0);
      return style(said, filled);
    });
    return `${parts.join(' '.repeat(GAP)).trimEnd()}\n`;
  };
  const titles = columns.map(([title]) => ({ text: title }));
  const painted = (said: Said, text: string): string =>
    said.colour === undefined ? text : look.paint(said.colour, text);
  return {
    text: line(titles, (_, text) => look.bold(text)) + rows.map((row) => line(row, painted)).join(''),
    hidden: columns.filter((_, at) => widths[at] === 0).map(([title]) => title),
  };
}

function cellOf([, show, how]: Column, item: Record<string, unknown>, saying: Saying): Said {
  const value = typeof show === 'string' ? item[show] : show(item);
  return say(value, how?.as ?? 'auto', typeof show === 'string' ? show : '', saying);
}

/** The width of each column; 0 for one that is left out. */
export function fit(columns: readonly Column[], natural: readonly number[], room: number | undefined): number[] {
  const widths = [...natural];
  if (room === undefined) return widths;
  const over = (): number => widths.reduce((sum, width) => sum + (width === 0 ? 0 : width + GAP), 0) - GAP - room;
  const worthOf = (at: number): number => (at === 0 ? Number.MAX_VALUE : (columns[at]?.[2]?.worth ?? -at));
  const order = columns.map((_, at) => at).sort((a, b) => worthOf(a) - worthOf(b));
  // First the columns that may be cut give way, but each keeps enough to be told apart.
  for (const at of order) {
    if (over() <= 0 || columns[at]?.[2]?.keep === true) continue;
    const least = Math.min(widths[at] ?? 0, Math.max(LEAST, displayWidth(columns[at]?.[0] ?? '')));
    widths[at] = Math.max(least, (widths[at] ?? 0) - over());
  }
  // Then whole columns go; the first one always stays, cut if it must be.
  for (const at of order) if (at !== 0 && over() > 0) widths[at] = 0;
  if (over() > 0) widths[0] = Math.max(1, (widths[0] ?? 0) - over());
  // What a column that went has left free goes to those that were cut.
  for (const at of order.reverse()) {
    if (widths[at] === 0) continue;
    widths[at] = Math.min(natural[at] ?? 0, (widths[at] ?? 0) + Math.max(0, -over()));
  }
  return widths;
}
