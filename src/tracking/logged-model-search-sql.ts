/** Searches of logged models as SQL over `m`. */
import { columnOf, numberCondition, textCondition, unknownAttribute } from '#kernel/condition-sql.ts';
import { type Condition, parseFilter, parseOrder } from '#kernel/filter.ts';
import { listSql, rawSql, type Sql, sql } from '#kernel/sql.ts';
import { labelsWithinSql } from '#src/lineage/labels-within-sql.ts';

export type LoggedModelOrder = { field: string; descending: boolean };

const TEXTS: Record<string, string> = {
  name: 'm.name',
  model_id: 'm.id',
  model_type: 'm.model_type',
  status: 'm.status',
  source_run_id: 'm.source_run_id',
  experiment_id: 'm.experiment_id',
};
const TIMES: Record<string, string> = {
  creation_timestamp: 'm.created_ms',
  creation_time: 'm.created_ms',
  last_updated_timestamp: 'm.updated_ms',
};
const KNOWN = [...Object.keys(TEXTS), ...Object.keys(TIMES)];

function conditionSql(condition: Condition): Sql {
  const { entity, key } = condition;
  if (entity === 'metric')
    return sql`exists (select 1 from logged_model_metrics x where x.model_id = m.id and x.key = ${key} and ${numberCondition(rawSql('x.value'), condition)})`;
  if (entity === 'param' || entity === 'tag') {
    const table = rawSql(entity === 'param' ? 'logged_model_params' : 'logged_model_tags');
    return sql`exists (select 1 from ${table} x where x.model_id = m.id and x.key = ${key} and ${textCondition(rawSql('x.value'), condition)})`;
  }
  const text = columnOf(TEXTS, key);
  if (text !== undefined) return textCondition(rawSql(text), condition);
  const time = columnOf(TIMES, key);
  if (time !== undefined) return numberCondition(rawSql(time), condition);
  throw unknownAttribute(key, KNOWN);
}

/** Throws `invalid`. */
export function loggedModelConditions(search: {
  experimentIds: readonly string[];
  filter: string;
  owner: string;
  labelsWithin: readonly string[] | undefined;
}): Sql[] {
  const { experimentIds, labelsWithin } = search;
  return [
    experimentIds.length === 0 ? rawSql('1 = 0') : sql`m.experiment_id in ${listSql(experimentIds)}`,
    sql`m.owner = ${search.owner}`,
    ...(labelsWithin === undefined ? [] : [labelsWithinSql(rawSql("'model:' || m.id"), labelsWithin)]),
    ...parseFilter(search.filter).map(conditionSql),
  ];
}

/** Value first, missing last, in both directions. */
export const loggedModelOrder = (orderBy: readonly LoggedModelOrder[]): Sql[] =>
  orderBy.flatMap(({ field, descending }) => {
    const { entity, key } = parseOrder(field);
    const direction = rawSql(descending ? 'desc' : 'asc');
    if (entity === 'metric') {
      const value = sql`(select x.value from logged_model_metrics x where x.model_id = m.id and x.key = ${key} order by x.step desc, x.time_ms desc limit 1)`;
      return [sql`case when ${value} is null then 1 else 0 end`, sql`${value} ${direction}`];
    }
    const column = columnOf(TEXTS, key) ?? columnOf(TIMES, key);
    if (column === undefined) throw unknownAttribute(key, KNOWN);
    return [sql`${rawSql(column)} ${direction}`];
  });
