import { type Reader, sql, type Tx } from '#kernel/sql.ts';

/** An upload in progress: files come one by one, and become a version all at once. */
export type DatasetUpload = { uploadId: string; name: string; owner: string; tags: string[]; createdMs: number };

export type UploadedFile = { path: string; blobId: string; sizeBytes: number; digest: string; etag: string };

type UploadRow = { upload_id: string; name: string; owner: string; tags: string; created_ms: number };

const toUpload = (row: UploadRow): DatasetUpload => ({
  uploadId: row.upload_id,
  name: row.name,
  owner: row.owner,
  tags: JSON.parse(row.tags),
  createdMs: row.created_ms,
});

/** Adds an upload. */
export async function insertDatasetUpload(tx: Tx, upload: DatasetUpload): Promise<void> {
  await tx.run(sql`insert into dataset_uploads (upload_id, name, owner, tags, created_ms)
    values (${upload.uploadId}, ${upload.name}, ${upload.owner}, ${JSON.stringify(upload.tags)}, ${upload.createdMs})`);
}

/** An upload in progress. */
export async function selectDatasetUpload(reader: Reader, uploadId: string): Promise<DatasetUpload | undefined> {
  const row = await reader.get<UploadRow>(sql`select * from dataset_uploads where upload_id = ${uploadId}`);
  return row === undefined ? undefined : toUpload(row);
}

/** Uploads that were begun before a time. */
export async function selectDatasetUploadsBefore(reader: Reader, beforeMs: number): Promise<DatasetUpload[]> {
  const rows = await reader.all<UploadRow>(
    sql`select * from dataset_uploads where created_ms < ${beforeMs} order by created_ms limit 1000`,
  );
  return rows.map(toUpload);
}

const PAGE = 1000;

/** The files of an upload, in the order of their paths' bytes. */
export async function selectUploadedFiles(reader: Reader, uploadId: string): Promise<UploadedFile[]> {
  const files: UploadedFile[] = [];
  for (;;) {
    const rows = await reader.all<{ path: string; blob_id: string; size_bytes: number; digest: string; etag: string }>(
      sql`select path, blob_id, size_bytes, digest, etag from dataset_upload_files
        where upload_id = ${uploadId} and path > ${files.at(-1)?.path ?? ''} order by path limit ${PAGE}`,
    );
    for (const { blob_id: blobId, size_bytes: sizeBytes, ...row } of rows) files.push({ ...row, blobId, sizeBytes });
    if (rows.length < PAGE) return files;
  }
}

/** One file of an upload. */
export async function selectUploadedBlob(reader: Reader, uploadId: string, path: string): Promise<string | undefined> {
  const row = await reader.get<{ blob_id: string }>(
    sql`select blob_id from dataset_upload_files where upload_id = ${uploadId} and path = ${path}`,
  );
  return row?.blob_id;
}

/** How many files an upload has. */
export async function countUploadedFiles(reader: Reader, uploadId: string): Promise<number> {
  const row = await reader.get<{ files: number }>(
    sql`select count(*) as files from dataset_upload_files where upload_id = ${uploadId}`,
  );
  return row?.files ?? 0;
}

/** Adds a file to an upload, in place of an earlier one of the same path. */
export async function upsertUploadedFile(tx: Tx, uploadId: string, file: UploadedFile): Promise<void> {
  await tx.run(sql`insert into dataset_upload_files (upload_id, path, blob_id, size_bytes, digest, etag)
    values (${uploadId}, ${file.path}, ${file.blobId}, ${file.sizeBytes}, ${file.digest}, ${file.etag})
    on conflict (upload_id, path) do update set blob_id = excluded.blob_id, size_bytes = excluded.size_bytes,
      digest = excluded.digest, etag = excluded.etag`);
}

/** Removes an upload; the blobs of its files stay as they are. */
export async function deleteDatasetUpload(tx: Tx, uploadId: string): Promise<void> {
  await tx.run(sql`delete from dataset_upload_files where upload_id = ${uploadId}`);
  await tx.run(sql`delete from dataset_uploads where upload_id = ${uploadId}`);
}
