import { numberCondition, textCondition, unknownAttribute } from '#kernel/condition-sql.ts';
import { AppError } from '#kernel/errors.ts';
import { type Condition, type Ordering, parseFilter, parseOrder } from '#kernel/filter.ts';
import { joinSql, listSql, type Reader, rawSql, type Sql, sql } from '#kernel/sql.ts';
import { labelsWithinSql } from '#src/lineage/labels-within-sql.ts';
import type { Lifecycle, Run } from './run.ts';
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

const TEXT_ATTRIBUTES: Record<string, string> = {
  run_id: 'id',
  run_name: 'name',
  'run name': 'name',
  Run_name: 'name',
  status: 'status',
  artifact_uri: 'artifact_uri',
  user_id: 'user_id',
  experiment_id: 'experiment_id',
};
const TIME_ATTRIBUTES: Record<string, string> = { start_time: 'start_ms', created: 'start_ms', end_time: 'end_ms' };
const KNOWN = [...Object.keys(TEXT_ATTRIBUTES), ...Object.keys(TIME_ATTRIBUTES)];

function conditionSql(condition: Condition): Sql {
  const { entity, key } = condition;
  if (entity === 'metric') {
    return sql`exists (select 1 from latest_metrics m where m.run_id = r.id and m.key = ${key} and m.is_nan = 0 and ${numberCondition(rawSql('m.value'), condition)})`;
  }
  if (entity === 'param' || entity === 'tag') {
    if (entity === 'tag' && key === 'mlflow.runName') return textCondition(rawSql('r.name'), condition);
    const table = rawSql(entity === 'param' ? 'run_params' : 'run_tags');
    return sql`exists (select 1 from ${table} p where p.run_id = r.id and p.key = ${key} and ${textCondition(rawSql('p.value'), condition)})`;
  }
  if (entity === 'dataset') return datasetSql(condition);
  const text = TEXT_ATTRIBUTES[key];
  if (text !== undefined) return textCondition(rawSql(`r.${text}`), condition);
  const time = TIME_ATTRIBUTES[key];
  if (time !== undefined) return numberCondition(rawSql(`r.${time}`), condition);
  throw unknownAttribute(key, KNOWN);
}

function datasetSql(condition: Condition): Sql {
  const { key } = condition;
  if (key !== 'name' && key !== 'digest' && key !== 'context')
    throw unknownAttribute(key, ['name', 'digest', 'context']);
  if (key === 'context') {
    if (condition.value.kind !== 'text' || condition.operator !== '=')
      throw new AppError('invalid', 'datasets.context is compared by = with a quoted text.');
    const wanted = `%"key":"mlflow.data.context","value":${JSON.stringify(condition.value.text)}%`;
    return sql`exists (select 1 from run_inputs i where i.run_id = r.id and i.tags like ${wanted})`;
  }
  return sql`exists (select 1 from run_inputs i where i.run_id = r.id and ${textCondition(rawSql(`i.${key}`), condition)})`;
}

/** Value first, then NaN, then missing, in both directions. */
function orderSql(ordering: Ordering): Sql[] {
  const { entity, key } = ordering;
  const direction = rawSql(ordering.descending ? 'desc' : 'asc');
  if (entity === 'metric') {
    const rank = sql`coalesce((select m.is_nan from latest_metrics m where m.run_id = r.id and m.key = ${key}), 2)`;
    const value = sql`(select m.value from latest_metrics m where m.run_id = r.id and m.key = ${key})`;
    return [rank, sql`${value} ${direction}`];
  }
  if (entity === 'param' || entity === 'tag') {
    const table = rawSql(entity === 'param' ? 'run_params' : 'run_tags');
    const value = sql`(select p.value from ${table} p where p.run_id = r.id and p.key = ${key})`;
    return [sql`case when ${value} is null then 1 else 0 end`, sql`${value} ${direction}`];
  }
  const name = TEXT_ATTRIBUTES[key] ?? TIME_ATTRIBUTES[key];
  if (name === undefined) throw unknownAttribute(key, KNOWN);
  const column = rawSql(`r.${name}`);
  return [sql`case when ${column} is null then 1 else 0 end`, sql`${column} ${direction}`];
}

type Token = { offset: number } | { afterMs: number; afterId: string };

function readToken(text: string): Token {
  try {
    const token = JSON.parse(Buffer.from(text, 'base64').toString('utf8')) as Record<string, unknown>;
    if (Number.isSafeInteger(token.offset) && Number(token.offset) >= 0) return { offset: Number(token.offset) };
    if (Number.isSafeInteger(token.afterMs) && typeof token.afterId === 'string')
      return { afterMs: Number(token.afterMs), afterId: token.afterId };
  } catch {
    // Said below.
  }
  throw new AppError('invalid', 'Invalid page token, could not base64-decode it.');
}

const writeToken = (token: Token): string => Buffer.from(JSON.stringify(token)).toString('base64');

/** A page of runs, and the token of the next one whenever this one is full. Without an order of its own it goes by key, not by offset. */
export async function searchRuns(
  reader: Reader,
  search: RunSearch,
): Promise<{ runs: Run[]; nextToken: string | undefined }> {
  if (search.experimentIds.length === 0) return { runs: [], nextToken: undefined };
  const orderings = search.orderBy.map(parseOrder);
  const names = orderings.map(({ entity, key }) => `${entity}.${key}`);
  if (new Set(names).size < names.length) throw new AppError('invalid', 'The same key is ordered by twice.');
  const token = search.pageToken === undefined || search.pageToken === '' ? undefined : readToken(search.pageToken);
  const offset = token !== undefined && 'offset' in token ? token.offset : 0;
  const conditions = [
    sql`r.experiment_id in ${listSql(search.experimentIds)}`,
    sql`r.lifecycle in ${listSql(search.lifecycles)}`,
    ...(search.owner === undefined ? [] : [sql`r.owner = ${search.owner}`]),
    ...(search.labelsWithin === undefined ? [] : [labelsWithinSql(rawSql("'run:' || r.id"), search.labelsWithin)]),
    ...parseFilter(search.filter).map(conditionSql),
    ...(token !== undefined && 'afterMs' in token
      ? [sql`(r.start_ms < ${token.afterMs} or (r.start_ms = ${token.afterMs} and r.id > ${token.afterId}))`]
      : []),
  ];
  const order = joinSql([...orderings.flatMap(orderSql), rawSql('r.start_ms desc'), rawSql('r.id')], ', ');
  const rows = await reader.all<RunRow>(
    sql`select r.* from runs r where ${joinSql(conditions, ' and ')} order by ${order} limit ${search.limit} offset ${offset}`,
  );
  const last = rows.at(-1);
  if (rows.length < search.limit || last === undefined) return { runs: rows.map(runOfRow), nextToken: undefined };
  const byKey = orderings.length === 0 && last.start_ms !== null;
  const nextToken = byKey
    ? writeToken({ afterMs: last.start_ms ?? 0, afterId: last.id })
    : writeToken({ offset: offset + rows.length });
  return { runs: rows.map(runOfRow), nextToken };
}
