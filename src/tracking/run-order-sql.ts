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
  if (ordering === undefined) return [{ conditions: conditions.map(conditionSql) }];
  const { entity, key, descending } = ordering;
  const all = conditions.map(conditionSql);
  if (entity === 'metric') return metricStages(key, descending, conditions);
  if (entity === 'param') {
    const value = { column: rawSql('o.sort_key'), descending, type: 'string' } as const;
    const without = sql`not exists (select 1 from run_params m where m.run_id = r.id and m.key = ${key})`;
    return [
      { table: 'run_params', value, conditions: [sql`o.key = ${key}`, ...all] },
      { conditions: [without, ...all] },
    ];
  }
  const indexed = entity === 'attribute' ? INDEXED[attributeColumn(key)] : undefined;
  if (indexed === undefined) return undefined;
  const column = rawSql(indexed.column);
  const value = { column, descending, type: indexed.type };
  if (!indexed.nullable) return [{ value, conditions: all }];
  return [
    { value, conditions: [sql`${column} is not null`, ...all] },
    { conditions: [sql`${column} is null`, ...all] },
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
    conditions: [of, rawSql('o.is_nan = 0'), ...bounds.map((one) => numberCondition(column, one)), ...others],
  };
  if (bounds.length > 0) return [having];
  const without = sql`not exists (select 1 from latest_metrics m where m.run_id = r.id and m.key = ${key})`;
  return [
    having,
    { table: 'latest_metrics', conditions: [of, rawSql('o.is_nan = 1'), ...others] },
    { conditions: [without, ...others] },
  ];
}

export type StagePage = {
  limit: number;
  offset: number;
  after?: After;
  further: readonly Sql[];
  common: readonly Sql[];
};

/** The statement of a page of one stage. `further`: the clauses of the order after the first. `common`: what holds for all stages. */
export function stageSql(stage: Stage, shares: readonly Share[], page: StagePage): Sql {
  const [first, ...rest] = shares.map((share) => shareSql(stage, share, page));
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

function shareSql(stage: Stage, { experimentId, owner }: Share, page: StagePage): Sql {
  const { table, value } = stage;
  const lead = rawSql(table === undefined ? 'r' : 'o');
  const id = rawSql(table === undefined ? 'r.id' : 'o.run_id');
  const start = sql`${lead}.start_ms`;
  // A cross join keeps the order of its tables on SQLite: the index leads.
  const from = table === undefined ? rawSql('runs r') : rawSql(`${table} o cross join runs r`);
  const conditions = [
    sql`${lead}.experiment_id = ${experimentId}`,
    sql`${lead}.owner = ${owner}`,
    ...(table === undefined ? [] : [rawSql('r.id = o.run_id')]),
    ...stage.conditions,
    ...page.common,
    ...(page.after === undefined ? [] : [afterSql(stage, page.after, start, id)]),
  ];
  const order = [
    ...(value === undefined ? [] : [sql`${value.column} ${rawSql(value.descending ? 'desc' : 'asc')}`]),
    ...page.further,
    // A second time the start would only keep SQLite from following the index.
    ...(value?.column.parts[0] === 'r.start_ms' ? [] : [sql`${start} desc`]),
    id,
  ];
  const selected = value === undefined ? rawSql('r.*') : sql`r.*, ${value.column} as sort_value`;
  return sql`select ${selected} from ${from} where ${joinSql(conditions, ' and ')} order by ${joinSql(order, ', ')} limit ${page.limit} offset ${page.offset}`;
}

function afterSql({ value }: Stage, after: After, start: Sql, id: Sql): Sql {
  const tie = sql`${start} <= ${after.startMs} and (${start} < ${after.startMs} or ${id} > ${after.id})`;
  if (value === undefined) return tie;
  if (typeof after.value !== value.type || after.value === null)
    throw new AppError('invalid', 'Invalid page token: it belongs to another order.');
  const whole = typeof after.value === 'string' || Number.isSafeInteger(after.value);
  const sort = whole ? sql`${after.value}` : sql`cast(${after.value} as double precision)`;
  const { column, descending } = value;
  const [beyond, from] = descending ? ['<', '<='] : ['>', '>='];
  return sql`${column} ${rawSql(from)} ${sort} and (${column} ${rawSql(beyond)} ${sort} or (${tie}))`;
}
