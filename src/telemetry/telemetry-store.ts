/** What is measured of the store, the proof that it can be written, and the traces that sandboxes began in. */
import { type Reader, rawSql, sql, type Tx } from '#kernel/sql.ts';

/** Number and size of the encrypted files. */
export async function selectBlobTotals(reader: Reader): Promise<{ count: number; sizeBytes: number }> {
  const row = await reader.get<{ n: number; bytes: number }>(
    sql`select count(*) as n, coalesce(sum(size_bytes), 0) as bytes from object_blobs`,
  );
  return { count: Number(row?.n ?? 0), sizeBytes: Number(row?.bytes ?? 0) };
}

/** Size of the store in bytes. */
export async function selectDatabaseSize(reader: Reader): Promise<number> {
  const statement =
    reader.engine === 'sqlite'
      ? rawSql('select page_count * page_size as bytes from pragma_page_count(), pragma_page_size()')
      : rawSql('select pg_database_size(current_database()) as bytes');
  return Number((await reader.get<{ bytes: number }>(statement))?.bytes ?? 0);
}

/** Writes when readiness was asked for last; that it succeeds is the answer. */
export async function touchReadiness(tx: Tx, nowMs: number): Promise<void> {
  await tx.run(sql`insert into readiness (id, checked_ms) values (1, ${nowMs})
    on conflict (id) do update set checked_ms = excluded.checked_ms`);
}

/** Keeps the trace in which a sandbox was made, for crossings after a restart. */
export async function insertSandboxTrace(tx: Tx, sandboxId: string, traceparent: string): Promise<void> {
  await tx.run(sql`insert into sandbox_traces (sandbox_id, traceparent) values (${sandboxId}, ${traceparent})
    on conflict (sandbox_id) do update set traceparent = excluded.traceparent`);
}

export async function deleteSandboxTrace(tx: Tx, sandboxId: string): Promise<void> {
  await tx.run(sql`delete from sandbox_traces where sandbox_id = ${sandboxId}`);
}

/** Sandbox id → traceparent. */
export async function selectSandboxTraces(reader: Reader): Promise<Map<string, string>> {
  const rows = await reader.all<{ sandbox_id: string; traceparent: string }>(
    sql`select sandbox_id, traceparent from sandbox_traces`,
  );
  return new Map(rows.map((row) => [row.sandbox_id, row.traceparent]));
}
