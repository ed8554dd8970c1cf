import type { Envelope } from '#kernel/envelope.ts';
import { type Reader, sql, type Tx } from '#kernel/sql.ts';
import type { KeyStore } from '#src/keys/rotate-key.ts';
import type { AccessKey } from './access-key.ts';

type AccessKeyRow = {
  access_key_id: string;
  key_name: string;
  key_version: number;
  wrapped: Uint8Array;
  sealed: Uint8Array;
  identity: string;
  sandbox_id: string | null;
  read_only: number;
  created_ms: number;
  expires_ms: number;
};

/** Adds a key pair, its secret sealed. */
export async function insertAccessKey(tx: Tx, key: AccessKey, secret: Envelope): Promise<void> {
  await tx.run(sql`insert into access_keys (access_key_id, key_name, key_version, wrapped, sealed, identity, sandbox_id, read_only, created_ms, expires_ms)
    values (${key.accessKeyId}, ${secret.keyName}, ${secret.keyVersion}, ${secret.wrapped}, ${secret.sealed}, ${JSON.stringify(key.identity)},
      ${key.sandboxId ?? null}, ${key.readOnly ? 1 : 0}, ${key.createdMs}, ${key.expiresMs})`);
}

const keyOf = (row: Omit<AccessKeyRow, 'key_name' | 'key_version' | 'wrapped' | 'sealed'>): AccessKey => ({
  accessKeyId: row.access_key_id,
  identity: JSON.parse(row.identity),
  sandboxId: row.sandbox_id ?? undefined,
  readOnly: row.read_only === 1,
  createdMs: row.created_ms,
  expiresMs: row.expires_ms,
});

const AT_ONCE = 1000;

/** Key pairs of people that work at `nowMs`, by id from after `after`, without their secrets; of one user, or of all. */
export async function selectAccessKeys(
  reader: Reader,
  wanted: { user: string | undefined; after: string; limit: number; nowMs: number },
): Promise<AccessKey[]> {
  const found: AccessKey[] = [];
  for (let { after } = wanted; found.length < wanted.limit; ) {
    const rows =
      await reader.all<AccessKeyRow>(sql`select access_key_id, identity, sandbox_id, read_only, created_ms, expires_ms from access_keys
        where access_key_id > ${after} and sandbox_id is null and expires_ms > ${wanted.nowMs} order by access_key_id limit ${AT_ONCE}`);
    const keys = rows.map(keyOf);
    found.push(...keys.filter(({ identity }) => wanted.user === undefined || identity.user === wanted.user));
    if (keys.length < AT_ONCE) break;
    after = keys.at(-1)?.accessKeyId ?? '';
  }
  return found.slice(0, wanted.limit);
}

/** A key pair with its sealed secret. */
export async function selectAccessKey(
  reader: Reader,
  accessKeyId: string,
): Promise<{ key: AccessKey; secret: Envelope } | undefined> {
  const row = await reader.get<AccessKeyRow>(sql`select * from access_keys where access_key_id = ${accessKeyId}`);
  if (row === undefined) return undefined;
  const key = keyOf(row);
  const secret = { keyName: row.key_name, keyVersion: row.key_version, wrapped: row.wrapped, sealed: row.sealed };
  return { key, secret };
}

/** Removes the key pairs of a sandbox. */
export async function deleteAccessKeysOf(tx: Tx, sandboxId: string): Promise<number> {
  return tx.run(sql`delete from access_keys where sandbox_id = ${sandboxId}`);
}

/** Whose key pair this is. */
export async function selectKeyUser(reader: Reader, accessKeyId: string): Promise<string | undefined> {
  return (await selectAccessKey(reader, accessKeyId))?.key.identity.user;
}

/** Removes one key pair. */
export async function deleteAccessKey(tx: Tx, accessKeyId: string): Promise<number> {
  return tx.run(sql`delete from access_keys where access_key_id = ${accessKeyId}`);
}

/** What the data key of a key pair is bound to. */
export const accessKeyContext = (accessKeyId: string): Record<string, string> => ({
  use: 's3-access-key',
  accessKeyId,
});

/** The data keys of key pairs. */
export const accessKeyKeys: KeyStore = {
  kind: 'access-key',
  select: async (reader, version, limit) => {
    const rows = await reader.all<Pick<AccessKeyRow, 'access_key_id' | 'key_name' | 'key_version' | 'wrapped'>>(
      sql`select access_key_id, key_name, key_version, wrapped from access_keys where key_version < ${version} limit ${limit}`,
    );
    return rows.map(({ access_key_id: id, key_name: keyName, key_version: keyVersion, wrapped }) => ({
      id,
      context: accessKeyContext(id),
      key: { keyName, keyVersion, wrapped },
    }));
  },
  update: async (tx, old, { keyName, keyVersion, wrapped }) => {
    await tx.run(sql`update access_keys set key_name = ${keyName}, key_version = ${keyVersion}, wrapped = ${wrapped}
      where access_key_id = ${old.id} and key_version = ${old.key.keyVersion}`);
  },
};
