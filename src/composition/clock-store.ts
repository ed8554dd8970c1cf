/** What the clock of this host decides, over all domains: moved or ended when it is set. */
import { type Reader, rawSql, sql, type Tx } from '#kernel/sql.ts';

/** Rights that end at a date, with the column that says when, and what their rows are called where entries attest them. */
const ENDING: readonly { table: string; column: string; attested?: string }[] = [
  { table: 'tokens', column: 'expires_ms', attested: 'token' },
  { table: 'approvals', column: 'until_ms', attested: 'approval' },
  { table: 'access_keys', column: 'expires_ms' },
  { table: 'vault_tokens', column: 'expires_ms' },
  { table: 'visit_tickets', column: 'expires_ms' },
  { table: 'visits', column: 'expires_ms' },
];

/** The time of the newest entry of the audit log; undefined when there is none. */
export async function selectNewestTime(reader: Reader): Promise<number | undefined> {
  return (await reader.get<{ time_ms: number }>(sql`select time_ms from audit_entries order by seq desc limit 1`))
    ?.time_ms;
}

/** What had ended at `fromMs` and would be in force again at `toMs` ends for good; `attest` is told the attested rows. Returns how many. */
export async function endForGood(
  tx: Tx,
  { fromMs, toMs }: { fromMs: number; toMs: number },
  attest: (kind: string, id: string) => void,
): Promise<number> {
  let ended = 0;
  for (const { table, column, attested } of ENDING) {
    const at = rawSql(column);
    const again = sql`${at} > ${toMs} and ${at} <= ${fromMs}`;
    if (attested !== undefined)
      for (const { id } of await tx.all<{ id: string }>(sql`select id from ${rawSql(table)} where ${again}`))
        attest(attested, id);
    ended += await tx.run(sql`update ${rawSql(table)} set ${at} = ${toMs} where ${again}`);
  }
  return ended;
}

/** Moves the times of sandboxes that are there: what is left of their lives stays as it is. */
export async function moveSandboxTimes(tx: Tx, byMs: number): Promise<number> {
  return tx.run(
    sql`update sandboxes set begun_ms = begun_ms + ${byMs}, expires_ms = expires_ms + ${byMs}, last_active_ms = last_active_ms + ${byMs}
      where state <> 'deleted'`,
  );
}
