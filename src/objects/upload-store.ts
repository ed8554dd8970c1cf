import { type Reader, rawSql, sql, type Tx } from '#kernel/sql.ts';
import type { Upload, UploadPart } from './upload.ts';

type UploadRow = {
  upload_id: string;
  bucket: string;
  object_key: string;
  owner: string;
  content_type: string;
  metadata: string;
  headers: string;
  tags: string;
  checksum_algorithm: string | null;
  checksum_type: string | null;
  created_ms: number;
};

type PartRow = {
  part_number: number;
  blob_id: string;
  size_bytes: number;
  etag: string;
  checksums: string;
  modified_ms: number;
};

const toUpload = (row: UploadRow): Upload => ({
  uploadId: row.upload_id,
  bucket: row.bucket,
  key: row.object_key,
  owner: row.owner,
  contentType: row.content_type,
  metadata: JSON.parse(row.metadata),
  headers: JSON.parse(row.headers),
  tags: JSON.parse(row.tags),
  checksumAlgorithm: (row.checksum_algorithm ?? undefined) as Upload['checksumAlgorithm'],
  checksumType: (row.checksum_type ?? undefined) as Upload['checksumType'],
  createdMs: row.created_ms,
});

const toPart = (row: PartRow): UploadPart => ({
  partNumber: row.part_number,
  blobId: row.blob_id,
  sizeBytes: row.size_bytes,
  etag: row.etag,
  checksums: JSON.parse(row.checksums),
  modifiedMs: row.modified_ms,
});

/** Adds an upload. */
export async function insertUpload(tx: Tx, upload: Upload): Promise<void> {
  await tx.run(sql`insert into object_uploads (upload_id, bucket, object_key, owner, content_type, metadata, headers, tags, checksum_algorithm, checksum_type, created_ms)
    values (${upload.uploadId}, ${upload.bucket}, ${upload.key}, ${upload.owner}, ${upload.contentType}, ${JSON.stringify(upload.metadata)},
      ${JSON.stringify(upload.headers)}, ${JSON.stringify(upload.tags)}, ${upload.checksumAlgorithm ?? null}, ${upload.checksumType ?? null}, ${upload.createdMs})`);
}

/** An upload in progress of this key. */
export async function selectUpload(
  reader: Reader,
  bucket: string,
  key: string,
  uploadId: string,
): Promise<Upload | undefined> {
  const row = await reader.get<UploadRow>(
    sql`select * from object_uploads where upload_id = ${uploadId} and bucket = ${bucket} and object_key = ${key}`,
  );
  return row === undefined ? undefined : toUpload(row);
}

/** Uploads in progress under a prefix (`end` not counted), by key and id, after a place. */
export async function selectUploads(
  reader: Reader,
  range: {
    bucket: string;
    prefix: string;
    end: string | undefined;
    after: { key: string; uploadId: string };
    owner: string | undefined;
    limit: number;
  },
): Promise<Upload[]> {
  const upper = range.end === undefined ? rawSql('') : sql` and object_key < ${range.end}`;
  const whose = range.owner === undefined ? rawSql('') : sql` and owner = ${range.owner}`;
  const rows =
    await reader.all<UploadRow>(sql`select * from object_uploads where bucket = ${range.bucket} and object_key >= ${range.prefix}${upper}${whose}
    and (object_key > ${range.after.key} or (object_key = ${range.after.key} and upload_id > ${range.after.uploadId}))
    order by object_key, upload_id limit ${range.limit}`);
  return rows.map(toUpload);
}

/** Uploads that were begun before a time. */
export async function selectUploadsBefore(reader: Reader, beforeMs: number, limit: number): Promise<Upload[]> {
  const rows = await reader.all<UploadRow>(
    sql`select * from object_uploads where created_ms < ${beforeMs} order by created_ms limit ${limit}`,
  );
  return rows.map(toUpload);
}

/** True when an upload into the bucket is in progress. */
export async function anyUpload(reader: Reader, bucket: string): Promise<boolean> {
  return (await reader.get(sql`select 1 as found from object_uploads where bucket = ${bucket} limit 1`)) !== undefined;
}

/** The parts of an upload, by number. */
export async function selectParts(reader: Reader, uploadId: string): Promise<UploadPart[]> {
  const rows = await reader.all<PartRow>(
    sql`select part_number, blob_id, size_bytes, etag, checksums, modified_ms from object_upload_parts where upload_id = ${uploadId} order by part_number`,
  );
  return rows.map(toPart);
}

/** Adds a part, in place of an earlier one of the same number. */
export async function upsertPart(tx: Tx, uploadId: string, part: UploadPart): Promise<void> {
  await tx.run(sql`insert into object_upload_parts (upload_id, part_number, blob_id, size_bytes, etag, checksums, modified_ms)
    values (${uploadId}, ${part.partNumber}, ${part.blobId}, ${part.sizeBytes}, ${part.etag}, ${JSON.stringify(part.checksums)}, ${part.modifiedMs})
    on conflict (upload_id, part_number) do update set blob_id = excluded.blob_id, size_bytes = excluded.size_bytes,
      etag = excluded.etag, checksums = excluded.checksums, modified_ms = excluded.modified_ms`);
}

/** Removes an upload with its parts; their blobs stay as they are. */
export async function deleteUpload(tx: Tx, uploadId: string): Promise<void> {
  await tx.run(sql`delete from object_upload_parts where upload_id = ${uploadId}`);
  await tx.run(sql`delete from object_upload_labels where upload_id = ${uploadId}`);
  await tx.run(sql`delete from object_uploads where upload_id = ${uploadId}`);
}

/** Adds labels to an upload. */
export async function insertUploadLabels(tx: Tx, uploadId: string, labels: string[]): Promise<void> {
  for (const label of labels) {
    await tx.run(
      sql`insert into object_upload_labels (upload_id, label) values (${uploadId}, ${label}) on conflict do nothing`,
    );
  }
}

/** The labels of an upload. */
export async function selectUploadLabels(reader: Reader, uploadId: string): Promise<string[]> {
  const rows = await reader.all<{ label: string }>(
    sql`select label from object_upload_labels where upload_id = ${uploadId} order by label`,
  );
  return rows.map((row) => row.label);
}
