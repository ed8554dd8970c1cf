/** Which shares of the runs a search goes through, and whether one of its conditions leaves few of them. */
import type { Condition } from '#kernel/filter.ts';
import { joinSql, type Reader, rawSql, type Sql, sql } from '#kernel/sql.ts';
import type { Share } from './run-order-sql.ts';
import { metricCondition } from './run-search-sql.ts';

const MOST_SHARES = 16;

/** The shares of these experiments, of one owner or of all; nothing when they are too many to go through each. */
export async function selectShares(
  reader: Reader,
  experimentIds: readonly string[],
  owner: string | undefined,
): Promise<Share[] | undefined> {
  if (experimentIds.length > MOST_SHARES) return undefined;
  if (owner !== undefined) return experimentIds.map((experimentId) => ({ experimentId, owner }));
  const shares: Share[] = [];
  for (const experimentId of experimentIds) {
    for (const one of await ownersOf(reader, experimentId)) shares.push({ experimentId, owner: one });
    if (shares.length > MOST_SHARES) return undefined;
  }
  return shares;
}

/** From one owner to the next through the index, not through all runs. */
async function ownersOf(reader: Reader, experimentId: string): Promise<string[]> {
  const rows = await reader.all<{ owner: string }>(sql`with recursive owners (owner) as (
      select min(owner) from runs where experiment_id = ${experimentId}
      union all
      select (select min(r.owner) from runs r where r.experiment_id = ${experimentId} and r.owner > o.owner) from owners o where o.owner is not null
    ) select owner from owners where owner is not null limit ${MOST_SHARES + 1}`);
  return rows.map((row) => row.owner);
}

const FEW = 500;

/**
 * The runs that fit one condition, as a statement, when an index has that condition and they are few: then it is quicker to order
 * those than to look through an order for them.
 */
export async function narrowedSql(
  reader: Reader,
  shares: readonly Share[],
  conditions: readonly Condition[],
): Promise<Sql | undefined> {
  if (shares.length === 0) return undefined;
  for (const condition of conditions) {
    const fitting = fittingSql(condition, shares);
    if (fitting === undefined) continue;
    const row = await reader.get<{ count: number }>(sql`select count(*) as count from (${fitting}) f`);
    if ((row?.count ?? 0) <= FEW) return fitting;
  }
  return undefined;
}

/** At most one more than few for each share. */
function fittingSql(condition: Condition, shares: readonly Share[]): Sql | undefined {
  const { entity, key, operator, value } = condition;
  const isMetric = entity === 'metric' && operator !== '!=';
  const isParam = entity === 'param' && operator === '=' && value.kind === 'text' && value.text.length < 200;
  if (!isMetric && !isParam) return undefined;
  const table = rawSql(isMetric ? 'latest_metrics' : 'run_params');
  const fits = isMetric
    ? metricCondition('x', condition)
    : sql`x.sort_key = ${value.kind === 'text' ? value.text : ''}`;
  const parts = shares.map(
    ({ experimentId, owner }) =>
      sql`select x.run_id from ${table} x where x.experiment_id = ${experimentId} and x.owner = ${owner} and x.key = ${key} and ${fits} limit ${FEW + 1}`,
  );
  return joinSql(
    parts.map((part, index) => sql`select * from (${part}) ${rawSql(`p${index}`)}`),
    ' union all ',
  );
}
