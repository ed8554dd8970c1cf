import { listSql, type Sql, sql } from '#kernel/sql.ts';

/** A condition: the node of this key (`kind:id`, as SQL) carries no other label than these. */
export function labelsWithinSql(nodeKey: Sql, labels: readonly string[]): Sql {
  const foreign = labels.length === 0 ? sql`` : sql`and l.label not in ${listSql(labels)}`;
  return sql`not exists (select 1 from lineage_labels l where l.node_key = ${nodeKey} ${foreign})`;
}
