import { AppError } from '#kernel/errors.ts';
import { type Ordering, parseFilter, parseOrder } from '#kernel/filter.ts';
import { joinSql, listSql, type Reader, type Row, rawSql, type Sql, sql } from '#kernel/sql.ts';
import { labelsWithinSql } from '#src/lineage/labels-within-sql.ts';
import type { Lifecycle, Run } from './run.ts';
import { keySql, type Share, type Stage, stageSql, stagesOf } from './run-order-sql.ts';
import { type After, readPageToken, writePageToken } from './run-page-token.ts';
import { conditionSql, orderSql } from './run-search-sql.ts';
import { narrowedSql, selectShares } from './run-share-store.ts';
import { type RunRow, runOfRow } from './run-store.ts';

export type RunSearch = {
  experimentIds: readonly string[];
  filter: string;
  orderBy: readonly string[];
  lifecycles: readonly Lifecycle[];
  limit: number;
  pageToken: string | undefined;
  /** Only runs of this owner. */
  owner?: string;
  /** Only runs that carry no other label than these. */
  labelsWithin?: readonly string[];
};

type Page = { runs: Run[]; nextToken: string | undefined };

const MOST_EXPERIMENTS = 5000;
const MOST_ORDERINGS = 20;
/** So many runs are looked through in one statement: nobody waits for all of them. */
const SPAN = 1000;

/** A page of runs, and the token of the next one whenever this one is full. Follows the index of the order, where there is one, by key and not by offset. */
export async function searchRuns(reader: Reader, search: RunSearch, span = SPAN): Promise<Page> {
  const experimentIds = [...new Set(search.experimentIds)];
  if (experimentIds.length === 0) return { runs: [], nextToken: undefined };
  if (experimentIds.length > MOST_EXPERIMENTS)
    throw new AppError('invalid', `At most ${MOST_EXPERIMENTS} experiments are searched at once.`);
  const orderings = orderingsOf(search.orderBy);
  const conditions = parseFilter(search.filter);
  const token = search.pageToken === undefined || search.pageToken === '' ? undefined : readPageToken(search.pageToken);
  const common = commonConditions(search);
  const stages = stagesOf(orderings[0], conditions);
  const walks = stages !== undefined && (token === undefined || 'stage' in token);
  const shares = walks ? await selectShares(reader, experimentIds, search.owner) : undefined;
  const isWalked = shares !== undefined && (shares.length < 2 || orderings.length < 2);
  if (token !== undefined && 'stage' in token && !isWalked) throw staleToken();
  const narrow = isWalked && token === undefined ? await narrowedSql(reader, shares, conditions) : undefined;
  if (stages !== undefined && isWalked && narrow === undefined) {
    const place = token !== undefined && 'stage' in token ? token : { stage: 0, offset: 0 };
    const further = orderings.slice(1).flatMap(orderSql);
    const sifts = conditions.length > 0 || search.labelsWithin !== undefined || !search.lifecycles.includes('active');
    // PostgreSQL works beside the event loop, and most of what is not sifted is shown.
    const isCut = reader.engine === 'sqlite' && sifts && further.length === 0;
    return walk(reader, { stages, shares, further, common, place, search, ...(isCut ? { span } : {}) });
  }
  const offset = token !== undefined && !('stage' in token) ? token.offset : 0;
  const all = [sql`r.experiment_id in ${listSql(experimentIds)}`, ...common, ...conditions.map(conditionSql)];
  const order = joinSql([...orderings.flatMap(orderSql), rawSql('r.start_ms desc'), rawSql('r.id')], ', ');
  const from = narrow === undefined ? rawSql('runs r') : sql`(${narrow}) f cross join runs r`;
  const where = joinSql([...(narrow === undefined ? [] : [rawSql('r.id = f.run_id')]), ...all], ' and ');
  const rows = await reader.all<RunRow>(
    sql`select r.* from ${from} where ${where} order by ${order} limit ${search.limit} offset ${offset}`,
  );
  const isFull = rows.length === search.limit;
  return {
    runs: rows.map(runOfRow),
    nextToken: isFull ? writePageToken({ offset: offset + rows.length }) : undefined,
  };
}

const staleToken = (): AppError =>
  new AppError('invalid', 'Invalid page token: it belongs to another search.', {
    details: { hint: 'Begin with the first page again.' },
  });

function orderingsOf(orderBy: readonly string[]): Ordering[] {
  if (orderBy.length > MOST_ORDERINGS)
    throw new AppError('invalid', `Runs are ordered by at most ${MOST_ORDERINGS} keys.`);
  const orderings = orderBy.map(parseOrder);
  const names = orderings.map(({ entity, key }) => `${entity}.${key}`);
  if (new Set(names).size < names.length) throw new AppError('invalid', 'The same key is ordered by twice.');
  return orderings;
}

const commonConditions = ({ lifecycles, owner, labelsWithin }: RunSearch): Sql[] => [
  sql`r.lifecycle in ${listSql(lifecycles)}`,
  ...(owner === undefined ? [] : [sql`r.owner = ${owner}`]),
  ...(labelsWithin === undefined ? [] : [labelsWithinSql(rawSql("'run:' || r.id"), labelsWithin)]),
];

type Place = { stage: number; after: After } | { stage: number; offset: number };
type Walk = {
  stages: readonly Stage[];
  shares: readonly Share[];
  further: readonly Sql[];
  common: readonly Sql[];
  place: Place;
  search: RunSearch;
  /** Most runs that one statement looks through. */
  span?: number;
};
type WalkedRow = RunRow & { sort_value?: string | number | null };

/** Stage by stage from a place on until the page is full. */
async function walk(reader: Reader, { stages, shares, further, common, place, search, span }: Walk): Promise<Page> {
  if (place.stage >= stages.length) throw staleToken();
  if (shares.length === 0) return { runs: [], nextToken: undefined };
  const runs: Run[] = [];
  for (let at = place.stage; at < stages.length; at += 1) {
    const stage = stages[at] as Stage;
    const begin = at === place.stage ? place : { offset: 0 };
    const offset = 'offset' in begin ? begin.offset : 0;
    let after = 'after' in begin ? begin.after : undefined;
    do {
      const from = after === undefined ? {} : { after };
      const until =
        span === undefined ? undefined : await keyAfter(reader, keySql(stage, shares, { ...from, skip: span }));
      const bounds = { ...from, ...(until === undefined ? {} : { until }) };
      const page = { limit: search.limit - runs.length, offset, ...bounds, further, common };
      const rows = await reader.all<WalkedRow>(stageSql(stage, shares, page));
      for (const row of rows) runs.push(runOfRow(row));
      const last = rows.at(-1);
      if (last !== undefined && runs.length >= search.limit) {
        const next = further.length > 0 ? { offset: offset + rows.length } : { after: keyOf(last) };
        return { runs, nextToken: writePageToken({ stage: at, ...next }) };
      }
      after = until;
    } while (after !== undefined);
  }
  return { runs, nextToken: undefined };
}

type KeyRow = Pick<WalkedRow, 'id' | 'start_ms' | 'sort_value'>;

const keyOf = (row: KeyRow): After => ({ value: row.sort_value ?? null, startMs: row.start_ms ?? 0, id: row.id });

async function keyAfter(reader: Reader, statement: Sql): Promise<After | undefined> {
  const row = await reader.get<KeyRow & Row>(statement);
  return row === undefined ? undefined : keyOf(row);
}
