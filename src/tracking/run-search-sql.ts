/** Searches of runs as SQL over `r`: what a filter and an order mean, whatever plan reads them. */
import { columnOf, numberCondition, textCondition, unknownAttribute } from '#kernel/condition-sql.ts';
import { AppError } from '#kernel/errors.ts';
import type { Condition, Ordering } from '#kernel/filter.ts';
import { rawSql, type Sql, sql } from '#kernel/sql.ts';
import { RUN_NAME_TAG } from './run.ts';

const TEXT_ATTRIBUTES: Record<string, string> = {
  run_id: 'r.id',
  run_name: 'r.name',
  'run name': 'r.name',
  'Run name': 'r.name',
  'Run Name': 'r.name',
  status: 'r.status',
  artifact_uri: 'r.artifact_uri',
  user_id: 'r.user_id',
  experiment_id: 'r.experiment_id',
};
const TIME_ATTRIBUTES: Record<string, string> = {
  start_time: 'r.start_ms',
  created: 'r.start_ms',
  Created: 'r.start_ms',
  end_time: 'r.end_ms',
};
const KNOWN = [...Object.keys(TEXT_ATTRIBUTES), ...Object.keys(TIME_ATTRIBUTES)];

/** The column of an attribute that runs are ordered by. Throws `invalid`. */
export function attributeColumn(key: string): string {
  const column = columnOf(TEXT_ATTRIBUTES, key) ?? columnOf(TIME_ATTRIBUTES, key);
  if (column === undefined) throw unknownAttribute(key, KNOWN);
  return column;
}

/** A comparison with a metric's latest value; NaN differs from every number. */
export function metricCondition(table: string, condition: Condition): Sql {
  const compared = numberCondition(rawSql(`${table}.value`), condition);
  const isNan = rawSql(`${table}.is_nan`);
  return condition.operator === '!=' ? sql`(${isNan} = 1 or ${compared})` : sql`${isNan} = 0 and ${compared}`;
}

/** One condition of a filter. Throws `invalid`. */
export function conditionSql(condition: Condition): Sql {
  const { entity, key, operator } = condition;
  if (entity === 'metric')
    return sql`exists (select 1 from latest_metrics m where m.run_id = r.id and m.key = ${key} and ${metricCondition('m', condition)})`;
  if (entity === 'param' || entity === 'tag') {
    if (entity === 'tag' && key === RUN_NAME_TAG) return textCondition(rawSql('r.name'), condition);
    const table = rawSql(entity === 'param' ? 'run_params' : 'run_tags');
    const there = sql`select 1 from ${table} p where p.run_id = r.id and p.key = ${key}`;
    if (operator === 'IS NULL') return sql`not exists (${there})`;
    if (operator === 'IS NOT NULL') return sql`exists (${there})`;
    return sql`exists (${there} and ${textCondition(rawSql('p.value'), condition)})`;
  }
  if (entity === 'dataset') return datasetSql(condition);
  const text = columnOf(TEXT_ATTRIBUTES, key);
  if (text !== undefined) return textCondition(rawSql(text), condition);
  const time = columnOf(TIME_ATTRIBUTES, key);
  if (time !== undefined) return numberCondition(rawSql(time), condition);
  throw unknownAttribute(key, KNOWN);
}

function datasetSql(condition: Condition): Sql {
  const { key } = condition;
  if (key !== 'name' && key !== 'digest' && key !== 'context')
    throw unknownAttribute(key, ['name', 'digest', 'context']);
  if (key === 'context') {
    if (condition.value.kind !== 'text' || condition.operator !== '=')
      throw new AppError('invalid', 'datasets.context is compared by = with a quoted text.');
    const wanted = `"key":"mlflow.data.context","value":${JSON.stringify(condition.value.text)}`;
    const found = `%${wanted.replace(/[\\%_]/g, '\\$&')}%`;
    return sql`exists (select 1 from run_inputs i where i.run_id = r.id and i.tags like ${found} escape '\\')`;
  }
  return sql`exists (select 1 from run_inputs i where i.run_id = r.id and ${textCondition(rawSql(`i.${key}`), condition)})`;
}

/** One clause of an order: value first, then NaN, then missing, in both directions. Throws `invalid`. */
export function orderSql(ordering: Ordering): Sql[] {
  const { entity, key } = ordering;
  const direction = rawSql(ordering.descending ? 'desc' : 'asc');
  if (entity === 'metric') {
    const rank = sql`coalesce((select m.is_nan from latest_metrics m where m.run_id = r.id and m.key = ${key}), 2)`;
    const value = sql`(select m.value from latest_metrics m where m.run_id = r.id and m.key = ${key})`;
    return [rank, sql`${value} ${direction}`];
  }
  if (entity === 'param' || entity === 'tag') {
    const table = rawSql(entity === 'param' ? 'run_params' : 'run_tags');
    const column = rawSql(entity === 'param' ? 'p.sort_key' : 'p.value');
    const value = sql`(select ${column} from ${table} p where p.run_id = r.id and p.key = ${key})`;
    return [sql`case when ${value} is null then 1 else 0 end`, sql`${value} ${direction}`];
  }
  if (entity === 'dataset') throw new AppError('invalid', 'Runs are not ordered by their data sets.');
  const column = rawSql(attributeColumn(key));
  return [sql`case when ${column} is null then 1 else 0 end`, sql`${column} ${direction}`];
}
