/**
 * An order of runs as stages that an index gives in order: those that have a value, then those whose value is NaN, then those
 * without one. Each is read within one experiment and owner at a time, by which every index begins.
 */
import { numberCondition } from '#kernel/condition-sql.ts';
import { AppError } from '#kernel/errors.ts';
import type { Condition, Ordering } from '#kernel/filter.ts';
import { joinSql, rawSql, type Sql, sql } from '#kernel/sql.ts';
import type { After } from './run-page-token.ts';
import { attributeColumn, conditionSql } from './run-search-sql.ts';

/** The runs of one owner in one experiment. */
export type Share = { experimentId: string; owner: string };

export type Stage = {
  /** The table `o` that leads to the runs; without one the runs lead themselves. */
  table?: string;
  /** What the index itself is bound by. */
  lead: Sql[];
  conditions: Sql[];
  value?: { column: Sql; descending: boolean; type: 'number' | 'string' };
};

/** Orders by these columns follow an index. `nullable`: those without a value come last. */
const INDEXED: Record<string, { column: string; type: 'number' | 'string'; nullable: boolean }> = {
  'r.start_ms': { column: 'r.start_ms', type: 'number', nullable: false },
  'r.end_ms': { column: 'r.end_ms', type: 'number', nullable: true },
  'r.name': { column: 'substr(r.name, 1, 200)', type: 'string', nullable: false },
  'r.status': { column: 'r.status', type: 'string', nullable: false },
};

/** The stages of an order with these conditions; nothing when no index has it. Throws `invalid`. */
export function stagesOf(ordering: Ordering | undefined, conditions: readonly Condition[]): Stage[] | undefined {
  if (ordering === undefined) return [{ lead: [], conditions: conditions.map(conditionSql) }];
  const { entity, key, descending } = ordering;
  const all = conditions.map(conditionSql);
  if (entity === 'metric') return metricStages(key, descending, conditions);
  if (entity === 'param') {
    const value = { column: rawSql('o.sort_key'), descending, type: 'string' } as const;
    const without = sql`not exists (select 1 from run_params m where m.run_id = r.id and m.key = ${key})`;
    return [
      { table: 'run_params', value, lead: [sql`o.key = ${key}`], conditions: all },
      { lead: [], conditions: [without, ...all] },
    ];
  }
  const indexed = entity === 'attribute' ? INDEXED[attributeColumn(key)] : undefined;
  if (indexed === undefined) return undefined;
  const column = rawSql(indexed.column);
  const value = { column, descending, type: indexed.type };
  if (!indexed.nullable) return [{ value, lead: [], conditions: all }];
  return [
    { value, lead: [sql`${column} is not null`], conditions: all },
    { lead: [sql`${column} is null`], conditions: all },
  ];
}

/** A comparison with the very metric that is ordered by bounds the way through the index, and leaves only runs that have a value. */
function metricStages(key: string, descending: boolean, conditions: readonly Condition[]): Stage[] {
  const bounds = conditions.filter((one) => one.entity === 'metric' && one.key === key && one.operator !== '!=');
  const others = conditions.filter((one) => !bounds.includes(one)).map(conditionSql);
  const of = sql`o.key = ${key}`;
  const column = rawSql('o.value');
  const having: Stage = {
    table: 'latest_metrics',
    value: { column, descending, type: 'number' },
    lead: [of, rawSql('o.is_nan = 0'), ...bounds.map((one) => numberCondition(column, one))],
    conditions: others,
  };
  if (bounds.length > 0) return [having];
  const without = sql`not exists (select 1 from latest_metrics m where m.run_id = r.id and m.key = ${key})`;
  return [
    having,
    { table: 'latest_metrics', lead: [of, rawSql('o.is_nan = 1')], conditions: others },
    { lead: [], conditions: [without, ...others] },
  ];
}

export type StagePage = {
  limit: number;
  offset: number;
  after?: After;
  /** The last key that is looked at. */
  until?: After;
  further: readonly Sql[];
  common: readonly Sql[];
};

/** The statement of a page of one stage. `further`: the clauses of the order after the first. `common`: what holds for all stages. */
export const stageSql = (stage: Stage, shares: readonly Share[], page: StagePage): Sql =>
  mergedSql(
    stage,
    shares.map((share) => shareSql(stage, share, page)),
    page,
  );

/** The statement of the key that lies so many further along the index of a stage, whether it fits the conditions or not. */
export function keySql(stage: Stage, shares: readonly Share[], from: { after?: After; skip: number }): Sql {
  const { skip, ...after } = from;
  const page: StagePage = { ...after, limit: 1, offset: skip, further: [], common: [] };
  const each: StagePage = shares.length === 1 ? page : { ...page, limit: skip + 1, offset: 0 };
  const keys = shares.map((share) => shareSql({ ...stage, conditions: [] }, share, each, true));
  return mergedSql(stage, keys, page);
}

/** The shares' rows as one, in the order of the stage. */
function mergedSql(stage: Stage, statements: readonly Sql[], page: Pick<StagePage, 'limit' | 'offset'>): Sql {
  const [first, ...rest] = statements;
  if (first === undefined) throw new AppError('internal', 'A page of runs needs a share.');
  if (rest.length === 0) return first;
  const all = joinSql(
    [first, ...rest].map((one, index) => sql`select * from (${one}) ${rawSql(`s${index}`)}`),
    ' union all ',
  );
  const value = stage.value === undefined ? [] : [rawSql(`u.sort_value ${stage.value.descending ? 'desc' : 'asc'}`)];
  const order = joinSql([...value, rawSql('u.start_ms desc'), rawSql('u.id')], ', ');
  return sql`select * from (${all}) u order by ${order} limit ${page.limit} offset ${page.offset}`;
}

function shareSql(stage: Stage, { experimentId, owner }: Share, page: StagePage, onlyKeys = false): Sql {
  const { table, value } = stage;
  const lead = rawSql(table === undefined ? 'r' : 'o');
  const id = rawSql(table === undefined ? 'r.id' : 'o.run_id');
  const start = sql`${lead}.start_ms`;
  // A cross join keeps the order of its tables on SQLite: the index leads.
  const from = rawSql(table === undefined ? 'runs r' : onlyKeys ? `${table} o` : `${table} o cross join runs r`);
  const conditions = [
    sql`${lead}.experiment_id = ${experimentId}`,
    sql`${lead}.owner = ${owner}`,
    ...(table === undefined || onlyKeys ? [] : [rawSql('r.id = o.run_id')]),
    ...stage.lead,
    ...stage.conditions,
    ...page.common,
    ...(page.after === undefined ? [] : [besideSql(stage, page.after, { start, id }, 'after')]),
    ...(page.until === undefined ? [] : [besideSql(stage, page.until, { start, id }, 'until')]),
  ];
  const order = [
    ...(value === undefined ? [] : [sql`${value.column} ${rawSql(value.descending ? 'desc' : 'asc')}`]),
    ...page.further,
    // A second time the start would only keep SQLite from following the index.
    ...(value?.column.parts[0] === 'r.start_ms' ? [] : [sql`${start} desc`]),
    id,
  ];
  const row = onlyKeys ? sql`${start} as start_ms, ${id} as id` : rawSql('r.*');
  const selected = value === undefined ? row : sql`${row}, ${value.column} as sort_value`;
  return sql`select ${selected} from ${from} where ${joinSql(conditions, ' and ')} order by ${joinSql(order, ', ')} limit ${page.limit} offset ${page.offset}`;
}

/** Whether a row comes after a key in the order of a stage, or else is it or comes before. */
function besideSql({ value }: Stage, key: After, { start, id }: { start: Sql; id: Sql }, side: 'after' | 'until'): Sql {
  const isAfter = side === 'after';
  const [past, further] = isAfter ? ['<', '>'] : ['>', '<='];
  const tie = sql`${start} ${rawSql(`${past}=`)} ${key.startMs} and (${start} ${rawSql(past)} ${key.startMs} or ${id} ${rawSql(further)} ${key.id})`;
  if (value === undefined) return tie;
  if (typeof key.value !== value.type || key.value === null)
    throw new AppError('invalid', 'Invalid page token: it belongs to another order.');
  const whole = typeof key.value === 'string' || Number.isSafeInteger(key.value);
  const sort = whole ? sql`${key.value}` : sql`cast(${key.value} as double precision)`;
  const { column, descending } = value;
  const beyond = descending === isAfter ? '<' : '>';
  return sql`${column} ${rawSql(`${beyond}=`)} ${sort} and (${column} ${rawSql(beyond)} ${sort} or (${tie}))`;
}
