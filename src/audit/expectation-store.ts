/** What a log says of the rows, gathered while it is read: on the disk in a file without a name, so that memory stays small. */
import { DatabaseSync } from 'node:sqlite';

/** The last that entries say of a row; `state` is null when it is gone. */
export type Expectation = { state: string | null; owner: string | null; seq: number };

export type Expectations = {
  put(kind: string, key: string, expectation: Expectation): void;
  get(kind: string, key: string): Expectation | undefined;
  /** The same, and remembers that there is such a row. */
  find(kind: string, key: string): Expectation | undefined;
  /** Rows of a kind that should be there and were not found. */
  missing(kind: string, limit: number): (Expectation & { key: string })[];
  close(): void;
};

export function openExpectations(): Expectations {
  const database = new DatabaseSync('');
  database.exec(`pragma synchronous = off; pragma journal_mode = off; pragma cache_size = -8192;
    create table expected (kind text, key text, state text, owner text, seq integer, found integer not null default 0, primary key (kind, key)) without rowid;
    begin`);
  const put = database.prepare(`insert into expected (kind, key, state, owner, seq) values (?, ?, ?, ?, ?)
    on conflict (kind, key) do update set state = excluded.state, seq = excluded.seq,
      owner = case when excluded.state is null then null else coalesce(excluded.owner, owner) end`);
  const get = database.prepare('select state, owner, seq from expected where kind = ? and key = ?');
  const mark = database.prepare('update expected set found = 1 where kind = ? and key = ?');
  const missing = database.prepare(
    "select key, state, owner, seq from expected where kind = ? and found = 0 and state is not null and key not like '?%' limit ?",
  );
  const look = (kind: string, key: string) => get.get(kind, key) as Expectation | undefined;
  return {
    put: (kind, key, { state, owner, seq }) => void put.run(kind, key, state, owner, seq),
    get: look,
    find: (kind, key) => {
      mark.run(kind, key);
      return look(kind, key);
    },
    missing: (kind, limit) => missing.all(kind, limit) as (Expectation & { key: string })[],
    close: () => database.close(),
  };
}
