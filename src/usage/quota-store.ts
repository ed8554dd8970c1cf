import { type Reader, type Row, sql, type Tx } from '#kernel/sql.ts';
import { type Amounts, Limits, type QuotaScope } from './quota.ts';

/** The limits that were set for a user or a team. */
export async function selectLimits(reader: Reader, scope: QuotaScope, name: string): Promise<Limits | undefined> {
  const row = await reader.get<{ limits: string }>(
    sql`select limits from quotas where scope = ${scope} and name = ${name}`,
  );
  return row === undefined ? undefined : Limits.parse(JSON.parse(row.limits));
}

/** Sets limits, in place of those before. */
export async function upsertLimits(
  tx: Tx,
  quota: { scope: QuotaScope; name: string; limits: Limits; by: string; atMs: number },
): Promise<void> {
  await tx.run(sql`insert into quotas (scope, name, limits, set_by, set_ms)
    values (${quota.scope}, ${quota.name}, ${JSON.stringify(quota.limits)}, ${quota.by}, ${quota.atMs})
    on conflict (scope, name) do update set limits = excluded.limits, set_by = excluded.set_by, set_ms = excluded.set_ms`);
}

type SumRow = Row & {
  sandboxes: number | null;
  cpus: number | null;
  memory_bytes: number | null;
  disk_bytes: number | null;
  gpus: number | null;
};

/** What a user or a team holds now. */
export async function selectUsed(reader: Reader, scope: QuotaScope, name: string): Promise<Amounts> {
  const whose = scope === 'user' ? sql`user_name = ${name}` : sql`team = ${name}`;
  const row = await reader.get<SumRow>(sql`select cast(sum(sandboxes) as bigint) as sandboxes, sum(cpus) as cpus,
    cast(sum(memory_bytes) as bigint) as memory_bytes, cast(sum(disk_bytes) as bigint) as disk_bytes,
    cast(sum(gpus) as bigint) as gpus from quota_reservations where ${whose}`);
  return {
    sandboxes: Number(row?.sandboxes ?? 0),
    cpus: Number(row?.cpus ?? 0),
    memoryBytes: Number(row?.memory_bytes ?? 0),
    diskBytes: Number(row?.disk_bytes ?? 0),
    gpus: Number(row?.gpus ?? 0),
  };
}

/** Makes admissions of one user or team follow each other: the row is locked until the transaction ends. */
export async function lockQuota(tx: Tx, scope: QuotaScope, name: string): Promise<void> {
  await tx.run(sql`insert into quota_locks (scope, name, touched) values (${scope}, ${name}, 1)
    on conflict (scope, name) do update set touched = quota_locks.touched + 1`);
}

/** Notes what a sandbox holds; a second reservation of the same sandbox takes the place of the first. */
export async function upsertReservation(
  tx: Tx,
  held: { sandboxId: string; user: string; team: string; amounts: Amounts },
): Promise<void> {
  const { sandboxes, cpus, memoryBytes, diskBytes, gpus } = held.amounts;
  await tx.run(sql`insert into quota_reservations
    (sandbox_id, user_name, team, sandboxes, cpus, memory_bytes, disk_bytes, gpus)
    values (${held.sandboxId}, ${held.user}, ${held.team}, ${sandboxes}, ${cpus}, ${memoryBytes}, ${diskBytes}, ${gpus})
    on conflict (sandbox_id) do update set user_name = excluded.user_name, team = excluded.team,
      sandboxes = excluded.sandboxes, cpus = excluded.cpus, memory_bytes = excluded.memory_bytes,
      disk_bytes = excluded.disk_bytes, gpus = excluded.gpus`);
}

/** Gives back what a sandbox held. */
export async function deleteReservation(tx: Tx, sandboxId: string): Promise<void> {
  await tx.run(sql`delete from quota_reservations where sandbox_id = ${sandboxId}`);
}
