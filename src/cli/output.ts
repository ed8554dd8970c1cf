import { ERROR_CODES, toAppError } from '#kernel/errors.ts';
import { cell } from './cell.ts';
import { describeItem } from './describe-item.ts';
import { errorJson, errorText } from './error-text.ts';
import { type EndPhase, type Progress, startPhase, startProgress } from './progress.ts';
import { type Column, renderTable, type TableLook } from './table.ts';
import { lookAtTerminal, type Terminal } from './terminal.ts';

export type OutputMode = {
  /** All members, or only those named. */
  json: true | string[] | undefined;
  plain: boolean;
};

export type Output = {
  readonly json: boolean;
  readonly plain: boolean;
  readonly colour: boolean;
  readonly terminal: Terminal;
  /** One thing: JSON, or its members one a line (only `members`, when given). */
  item(value: object, members?: readonly string[]): void;
  /** One page of a list: JSON as it came, or a table. */
  list(page: { items: object[]; next: string | null }, columns: readonly Column[]): void;
  /** A table as text, for what is drawn over and over. */
  table(items: readonly object[], columns: readonly Column[]): string;
  /** Text for people where there is no JSON; with `--json` the value is printed instead. */
  text(text: string, value: unknown): void;
  /** Raw bytes or text of the data itself. */
  data(bytes: string | Uint8Array): void;
  /** A line for people on stderr. */
  note(line: string): void;
  /** What to type next, where somebody is watching. */
  next(...commands: string[]): void;
  /** Says what is being done: a spinner on a terminal, else one line. The returned function ends it. */
  phase(line: string): EndPhase;
  /** The same for work whose size in bytes is known. */
  progress(line: string, totalBytes: number): Progress;
  error(thrown: unknown): number;
};

type Streams = { stdout: NodeJS.WriteStream; stderr: NodeJS.WriteStream; env: NodeJS.ProcessEnv };

/** Data on stdout, everything else on stderr. */
export function createOutput(mode: OutputMode, streams: Streams): Output {
  const { stdout, stderr } = streams;
  const terminal = lookAtTerminal(mode.plain, streams);
  const style =
    (on: boolean) =>
    (code: number, text: string): string =>
      on && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text;
  const [out, err] = [style(terminal.colour.stdout), style(terminal.colour.stderr)];
  const look = (): TableLook => ({
    nowMs: Date.now(),
    unicode: terminal.unicode,
    columns: terminal.columns,
    bold: (text) => out(1, text),
    paint: out,
  });
  const screen = { stderr, terminal, timed: !mode.plain };
  const asJson = mode.json !== undefined;
  const json = (value: unknown): void => {
    const missing = unknownMembers(value, mode.json);
    if (missing.length > 0) stderr.write(`there is no member ${missing.join(', ')} in this answer\n`);
    stdout.write(`${JSON.stringify(pick(value, mode.json))}\n`);
  };
  const draw = (items: readonly object[], columns: readonly Column[]): { text: string; hidden: string[] } =>
    mode.plain
      ? { text: tabs(columns, items as Record<string, unknown>[]), hidden: [] }
      : renderTable(columns, items as Record<string, unknown>[], look());
  return {
    json: asJson,
    plain: mode.plain,
    colour: terminal.colour.stdout,
    terminal,
    item: (value, members) => {
      if (asJson) json(value);
      else stdout.write(mode.plain ? describePlainly(value, members) : describeItem(value, members, look()));
    },
    list: (page, columns) => {
      if (asJson) return json(page);
      const { text, hidden } = draw(page.items, columns);
      stdout.write(text);
      if (page.items.length === 0 && terminal.watched) stderr.write('nothing to show\n');
      if (hidden.length > 0 && terminal.watched)
        stderr.write(`no room for ${hidden.join(', ')}: --plain or --json shows all\n`);
      if (page.next !== null) stderr.write(`there is more: --cursor ${page.next}, or --all-pages\n`);
    },
    table: (items, columns) => draw(items, columns).text,
    text: (text, value) => (asJson ? json(value) : void stdout.write(text.endsWith('\n') ? text : `${text}\n`)),
    data: (bytes) => void stdout.write(bytes),
    note: (line) => void stderr.write(`${line}\n`),
    next: (...commands) => {
      if (!terminal.watched || asJson) return;
      for (const command of commands) stderr.write(`${err(90, 'next:')} ${cell(command)}\n`);
    },
    phase: (line) => startPhase(line, screen),
    progress: (line, totalBytes) => startProgress(line, totalBytes, screen),
    error: (thrown) => {
      const error = toAppError(thrown);
      stderr.write(asJson ? errorJson(error) : errorText(error, (text) => err(31, text)));
      return ERROR_CODES[error.code].exitCode;
    },
  };
}

type Members = Record<string, unknown>;

const itemsOf = (value: unknown): object[] => {
  if (typeof value !== 'object' || value === null) return [];
  const { items } = value as { items?: unknown };
  return Array.isArray(items) ? (items as object[]) : [value];
};

function pick(value: unknown, members: OutputMode['json']): unknown {
  if (!Array.isArray(members) || typeof value !== 'object' || value === null) return value;
  const one = (item: object) => Object.fromEntries(members.map((name) => [name, (item as Members)[name]]));
  const page = value as { items?: unknown };
  if (Array.isArray(page.items)) return { ...value, items: page.items.map((item) => one(item as object)) };
  return one(value);
}

/** Members that were asked for and that no item has. */
function unknownMembers(value: unknown, members: OutputMode['json']): string[] {
  const items = itemsOf(value);
  if (!Array.isArray(members) || items.length === 0) return [];
  return members.filter((name) => items.every((item) => !Object.hasOwn(item, name)));
}

function describePlainly(value: object, members: readonly string[] | undefined): string {
  const record = value as Members;
  const names = (members ?? Object.keys(record)).filter((name) => record[name] !== undefined);
  const width = Math.max(0, ...names.map((name) => name.length));
  return names.map((name) => `${name.padEnd(width)}  ${cell(record[name])}\n`).join('');
}

function tabs(columns: readonly Column[], items: readonly Members[]): string {
  const rows = items.map((item) => columns.map(([, show]) => cell(typeof show === 'string' ? item[show] : show(item))));
  return [columns.map(([title]) => title), ...rows].map((row) => `${row.join('\t')}\n`).join('');
}
