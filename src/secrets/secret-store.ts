import type { Envelope } from '#kernel/envelope.ts';
import { listSql, type Reader, rawSql, type SqlValue, sql, type Tx } from '#kernel/sql.ts';
import type { Secret, SecretRules, SecretVersion } from './secret.ts';

type SecretRow = {
  path: string;
  owner: string;
  current_version: number;
  max_versions: number;
  cas_required: number;
  delete_after_ms: number;
  custom_metadata: string;
  created_ms: number;
  updated_ms: number;
};

type VersionRow = { version: number; created_ms: number; deleted_ms: number | null; destroyed: number };

type SealedRow = VersionRow & {
  value_id: string;
  key_name: string | null;
  key_version: number | null;
  wrapped: Uint8Array | null;
  sealed: Uint8Array | null;
};

/** A value as it is stored, bound to its path and id. */
export type SealedValue = { valueId: string; envelope: Envelope };

const toSecret = (row: SecretRow): Secret => ({
  path: row.path,
  owner: row.owner,
  currentVersion: row.current_version,
  maxVersions: row.max_versions,
  casRequired: row.cas_required === 1,
  deleteAfterMs: row.delete_after_ms,
  customMetadata: JSON.parse(row.custom_metadata),
  createdMs: row.created_ms,
  updatedMs: row.updated_ms,
});

const toVersion = (row: VersionRow): SecretVersion => ({
  version: row.version,
  createdMs: row.created_ms,
  deletedMs: row.deleted_ms,
  destroyed: row.destroyed === 1,
});

/** The secret at a path. */
export async function selectSecret(reader: Reader, path: string): Promise<Secret | undefined> {
  const row = await reader.get<SecretRow>(sql`select * from secrets where path = ${path}`);
  return row === undefined ? undefined : toSecret(row);
}

/** Writes a secret's row, new or changed. */
export async function upsertSecret(tx: Tx, secret: Secret): Promise<void> {
  await tx.run(sql`insert into secrets (path, owner, current_version, max_versions, cas_required, delete_after_ms, custom_metadata, created_ms, updated_ms)
    values (${secret.path}, ${secret.owner}, ${secret.currentVersion}, ${secret.maxVersions}, ${secret.casRequired ? 1 : 0},
      ${secret.deleteAfterMs}, ${JSON.stringify(secret.customMetadata)}, ${secret.createdMs}, ${secret.updatedMs})
    on conflict (path) do update set current_version = excluded.current_version, max_versions = excluded.max_versions,
      cas_required = excluded.cas_required, delete_after_ms = excluded.delete_after_ms,
      custom_metadata = excluded.custom_metadata, updated_ms = excluded.updated_ms`);
}

/** Removes a secret with all its versions. */
export async function deleteSecret(tx: Tx, path: string): Promise<void> {
  await tx.run(sql`delete from secret_versions where path = ${path}`);
  await tx.run(sql`delete from secrets where path = ${path}`);
}

/** An owner's paths that begin with the prefix (empty, or ending in a slash), in the order of their bytes, after `after`. */
export async function selectPaths(
  reader: Reader,
  options: { owner: string; prefix: string; after: string; limit: number },
): Promise<string[]> {
  const { owner, prefix, after, limit } = options;
  // "0" is the character after "/": the end of all paths below the prefix.
  const below = prefix === '' ? rawSql('') : sql` and path > ${prefix} and path < ${`${prefix.slice(0, -1)}0`}`;
  const rows = await reader.all<{ path: string }>(
    sql`select path from secrets where owner = ${owner} and path > ${after}${below} order by path limit ${limit}`,
  );
  return rows.map((row) => row.path);
}

/** All versions of a secret, oldest first, without values. */
export async function selectVersions(reader: Reader, path: string): Promise<SecretVersion[]> {
  const rows = await reader.all<VersionRow>(
    sql`select version, created_ms, deleted_ms, destroyed from secret_versions where path = ${path} order by version`,
  );
  return rows.map(toVersion);
}

/** One version with its sealed value; no value once it is destroyed. */
export async function selectVersion(
  reader: Reader,
  path: string,
  version: number,
): Promise<(SecretVersion & { value: SealedValue | undefined }) | undefined> {
  const row = await reader.get<SealedRow>(
    sql`select * from secret_versions where path = ${path} and version = ${version}`,
  );
  if (row === undefined) return undefined;
  const { key_name: keyName, key_version: keyVersion, wrapped, sealed, value_id: valueId } = row;
  const whole = keyName !== null && keyVersion !== null && wrapped !== null && sealed !== null;
  const value = whole ? { valueId, envelope: { keyName, keyVersion, wrapped, sealed } } : undefined;
  return { ...toVersion(row), value };
}

/** Adds a version with its sealed value. */
export async function insertVersion(
  tx: Tx,
  path: string,
  version: SecretVersion,
  { valueId, envelope }: SealedValue,
): Promise<void> {
  await tx.run(sql`insert into secret_versions (path, version, value_id, created_ms, deleted_ms, destroyed, key_name, key_version, wrapped, sealed)
    values (${path}, ${version.version}, ${valueId}, ${version.createdMs}, ${version.deletedMs}, 0,
      ${envelope.keyName}, ${envelope.keyVersion}, ${envelope.wrapped}, ${envelope.sealed})`);
}

/** Removes the versions up to and including `version`: they are more than the secret keeps. */
export async function deleteVersionsUpTo(tx: Tx, path: string, version: number): Promise<number[]> {
  const dropped = await tx.all<{ version: number }>(
    sql`select version from secret_versions where path = ${path} and version <= ${version} order by version`,
  );
  if (dropped.length > 0) await tx.run(sql`delete from secret_versions where path = ${path} and version <= ${version}`);
  return dropped.map((row) => row.version);
}

/** Marks versions as deleted from a time on, or (null) brings them back; destroyed ones stay. */
export async function updateDeletion(
  tx: Tx,
  path: string,
  versions: readonly SqlValue[],
  deletedMs: number | null,
): Promise<void> {
  if (versions.length === 0) return;
  // A deletion that has happened keeps its time; one that is planned comes forward.
  const only = deletedMs === null ? rawSql('') : sql` and (deleted_ms is null or deleted_ms > ${deletedMs})`;
  await tx.run(sql`update secret_versions set deleted_ms = ${deletedMs}
    where path = ${path} and destroyed = 0 and version in ${listSql(versions)}${only}`);
}

/** Removes the values of versions for good; the versions stay known. */
export async function destroyVersions(tx: Tx, path: string, versions: readonly SqlValue[]): Promise<void> {
  if (versions.length === 0) return;
  await tx.run(sql`update secret_versions set destroyed = 1, wrapped = null, sealed = null, key_name = null, key_version = null
    where path = ${path} and version in ${listSql(versions)}`);
}

/** The rules that a user configured for their secrets; undefined while there are none. */
export async function selectConfig(reader: Reader, owner: string): Promise<SecretRules | undefined> {
  const row = await reader.get<{ max_versions: number; cas_required: number; delete_after_ms: number }>(
    sql`select max_versions, cas_required, delete_after_ms from secret_config where owner = ${owner}`,
  );
  if (row === undefined) return undefined;
  return { maxVersions: row.max_versions, casRequired: row.cas_required === 1, deleteAfterMs: row.delete_after_ms };
}

/** Sets the rules that a user configured. */
export async function upsertConfig(tx: Tx, owner: string, rules: SecretRules): Promise<void> {
  await tx.run(sql`insert into secret_config (owner, max_versions, cas_required, delete_after_ms)
    values (${owner}, ${rules.maxVersions}, ${rules.casRequired ? 1 : 0}, ${rules.deleteAfterMs})
    on conflict (owner) do update set max_versions = excluded.max_versions, cas_required = excluded.cas_required,
      delete_after_ms = excluded.delete_after_ms`);
}

/** True when any value is encrypted: the key must then be there. */
export async function anySecretValue(reader: Reader): Promise<boolean> {
  return (await reader.get(sql`select 1 as found from secret_versions where destroyed = 0 limit 1`)) !== undefined;
}
