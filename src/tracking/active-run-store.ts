import { type Reader, sql } from '#kernel/sql.ts';

/** The run that a sandbox has open: created by it, still RUNNING, the last one started. */
export async function activeRunOf(reader: Reader, sandboxId: string): Promise<string | undefined> {
  const row = await reader.get<{ id: string }>(
    sql`select id from runs where sandbox_id = ${sandboxId} and status = 'RUNNING' order by start_ms desc, id limit 1`,
  );
  return row?.id;
}
