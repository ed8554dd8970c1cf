import { type Reader, sql, type Tx } from '#kernel/sql.ts';
import type { Bucket } from './bucket.ts';

type BucketRow = { name: string; owner: string; created_ms: number };

const toBucket = (row: BucketRow): Bucket => ({
  name: row.name,
  owner: row.owner,
  createdMs: row.created_ms,
  builtIn: false,
});

/** A bucket that a user made. */
export async function selectBucket(reader: Reader, name: string): Promise<Bucket | undefined> {
  const row = await reader.get<BucketRow>(sql`select name, owner, created_ms from object_buckets where name = ${name}`);
  return row === undefined ? undefined : toBucket(row);
}

/** All buckets that users made, by name. */
export async function selectBuckets(reader: Reader): Promise<Bucket[]> {
  const rows = await reader.all<BucketRow>(sql`select name, owner, created_ms from object_buckets order by name`);
  return rows.map(toBucket);
}

/** Adds a bucket. */
export async function insertBucket(tx: Tx, bucket: Bucket): Promise<void> {
  await tx.run(
    sql`insert into object_buckets (name, owner, created_ms) values (${bucket.name}, ${bucket.owner}, ${bucket.createdMs})`,
  );
}

/** Removes a bucket. */
export async function deleteBucket(tx: Tx, name: string): Promise<void> {
  await tx.run(sql`delete from object_buckets where name = ${name}`);
}
