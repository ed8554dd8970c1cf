import { type AppError, ERROR_CODES, toAppError } from '#kernel/errors.ts';

export type OutputMode = {
  /** All members, or only those named. */
  json: true | string[] | undefined;
  plain: boolean;
};

/** A column of a table: its title and the member it shows, or how to show an item. */
export type Column = readonly [title: string, show: string | ((item: Record<string, unknown>) => unknown)];

export type Output = {
  readonly json: boolean;
  readonly colour: boolean;
  /** One thing: JSON, or its members one a line (only `members`, when given). */
  item(value: object, members?: readonly string[]): void;
  /** One page of a list: JSON as it came, or a table. */
  list(page: { items: object[]; next: string | null }, columns: readonly Column[]): void;
  /** Text for people where there is no JSON; with `--json` the value is printed instead. */
  text(text: string, value: unknown): void;
  /** Raw bytes or text of the data itself. */
  data(bytes: string | Uint8Array): void;
  /** A line for people on stderr. */
  note(line: string): void;
  /** Says what is being done: a spinner on a terminal, else one line. The returned function ends it. */
  phase(line: string): (result?: string) => void;
  error(thrown: unknown): number;
};

type Streams = { stdout: NodeJS.WriteStream; stderr: NodeJS.WriteStream; env: NodeJS.ProcessEnv };

/** Data on stdout, everything else on stderr. */
export function createOutput(mode: OutputMode, { stdout, stderr, env }: Streams): Output {
  const coloured = (stream: NodeJS.WriteStream): boolean =>
    !mode.plain &&
    (env.NO_COLOR === undefined || env.NO_COLOR === '') &&
    env.TERM !== 'dumb' &&
    (stream.isTTY === true || (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== '0'));
  const bold = (text: string): string => (coloured(stdout) ? `\x1b[1m${text}\x1b[0m` : text);
  const red = (text: string): string => (coloured(stderr) ? `\x1b[31m${text}\x1b[0m` : text);
  const json = (value: unknown): void => void stdout.write(`${JSON.stringify(pick(value, mode.json))}\n`);
  return {
    json: mode.json !== undefined,
    colour: coloured(stdout),
    item: (value, members) =>
      mode.json !== undefined ? json(value) : void stdout.write(describe(value, members, bold)),
    list: (page, columns) => {
      if (mode.json !== undefined) return json(page);
      const items = page.items as Record<string, unknown>[];
      const rows = items.map((item) =>
        columns.map(([, show]) => cell(typeof show === 'string' ? item[show] : show(item))),
      );
      stdout.write(mode.plain ? tabs(columns, rows) : table(columns, rows, bold));
      if (page.next !== null) stderr.write(`there is more: --cursor ${page.next}\n`);
    },
    text: (text, value) =>
      mode.json !== undefined ? json(value) : void stdout.write(text.endsWith('\n') ? text : `${text}\n`),
    data: (bytes) => void stdout.write(bytes),
    note: (line) => void stderr.write(`${line}\n`),
    phase: (line) => startPhase(line, stderr, mode.plain || env.TERM === 'dumb' || env.CI !== undefined),
    error: (thrown) => {
      const error = toAppError(thrown);
      stderr.write(mode.json !== undefined ? errorJson(error) : errorText(error, red));
      return ERROR_CODES[error.code].exitCode;
    },
  };
}

function pick(value: unknown, members: OutputMode['json']): unknown {
  if (!Array.isArray(members) || typeof value !== 'object' || value === null) return value;
  const one = (item: object) =>
    Object.fromEntries(members.map((name) => [name, (item as Record<string, unknown>)[name]]));
  const page = value as { items?: unknown };
  if (Array.isArray(page.items)) return { ...value, items: page.items.map((item) => one(item as object)) };
  return one(value);
}

/** The error object that scripts read. */
export function errorJson(error: AppError): string {
  const { requestId, decisionId } = error.details;
  return `${JSON.stringify({
    error: {
      code: error.code,
      message: error.message,
      hint: error.hint,
      requestId: requestId ?? null,
      ...(decisionId === undefined ? {} : { decisionId }),
    },
  })}\n`;
}

function errorText(error: AppError, red: (text: string) => string): string {
  const { requestId, decisionId } = error.details;
  const fields = Array.isArray(error.details.fields)
    ? (error.details.fields as { field: string; message: string }[])
    : [];
  const lines = [`${red('error:')} ${error.message}`];
  if (fields.length > 1) for (const one of fields) lines.push(`  ${one.field}: ${one.message}`);
  lines.push(`  what to do: ${error.hint}`);
  if (decisionId !== undefined) lines.push(`  decision: ${decisionId}`);
  if (typeof requestId === 'string') lines.push(`  request: ${requestId}`);
  if (error.code === 'internal' && error.cause !== undefined && requestId === undefined)
    lines.push(`  cause: ${error.cause instanceof Error ? error.cause.message : String(error.cause)}`);
  return `${lines.join('\n')}\n`;
}

/** A value in a table or a line: control characters are shown, not obeyed, since names come from others. */
export function cell(value: unknown): string {
  if (value === undefined || value === null || value === '') return '-';
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(cell).join(',');
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value);
  return text.replace(
    /[\x00-\x1f\x7f-\x9f]/g,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function describe(value: object, members: readonly string[] | undefined, bold: (text: string) => string): string {
  const record = value as Record<string, unknown>;
  const names = (members ?? Object.keys(record)).filter((name) => record[name] !== undefined);
  const width = Math.max(0, ...names.map((name) => name.length));
  return names.map((name) => `${bold(name.padEnd(width))}  ${cell(record[name])}\n`).join('');
}

const tabs = (columns: readonly Column[], rows: string[][]): string =>
  [columns.map(([title]) => title), ...rows].map((row) => `${row.join('\t')}\n`).join('');

function table(columns: readonly Column[], rows: string[][], bold: (text: string) => string): string {
  const widths = columns.map(([title], at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells.map((text, at) => (at === cells.length - 1 ? text : text.padEnd(widths[at] ?? 0))).join('  ');
  return [bold(line(columns.map(([title]) => title))), ...rows.map(line)].map((text) => `${text}\n`).join('');
}

const FRAMES = ['|', '/', '-', '\\'];

function startPhase(line: string, stderr: NodeJS.WriteStream, plain: boolean): (result?: string) => void {
  if (plain || stderr.isTTY !== true) {
    stderr.write(`${line}\n`);
    return (result) => (result === undefined ? undefined : void stderr.write(`${line}: ${result}\n`));
  }
  let turn = 0;
  const draw = (): void => {
    stderr.write(`\r${FRAMES[turn % FRAMES.length]} ${line}`);
    turn += 1;
  };
  draw();
  const timer = setInterval(draw, 120);
  timer.unref();
  return (result = 'done') => {
    clearInterval(timer);
    stderr.write(`\r\x1b[K${line}: ${result}\n`);
  };
}
