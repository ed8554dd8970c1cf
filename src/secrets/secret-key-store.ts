import { sql } from '#kernel/sql.ts';
import type { KeyStore } from '#src/keys/rotate-key.ts';
import { secretKeyContext } from './seal-value.ts';

type KeyRow = { path: string; value_id: string; key_name: string; key_version: number; wrapped: Uint8Array };

/** The data keys of versions of secrets that are not destroyed. */
export const secretKeys: KeyStore = {
  kind: 'secret',
  select: async (reader, version, limit) => {
    const rows = await reader.all<KeyRow>(
      sql`select path, value_id, key_name, key_version, wrapped from secret_versions where key_version < ${version} and wrapped is not null limit ${limit}`,
    );
    return rows.map(({ path, value_id: id, key_name: keyName, key_version: keyVersion, wrapped }) => ({
      id,
      context: secretKeyContext(path, id),
      key: { keyName, keyVersion, wrapped },
    }));
  },
  update: async (tx, old, { keyName, keyVersion, wrapped }) => {
    await tx.run(sql`update secret_versions set key_name = ${keyName}, key_version = ${keyVersion}, wrapped = ${wrapped}
      where value_id = ${old.id} and key_version = ${old.key.keyVersion} and destroyed = 0`);
  },
};
