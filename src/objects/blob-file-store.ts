import { type Reader, rawSql, sql } from '#kernel/sql.ts';

export type BlobFile = { blobId: string; sizeBytes: number };

/** Since this migration small blobs lie in the store. */
const SMALL_BLOBS_SINCE = 41;

/** A page of the blobs that lie in files of their own, by id, of a store of any age (`schema`: its newest migration). */
export async function selectBlobFiles(
  reader: Reader,
  page: { after: string; limit: number; schema: number },
): Promise<BlobFile[]> {
  const inFiles =
    page.schema < SMALL_BLOBS_SINCE
      ? rawSql('')
      : rawSql(' and not exists (select 1 from object_blob_bytes s where s.blob_id = b.blob_id)');
  const rows = await reader.all<{ blob_id: string; size_bytes: number }>(
    sql`select b.blob_id, b.size_bytes from object_blobs b where b.blob_id > ${page.after}${inFiles} order by b.blob_id limit ${page.limit}`,
  );
  return rows.map((row) => ({ blobId: row.blob_id, sizeBytes: row.size_bytes }));
}
