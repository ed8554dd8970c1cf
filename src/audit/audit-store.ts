import { joinSql, type Reader, type Row, rawSql, type Sql, sql, type Tx } from '#kernel/sql.ts';
import { type EntryDraft, type Opening, type Openings, peopleOf } from './entry.ts';

export type EntryRow = { seq: number; leaf: string; leafHash: Buffer; openings: Openings };

type StoredRow = Row & {
  seq: number;
  leaf: string;
  leaf_hash: Uint8Array;
  actor_opening: string | null;
  object_opening: string | null;
};

const fromRow = (row: StoredRow): EntryRow => ({
  seq: row.seq,
  leaf: row.leaf,
  leafHash: Buffer.from(row.leaf_hash),
  openings: {
    ...(row.actor_opening !== null && { actor: JSON.parse(row.actor_opening) as Opening }),
    ...(row.object_opening !== null && { object: JSON.parse(row.object_opening) as Opening }),
  },
});

/** PostgreSQL's text has no NUL; the leaf, where it stands escaped, keeps it. */
const searchable = (text: string): string => text.replaceAll('\0', '');

const openingText = (opening: Opening | undefined): string | null =>
  opening === undefined ? null : JSON.stringify(opening);

/** PostgreSQL: only one process appends at a time. The lock ends with the transaction. */
export async function lockLog(tx: Tx): Promise<void> {
  if (tx.engine === 'postgres') await tx.all(rawSql('select pg_advisory_xact_lock(3863, 6962)'));
}

/** How many entries there are. */
export async function selectSize(reader: Reader): Promise<number> {
  const row = await reader.get<{ seq: number | null }>(sql`select max(seq) as seq from audit_entries`);
  return row?.seq === undefined || row.seq === null ? 0 : row.seq + 1;
}

const ROWS_A_STATEMENT = 50;

/** Appends entries in one statement for every fifty. */
export async function insertEntries(tx: Tx, entries: { row: EntryRow; draft: EntryDraft }[]): Promise<void> {
  for (let start = 0; start < entries.length; start += ROWS_A_STATEMENT) {
    const rows = entries.slice(start, start + ROWS_A_STATEMENT).map(({ row, draft }) => {
      const people = peopleOf(draft);
      return sql`(${row.seq}, ${row.leaf}, ${row.leafHash}, ${openingText(row.openings.actor)}, ${openingText(row.openings.object)},
        ${people.actor}, ${people.object}, ${draft.time}, ${draft.actor.type === 'user' ? '' : draft.actor.id}, ${draft.action},
        ${draft.object.kind}, ${people.object === null ? searchable(draft.object.id) : ''}, ${draft.outcome}, ${searchable(draft.requestId)})`;
    });
    await tx.run(sql`insert into audit_entries (seq, leaf, leaf_hash, actor_opening, object_opening, actor_user, object_user, time_ms, actor_id, action, object_kind, object_id, outcome, request_id)
      values ${joinSql(rows, ', ')}`);
  }
}

/** Adds hashes of complete subtrees of 256^level leaves. */
export async function insertSubtrees(
  tx: Tx,
  subtrees: { level: number; position: number; hash: Buffer }[],
): Promise<void> {
  for (const { level, position, hash } of subtrees) {
    await tx.run(sql`insert into audit_subtrees (level, position, hash) values (${level}, ${position}, ${hash})`);
  }
}

/** Adds the checkpoint of a size. */
export async function insertCheckpoint(
  tx: Tx,
  checkpoint: { size: number; note: string; timeMs: number },
): Promise<void> {
  await tx.run(
    sql`insert into audit_checkpoints (size, note, time_ms) values (${checkpoint.size}, ${checkpoint.note}, ${checkpoint.timeMs})`,
  );
}

/** The newest checkpoint. */
export async function selectLatestCheckpoint(reader: Reader): Promise<{ size: number; note: string } | undefined> {
  return reader.get<{ size: number; note: string }>(
    sql`select size, note from audit_checkpoints order by size desc limit 1`,
  );
}

/** The checkpoint of a size. */
export async function selectCheckpoint(reader: Reader, size: number): Promise<string | undefined> {
  return (await reader.get<{ note: string }>(sql`select note from audit_checkpoints where size = ${size}`))?.note;
}

/** Checkpoints of sizes above `after`, smallest first. */
export async function selectCheckpoints(
  reader: Reader,
  after: number,
  limit: number,
): Promise<{ size: number; note: string }[]> {
  return reader.all<{ size: number; note: string }>(
    sql`select size, note from audit_checkpoints where size > ${after} order by size limit ${limit}`,
  );
}

/** Entries `from` to `to` (exclusive) with what opens them. */
export async function selectEntryRows(reader: Reader, from: number, to: number): Promise<EntryRow[]> {
  const rows = await reader.all<StoredRow>(
    sql`select seq, leaf, leaf_hash, actor_opening, object_opening from audit_entries where seq >= ${from} and seq < ${to} order by seq`,
  );
  return rows.map(fromRow);
}

/** An entry with the columns by which it is found, as one text. */
export type StoredEntry = EntryRow & { columns: string };

/** Entries `from` to `to` (exclusive) with all that is stored of them, to be verified. One text is read faster than nine columns. */
export async function selectStoredEntries(reader: Reader, from: number, to: number): Promise<StoredEntry[]> {
  const unit = reader.engine === 'sqlite' ? 'char(31)' : 'chr(31)';
  const columns = rawSql(
    [
      'cast(time_ms as text)',
      'actor_id',
      "coalesce(actor_user, '')",
      'action',
      'object_kind',
      'object_id',
      "coalesce(object_user, '')",
      'outcome',
      'request_id',
    ].join(` || ${unit} || `),
  );
  const rows = await reader.all<StoredRow & { columns: string }>(
    sql`select seq, leaf, leaf_hash, actor_opening, object_opening, ${columns} as columns from audit_entries where seq >= ${from} and seq < ${to} order by seq`,
  );
  return rows.map((row) => Object.assign(fromRow(row), { columns: row.columns }));
}

/** Hashes of leaves `from` to `to` (exclusive). */
export async function selectLeafHashes(reader: Reader, from: number, to: number): Promise<Buffer[]> {
  const rows = await reader.all<{ leaf_hash: Uint8Array }>(
    sql`select leaf_hash from audit_entries where seq >= ${from} and seq < ${to} order by seq`,
  );
  return rows.map((row) => Buffer.from(row.leaf_hash));
}

/** Hashes of subtrees of a level, `from` to `to` (exclusive). */
export async function selectSubtrees(reader: Reader, level: number, from: number, to: number): Promise<Buffer[]> {
  const rows = await reader.all<{ hash: Uint8Array }>(
    sql`select hash from audit_subtrees where level = ${level} and position >= ${from} and position < ${to} order by position`,
  );
  return rows.map((row) => Buffer.from(row.hash));
}

export type EntryFilter = {
  user?: string | undefined;
  actor?: string | undefined;
  action?: string | undefined;
  object?: string | undefined;
  outcome?: string | undefined;
  requestId?: string | undefined;
  sinceMs?: number | undefined;
  untilMs?: number | undefined;
};

type EntryPage = { cursor?: number | undefined; ascending: boolean; limit: number };

/** An index leads to so many at once; more are looked for by going through all. */
const FEW = 2000;
/** So many entries are gone through in one statement: nobody waits for all of them. */
const SPAN = 5000;

/** A page of entries, newest first (or oldest first with `ascending`), from `cursor` on. */
export async function selectEntries(
  reader: Reader,
  filter: EntryFilter,
  page: EntryPage,
  { few, span } = { few: FEW, span: SPAN },
): Promise<EntryRow[]> {
  const size = await selectSize(reader);
  const isFew = await areFew(reader, filter, few);
  const conditions = [...namedConditions(filter, isFew), ...otherConditions(filter)];
  const most = isFew ? Math.max(1, size) : span;
  const found: EntryRow[] = [];
  let [from, to] = page.ascending ? [(page.cursor ?? -1) + 1, size] : [0, Math.min(page.cursor ?? size, size)];
  while (from < to && found.length < page.limit) {
    const [first, end] = page.ascending ? [from, Math.min(to, from + most)] : [Math.max(from, to - most), to];
    const rows =
      await reader.all<StoredRow>(sql`select seq, leaf, leaf_hash, actor_opening, object_opening from audit_entries
      where ${joinSql([...conditions, sql`seq >= ${first} and seq < ${end}`], ' and ')}
      order by seq ${rawSql(page.ascending ? 'asc' : 'desc')} limit ${page.limit - found.length}`);
    for (const row of rows) found.push(fromRow(row));
    if (page.ascending) from = end;
    else to = first;
  }
  return found;
}

/** Whether few entries fit one of the conditions that have an index. */
async function areFew(reader: Reader, filter: EntryFilter, few: number): Promise<boolean> {
  for (const condition of namedConditions(filter, true)) {
    const row = await reader.get<{ count: number }>(
      sql`select count(*) as count from (select 1 as one from audit_entries where ${condition} limit ${few + 1}) f`,
    );
    if ((row?.count ?? 0) <= few) return true;
  }
  return false;
}

/** What has an index; without `indexed` in words that no index is used for. */
function namedConditions(filter: EntryFilter, indexed: boolean): Sql[] {
  const [action, kind, id, user] = ['action', 'object_kind', 'object_id', 'object_user'].map((name) =>
    rawSql(indexed ? name : `(${name} || '')`),
  ) as [Sql, Sql, Sql, Sql];
  const conditions: Sql[] = [];
  if (filter.user !== undefined) conditions.push(sql`actor_user = ${filter.user}`);
  if (filter.action !== undefined)
    conditions.push(sql`(${action} = ${filter.action} or ${action} like ${`${filter.action.replace(/[%_]/g, '')}.%`})`);
  if (filter.object !== undefined) {
    const [ofKind = '', ...rest] = filter.object.split(':');
    const named = rest.join(':');
    conditions.push(
      rest.length > 0
        ? sql`((${kind} = ${ofKind} and ${id} = ${named}) or (${kind} = ${ofKind} and ${user} = ${named}))`
        : sql`${kind} = ${ofKind}`,
    );
  }
  return conditions;
}

function otherConditions(filter: EntryFilter): Sql[] {
  const conditions: Sql[] = [];
  if (filter.actor !== undefined) conditions.push(sql`(actor_id = ${filter.actor} or actor_user = ${filter.actor})`);
  if (filter.outcome !== undefined) conditions.push(sql`outcome = ${filter.outcome}`);
  if (filter.requestId !== undefined) conditions.push(sql`request_id = ${filter.requestId}`);
  if (filter.sinceMs !== undefined) conditions.push(sql`time_ms >= ${filter.sinceMs}`);
  if (filter.untilMs !== undefined) conditions.push(sql`time_ms < ${filter.untilMs}`);
  return conditions;
}

/** Erases the personal values of a user where they acted. Returns in how many entries. */
export async function eraseActor(tx: Tx, user: string): Promise<number> {
  return tx.run(sql`update audit_entries set actor_opening = null, actor_user = null where actor_user = ${user}`);
}

/** Erases the personal values of a user where they were acted on. Returns in how many entries. */
export async function eraseObject(tx: Tx, user: string): Promise<number> {
  return tx.run(sql`update audit_entries set object_opening = null, object_user = null where object_user = ${user}`);
}
