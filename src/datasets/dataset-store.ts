import { listSql, type Reader, rawSql, type Sql, sql, type Tx } from '#kernel/sql.ts';
import type { DatasetVersion } from './dataset.ts';

type VersionRow = {
  name: string;
  version: number;
  digest: string;
  size_bytes: number;
  file_count: number;
  owner: string;
  created_ms: number;
};

const VERSION: Sql = rawSql(
  `select v.name, v.version, v.digest, v.size_bytes, v.file_count, d.owner, v.created_ms
   from dataset_versions v join datasets d on d.name = v.name`,
);

async function withTags(reader: Reader, rows: VersionRow[]): Promise<DatasetVersion[]> {
  if (rows.length === 0) return [];
  const names = [...new Set(rows.map((row) => row.name))];
  const tags = await reader.all<{ name: string; version: number; tag: string }>(
    sql`select name, version, tag from dataset_tags where name in ${listSql(names)} order by tag`,
  );
  const byVersion = new Map<string, string[]>();
  for (const row of tags) {
    const key = `${row.name}@${row.version}`;
    byVersion.set(key, [...(byVersion.get(key) ?? []), row.tag]);
  }
  return rows.map((row) => ({
    name: row.name,
    version: row.version,
    digest: row.digest,
    tags: (byVersion.get(`${row.name}@${row.version}`) ?? []).sort(),
    sizeBytes: row.size_bytes,
    fileCount: row.file_count,
    owner: row.owner,
    createdMs: row.created_ms,
  }));
}

/** The owner of a data set. */
export async function selectOwner(reader: Reader, name: string): Promise<string | undefined> {
  return (await reader.get<{ owner: string }>(sql`select owner from datasets where name = ${name}`))?.owner;
}

/** One version; without a number, the latest. */
export async function selectVersion(
  reader: Reader,
  name: string,
  version?: number,
): Promise<DatasetVersion | undefined> {
  const which = version === undefined ? rawSql('') : sql` and v.version = ${version}`;
  const row = await reader.get<VersionRow>(
    sql`${VERSION} where v.name = ${name}${which} order by v.version desc limit 1`,
  );
  return row === undefined ? undefined : (await withTags(reader, [row]))[0];
}

/** The versions of a data set, the latest first. */
export async function selectVersions(reader: Reader, name: string): Promise<DatasetVersion[]> {
  return withTags(reader, await reader.all<VersionRow>(sql`${VERSION} where v.name = ${name} order by v.version desc`));
}

/** The latest version of each data set, by name, after a name. */
export async function selectLatest(reader: Reader, after: string, limit: number): Promise<DatasetVersion[]> {
  const rows = await reader.all<VersionRow>(sql`${VERSION} where v.name > ${after}
    and v.version = (select max(version) from dataset_versions l where l.name = v.name) order by v.name limit ${limit}`);
  return withTags(reader, rows);
}

/** All versions with this content, of whatever data set. */
export async function selectByDigest(reader: Reader, digest: string): Promise<DatasetVersion[]> {
  return withTags(reader, await reader.all<VersionRow>(sql`${VERSION} where v.digest = ${digest}`));
}

/** The highest number that a version of this data set ever had: numbers are never given twice while the set exists. */
export async function selectLastNumber(reader: Reader, name: string): Promise<number> {
  const row = await reader.get<{ last: number | null }>(
    sql`select max(version) as last from dataset_versions where name = ${name}`,
  );
  return row?.last ?? 0;
}

/** Adds a version, and the data set when it is its first. */
export async function insertVersion(tx: Tx, version: DatasetVersion, addedBy: string): Promise<void> {
  const { name, version: number, digest, sizeBytes, fileCount, owner, createdMs } = version;
  await tx.run(
    sql`insert into datasets (name, owner, created_ms) values (${name}, ${owner}, ${createdMs}) on conflict do nothing`,
  );
  await tx.run(sql`insert into dataset_versions (name, version, digest, size_bytes, file_count, added_by, created_ms)
    values (${name}, ${number}, ${digest}, ${sizeBytes}, ${fileCount}, ${addedBy}, ${createdMs})`);
  await insertTags(tx, version, version.tags);
}

/** Adds tags to a version. */
export async function insertTags(
  tx: Tx,
  version: Pick<DatasetVersion, 'name' | 'version'>,
  tags: string[],
): Promise<void> {
  for (const tag of tags) {
    await tx.run(
      sql`insert into dataset_tags (name, version, tag) values (${version.name}, ${version.version}, ${tag}) on conflict do nothing`,
    );
  }
}

/** Removes a version, and the data set with its last one. */
export async function deleteVersion(tx: Tx, version: Pick<DatasetVersion, 'name' | 'version'>): Promise<void> {
  const { name } = version;
  await tx.run(sql`delete from dataset_tags where name = ${name} and version = ${version.version}`);
  await tx.run(sql`delete from dataset_versions where name = ${name} and version = ${version.version}`);
  const left = await tx.get(sql`select 1 as found from dataset_versions where name = ${name} limit 1`);
  if (left === undefined) await tx.run(sql`delete from datasets where name = ${name}`);
}

/** The tags of a data set over all of its versions, sorted; undefined when there is no such data set. */
export async function selectTagsOfName(reader: Reader, name: string): Promise<string[] | undefined> {
  if ((await selectOwner(reader, name)) === undefined) return undefined;
  const rows = await reader.all<{ tag: string }>(
    sql`select distinct tag from dataset_tags where name = ${name} order by tag`,
  );
  return rows.map((row) => row.tag);
}
