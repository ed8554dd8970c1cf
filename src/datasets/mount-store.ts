import { type Reader, sql, type Tx } from '#kernel/sql.ts';

export type DatasetMount = { digest: string; sandboxId: string; name: string; version: number };

/** Notes that a sandbox holds a version's folder. */
export async function insertMount(tx: Tx, mount: DatasetMount): Promise<void> {
  await tx.run(sql`insert into dataset_mounts (digest, sandbox_id, name, version)
    values (${mount.digest}, ${mount.sandboxId}, ${mount.name}, ${mount.version}) on conflict do nothing`);
}

/** Forgets what a sandbox holds; gives the digests that nobody holds any more. */
export async function deleteMounts(tx: Tx, sandboxId: string): Promise<string[]> {
  const held = await tx.all<{ digest: string }>(
    sql`select distinct digest from dataset_mounts where sandbox_id = ${sandboxId}`,
  );
  await tx.run(sql`delete from dataset_mounts where sandbox_id = ${sandboxId}`);
  const free: string[] = [];
  for (const { digest } of held) {
    const other = await tx.get(sql`select 1 as found from dataset_mounts where digest = ${digest} limit 1`);
    if (other === undefined) free.push(digest);
  }
  return free;
}

/** Every sandbox that holds a folder, and every digest that is held. */
export async function selectMounts(reader: Reader): Promise<{ digest: string; sandboxId: string }[]> {
  const rows = await reader.all<{ digest: string; sandbox_id: string }>(
    sql`select distinct digest, sandbox_id from dataset_mounts`,
  );
  return rows.map((row) => ({ digest: row.digest, sandboxId: row.sandbox_id }));
}

/** A sandbox that has this version mounted, if any has. */
export async function selectHolder(reader: Reader, name: string, version: number): Promise<string | undefined> {
  const row = await reader.get<{ sandbox_id: string }>(
    sql`select sandbox_id from dataset_mounts where name = ${name} and version = ${version} limit 1`,
  );
  return row?.sandbox_id;
}
