import { joinSql, listSql, type Reader, rawSql, type Sql, sql, type Tx } from '#kernel/sql.ts';
import type { Blob } from './blob.ts';
import type { StoredObject } from './object.ts';

type ObjectRow = {
  bucket: string;
  object_key: string;
  content_id: string;
  content_type: string;
  metadata: string;
  headers: string;
  tags: string;
  owner: string;
  modified_ms: number;
  size_bytes: number;
  digest: string;
  etag: string;
  checksums: string;
  part_count: number;
};

type BlobRow = {
  blob_id: string;
  size_bytes: number;
  sha256: string;
  md5: string;
  layout: number;
  key_name: string;
  key_version: number;
  wrapped: Uint8Array;
  sealed: Uint8Array | null;
};

/** What a key names: size and digests of the whole, and its blobs in order. */
export type NewContent = Pick<
  StoredObject,
  'contentId' | 'sizeBytes' | 'digest' | 'etag' | 'checksums' | 'partCount'
> & {
  blobs: { blobId: string; sizeBytes: number }[];
};

const OBJECT: Sql = rawSql(
  `select o.bucket, o.object_key, o.content_id, o.content_type, o.metadata, o.headers, o.tags, o.owner, o.modified_ms,
     c.size_bytes, c.digest, c.etag, c.checksums, c.part_count
   from objects o join object_contents c on c.content_id = o.content_id`,
);

const toObject = (row: ObjectRow): StoredObject => ({
  bucket: row.bucket,
  key: row.object_key,
  contentId: row.content_id,
  contentType: row.content_type,
  metadata: JSON.parse(row.metadata),
  headers: JSON.parse(row.headers),
  tags: JSON.parse(row.tags),
  owner: row.owner,
  modifiedMs: row.modified_ms,
  sizeBytes: row.size_bytes,
  digest: row.digest,
  etag: row.etag,
  checksums: JSON.parse(row.checksums),
  partCount: row.part_count,
});

/** The object at a key. */
export async function selectObject(reader: Reader, bucket: string, key: string): Promise<StoredObject | undefined> {
  const row = await reader.get<ObjectRow>(sql`${OBJECT} where o.bucket = ${bucket} and o.object_key = ${key}`);
  return row === undefined ? undefined : toObject(row);
}

/** Objects in the order of their keys' bytes, `from` counted unless `after`, `end` not. */
export async function selectObjects(
  reader: Reader,
  range: {
    bucket: string;
    from: string;
    after: boolean;
    end: string | undefined;
    owner?: string | undefined;
    limit: number;
  },
): Promise<StoredObject[]> {
  const lower = range.after ? sql`o.object_key > ${range.from}` : sql`o.object_key >= ${range.from}`;
  const upper = range.end === undefined ? rawSql('') : sql` and o.object_key < ${range.end}`;
  const whose = range.owner === undefined ? rawSql('') : sql` and o.owner = ${range.owner}`;
  const rows = await reader.all<ObjectRow>(
    sql`${OBJECT} where o.bucket = ${range.bucket} and ${lower}${upper}${whose} order by o.object_key limit ${range.limit}`,
  );
  return rows.map(toObject);
}

/** Adds blobs: from the commit on, they are named. */
export async function insertBlobs(tx: Tx, blobs: readonly Blob[], nowMs: number): Promise<void> {
  for (const blob of blobs) {
    await tx.run(sql`insert into object_blobs (blob_id, size_bytes, sha256, md5, layout, key_name, key_version, wrapped, created_ms)
      values (${blob.blobId}, ${blob.sizeBytes}, ${blob.sha256}, ${blob.md5}, ${blob.layout}, ${blob.keyName}, ${blob.keyVersion}, ${blob.wrapped}, ${nowMs})`);
    if (blob.sealed !== undefined)
      await tx.run(sql`insert into object_blob_bytes (blob_id, sealed) values (${blob.blobId}, ${blob.sealed})`);
  }
}

/** Removes blobs that nothing names. */
export async function deleteBlobs(tx: Tx, blobIds: readonly string[]): Promise<void> {
  if (blobIds.length === 0) return;
  await tx.run(sql`delete from object_blobs where blob_id in ${listSql(blobIds)}`);
  await tx.run(sql`delete from object_blob_bytes where blob_id in ${listSql(blobIds)}`);
}

/** Which of these blobs are named. */
export async function selectNamedBlobs(reader: Reader, blobIds: readonly string[]): Promise<Set<string>> {
  const named = new Set<string>();
  for (let at = 0; at < blobIds.length; at += 500) {
    const some = blobIds.slice(at, at + 500);
    const rows = await reader.all<{ blob_id: string }>(
      sql`select blob_id from object_blobs where blob_id in ${listSql(some)}`,
    );
    for (const row of rows) named.add(row.blob_id);
  }
  return named;
}

const toBlob = (row: BlobRow): Blob => ({
  blobId: row.blob_id,
  sizeBytes: row.size_bytes,
  sha256: row.sha256,
  md5: row.md5,
  layout: row.layout,
  keyName: row.key_name,
  keyVersion: row.key_version,
  wrapped: row.wrapped,
  ...(row.sealed === null ? {} : { sealed: row.sealed }),
});

const BLOB: Sql = rawSql(
  'select b.*, s.sealed from object_blobs b left join object_blob_bytes s on s.blob_id = b.blob_id',
);

/** Blobs by id, in the order of the ids. */
export async function selectBlobs(reader: Reader, blobIds: readonly string[]): Promise<Blob[]> {
  const found = new Map<string, Blob>();
  for (let at = 0; at < blobIds.length; at += 500) {
    const rows = await reader.all<BlobRow>(sql`${BLOB} where b.blob_id in ${listSql(blobIds.slice(at, at + 500))}`);
    for (const row of rows) found.set(row.blob_id, toBlob(row));
  }
  return blobIds.flatMap((id) => found.get(id) ?? []);
}

/** A page of all blobs, by id. */
export async function selectBlobPage(reader: Reader, after: string, limit: number): Promise<Blob[]> {
  const rows = await reader.all<BlobRow>(sql`${BLOB} where b.blob_id > ${after} order by b.blob_id limit ${limit}`);
  return rows.map(toBlob);
}

/** The blobs of a content, in order. */
export async function selectContentBlobs(reader: Reader, contentId: string): Promise<Blob[]> {
  const rows = await reader.all<BlobRow>(sql`select b.*, s.sealed from object_content_blobs p
    join object_blobs b on b.blob_id = p.blob_id left join object_blob_bytes s on s.blob_id = b.blob_id
    where p.content_id = ${contentId} order by p.position`);
  return rows.map(toBlob);
}

/** Adds a content over blobs that are there. */
export async function insertContent(tx: Tx, content: NewContent): Promise<void> {
  await tx.run(sql`insert into object_contents (content_id, size_bytes, digest, etag, checksums, part_count)
    values (${content.contentId}, ${content.sizeBytes}, ${content.digest}, ${content.etag}, ${JSON.stringify(content.checksums)}, ${content.partCount})`);
  for (let at = 0; at < content.blobs.length; at += 200) {
    const rows = content.blobs
      .slice(at, at + 200)
      .map((blob, index) => sql`(${content.contentId}, ${at + index}, ${blob.blobId}, ${blob.sizeBytes})`);
    await tx.run(
      sql`insert into object_content_blobs (content_id, position, blob_id, size_bytes) values ${joinSql(rows, ', ')}`,
    );
  }
}

/** Removes a content that no key names any more, with its blobs; gives their ids. */
export async function deleteUnnamedContent(tx: Tx, contentId: string): Promise<string[]> {
  const used = await tx.get(sql`select 1 as found from objects where content_id = ${contentId} limit 1`);
  if (used !== undefined) return [];
  const rows = await tx.all<{ blob_id: string }>(
    sql`select blob_id from object_content_blobs where content_id = ${contentId}`,
  );
  const blobIds = rows.map((row) => row.blob_id);
  await tx.run(sql`delete from object_content_blobs where content_id = ${contentId}`);
  await tx.run(sql`delete from object_contents where content_id = ${contentId}`);
  for (let at = 0; at < blobIds.length; at += 500) await deleteBlobs(tx, blobIds.slice(at, at + 500));
  return blobIds;
}

/** Lets a key name a content, in place of what it named before. */
export async function upsertObject(
  tx: Tx,
  object: Omit<StoredObject, 'sizeBytes' | 'digest' | 'etag' | 'checksums' | 'partCount'>,
): Promise<void> {
  await tx.run(sql`insert into objects (bucket, object_key, content_id, content_type, metadata, headers, tags, owner, modified_ms)
    values (${object.bucket}, ${object.key}, ${object.contentId}, ${object.contentType}, ${JSON.stringify(object.metadata)},
      ${JSON.stringify(object.headers)}, ${JSON.stringify(object.tags)}, ${object.owner}, ${object.modifiedMs})
    on conflict (bucket, object_key) do update set content_id = excluded.content_id, content_type = excluded.content_type,
      metadata = excluded.metadata, headers = excluded.headers, tags = excluded.tags, owner = excluded.owner, modified_ms = excluded.modified_ms`);
}

/** Changes the tags of an object. */
export async function updateTags(tx: Tx, bucket: string, key: string, tags: Record<string, string>): Promise<void> {
  await tx.run(sql`update objects set tags = ${JSON.stringify(tags)} where bucket = ${bucket} and object_key = ${key}`);
}

/** Removes a key and the labels of its name. */
export async function deleteObject(tx: Tx, bucket: string, key: string): Promise<void> {
  await tx.run(sql`delete from objects where bucket = ${bucket} and object_key = ${key}`);
  await tx.run(sql`delete from object_labels where bucket = ${bucket} and object_key = ${key}`);
}

/** True when the bucket holds anything. */
export async function anyObject(reader: Reader, bucket: string): Promise<boolean> {
  return (await reader.get(sql`select 1 as found from objects where bucket = ${bucket} limit 1`)) !== undefined;
}

/** Adds labels to a key's name. */
export async function insertNameLabels(tx: Tx, bucket: string, key: string, labels: string[]): Promise<void> {
  for (const label of labels) {
    await tx.run(
      sql`insert into object_labels (bucket, object_key, label) values (${bucket}, ${key}, ${label}) on conflict do nothing`,
    );
  }
}

/** The labels of all names from `from` to `to`, both counted (no `to`: to the end of the bucket), of one owner or of all. */
export async function selectNameLabels(
  reader: Reader,
  bucket: string,
  from: string,
  to: string | undefined,
  owner?: string,
): Promise<string[]> {
  const upper = to === undefined ? rawSql('') : sql` and l.object_key <= ${to}`;
  const whose =
    owner === undefined
      ? rawSql('')
      : sql` and exists (select 1 from objects o where o.bucket = l.bucket and o.object_key = l.object_key and o.owner = ${owner})`;
  const rows = await reader.all<{ label: string }>(
    sql`select distinct l.label from object_labels l where l.bucket = ${bucket} and l.object_key >= ${from}${upper}${whose} order by l.label`,
  );
  return rows.map((row) => row.label);
}

/** Whether anything of this domain is sealed: blobs, or the secrets of access keys. */
export async function anyBlob(reader: Reader): Promise<boolean> {
  const blob = await reader.get(sql`select blob_id from object_blobs limit 1`);
  return blob !== undefined || (await reader.get(sql`select access_key_id from access_keys limit 1`)) !== undefined;
}
