/** Searches of experiments as SQL over `e`. */
import { columnOf, numberCondition, textCondition, unknownAttribute } from '#kernel/condition-sql.ts';
import { type Condition, parseFilter, parseOrder } from '#kernel/filter.ts';
import { listSql, rawSql, type Sql, sql } from '#kernel/sql.ts';
import { labelsWithinSql } from '#src/lineage/labels-within-sql.ts';
import type { Lifecycle } from './run.ts';

const TEXTS: Record<string, string> = { name: 'e.name', experiment_id: 'e.id' };
const TIMES: Record<string, string> = { creation_time: 'e.created_ms', last_update_time: 'e.updated_ms' };
const KNOWN = [...Object.keys(TEXTS), ...Object.keys(TIMES)];

function conditionSql(condition: Condition): Sql {
  const { entity, key } = condition;
  if (entity === 'tag')
    return sql`exists (select 1 from experiment_tags t where t.experiment_id = e.id and t.key = ${key} and ${textCondition(rawSql('t.value'), condition)})`;
  const text = entity === 'attribute' ? columnOf(TEXTS, key) : undefined;
  if (text !== undefined) return textCondition(rawSql(text), condition);
  const time = entity === 'attribute' ? columnOf(TIMES, key) : undefined;
  if (time !== undefined) return numberCondition(rawSql(time), condition);
  throw unknownAttribute(key, KNOWN);
}

/** Throws `invalid`. Without `labelsWithin` all experiments count. */
export function experimentConditions(
  filter: string,
  lifecycles: readonly Lifecycle[],
  labelsWithin: readonly string[] | undefined,
): Sql[] {
  return [
    sql`e.lifecycle in ${listSql(lifecycles)}`,
    ...(labelsWithin === undefined ? [] : [labelsWithinSql(rawSql("'experiment:' || e.id"), labelsWithin)]),
    ...parseFilter(filter).map(conditionSql),
  ];
}

export const experimentOrder = (orderBy: readonly string[]): Sql[] =>
  orderBy.map(parseOrder).map(({ key, descending }) => {
    const column = key === 'experiment_id' ? 'e.number' : (columnOf(TEXTS, key) ?? columnOf(TIMES, key));
    if (column === undefined) throw unknownAttribute(key, KNOWN);
    return rawSql(`${column} ${descending ? 'desc' : 'asc'}`);
  });
