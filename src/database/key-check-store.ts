import type { WrappedKey } from '#kernel/key-provider.ts';
import { type Reader, sql, type Tx } from '#kernel/sql.ts';

/** The checks of a named key, all versions. */
export async function selectKeyChecks(reader: Reader, keyName: string): Promise<WrappedKey[]> {
  const rows = await reader.all<{ key_version: number; wrapped: Uint8Array }>(
    sql`select key_version, wrapped from key_checks where key_name = ${keyName}`,
  );
  return rows.map((row) => ({ keyName, keyVersion: row.key_version, wrapped: row.wrapped }));
}

/** Keeps the check of a version of a key, unless there is one. */
export async function insertKeyCheck(tx: Tx, { keyName, keyVersion, wrapped }: WrappedKey): Promise<void> {
  await tx.run(
    sql`insert into key_checks (key_name, key_version, wrapped) values (${keyName}, ${keyVersion}, ${wrapped})
      on conflict do nothing`,
  );
}

/** Forgets the checks of a key under which nothing is sealed. */
export async function deleteKeyChecks(tx: Tx, keyName: string): Promise<void> {
  await tx.run(sql`delete from key_checks where key_name = ${keyName}`);
}
