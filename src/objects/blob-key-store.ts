import { sql } from '#kernel/sql.ts';
import type { KeyStore } from '#src/keys/rotate-key.ts';

type KeyRow = { blob_id: string; key_name: string; key_version: number; wrapped: Uint8Array };

/** What the data key of a blob is bound to. */
export const blobKeyContext = (blobId: string): Record<string, string> => ({ use: 'object', blob: blobId });

/** The data keys of blobs. */
export const blobKeys: KeyStore = {
  kind: 'object',
  select: async (reader, version, limit) => {
    const rows = await reader.all<KeyRow>(
      sql`select blob_id, key_name, key_version, wrapped from object_blobs where key_version < ${version} limit ${limit}`,
    );
    return rows.map(({ blob_id: id, key_name: keyName, key_version: keyVersion, wrapped }) => ({
      id,
      context: blobKeyContext(id),
      key: { keyName, keyVersion, wrapped },
    }));
  },
  update: async (tx, old, { keyName, keyVersion, wrapped }) => {
    await tx.run(sql`update object_blobs set key_name = ${keyName}, key_version = ${keyVersion}, wrapped = ${wrapped}
      where blob_id = ${old.id} and key_version = ${old.key.keyVersion}`);
  },
};
