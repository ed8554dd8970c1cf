/** SQL as data: a tagged template whose values never become text, rendered with `?` (SQLite) or `$1` (PostgreSQL). */

export type SqlValue = string | number | bigint | null | Uint8Array;

export type Sql = { readonly parts: readonly string[]; readonly values: readonly SqlValue[] };

const isSql = (value: unknown): value is Sql =>
  typeof value === 'object' && value !== null && 'parts' in value && 'values' in value;

/** Builds a statement; an interpolated `Sql` is spliced in, anything else becomes a bound value. */
export function sql(strings: TemplateStringsArray, ...inputs: (SqlValue | Sql)[]): Sql {
  if (!inputs.some(isSql)) return { parts: strings, values: inputs as SqlValue[] };
  const parts: string[] = [strings[0] ?? ''];
  const values: SqlValue[] = [];
  inputs.forEach((input, index) => {
    const following = strings[index + 1] ?? '';
    if (isSql(input)) {
      parts[parts.length - 1] += input.parts[0] ?? '';
      for (let i = 1; i < input.parts.length; i += 1) parts.push(input.parts[i] ?? '');
      values.push(...input.values);
      parts[parts.length - 1] += following;
    } else {
      values.push(input);
      parts.push(following);
    }
  });
  return { parts, values };
}

/** Joins fragments with a separator; an empty list gives an empty fragment. */
export function joinSql(fragments: readonly Sql[], separator: string): Sql {
  const parts: string[] = [''];
  const values: SqlValue[] = [];
  fragments.forEach((fragment, index) => {
    parts[parts.length - 1] += (index === 0 ? '' : separator) + (fragment.parts[0] ?? '');
    for (let at = 1; at < fragment.parts.length; at += 1) parts.push(fragment.parts[at] ?? '');
    for (const value of fragment.values) values.push(value);
  });
  return { parts, values };
}

/** A fragment of trusted text: constants of the program only, never input. */
export function rawSql(text: string): Sql {
  return { parts: [text], values: [] };
}

/** `(?, ?, …)` for an IN clause; the list must not be empty. */
export function listSql(values: readonly SqlValue[]): Sql {
  return sql`(${joinSql(
    values.map((value) => sql`${value}`),
    ', ',
  )})`;
}

const rendered = {
  sqlite: new WeakMap<readonly string[], string>(),
  postgres: new WeakMap<readonly string[], string>(),
};

/** One statement's rendering for an engine. A template without fragments always has the same, and is rendered once. */
export function renderSql(statement: Sql, engine: 'sqlite' | 'postgres'): string {
  const known = rendered[engine].get(statement.parts);
  if (known !== undefined) return known;
  const text = render(statement, engine);
  if ('raw' in statement.parts) rendered[engine].set(statement.parts, text);
  return text;
}

function render(statement: Sql, engine: 'sqlite' | 'postgres'): string {
  if (engine === 'sqlite') return statement.parts.join('?');
  return statement.parts.reduce((text, part, index) => (index === 0 ? part : `${text}$${index}${part}`), '');
}

export type Row = Record<string, SqlValue>;

/** What can run statements. Columns come back as strings, numbers (also for BIGINT), null or bytes. */
export type Reader = {
  readonly engine: 'sqlite' | 'postgres';
  all<T extends Row = Row>(statement: Sql): Promise<T[]>;
  get<T extends Row = Row>(statement: Sql): Promise<T | undefined>;
};

/** A transaction in progress. */
export type Tx = Reader & {
  /** Runs a statement that changes rows; returns how many. */
  run(statement: Sql): Promise<number>;
  /** Runs `body` in a savepoint: when it throws, only what it changed is undone, and the error goes on. */
  savepoint<T>(body: () => Promise<T>): Promise<T>;
};

/** The database. Domains get a `Tx` handed in; only the committer and background work open transactions. */
export type Database = {
  readonly engine: 'sqlite' | 'postgres';
  /**
   * Runs `body` in one transaction; one at a time, in order of arrival. It is durable when the promise resolves. `onCommitted` is called before
   * that, as soon as the transactions that follow see what this one did.
   */
  transaction<T>(body: (tx: Tx) => Promise<T>, onCommitted?: () => void): Promise<T>;
  /** Reads the last committed state, and answers when that is durable. */
  read<T>(body: (reader: Reader) => Promise<T>): Promise<T>;
  /** The same without waiting for the disk: only for what decides about a crossing, whose own commit is durable later than all that it saw. */
  peek<T>(body: (reader: Reader) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};
