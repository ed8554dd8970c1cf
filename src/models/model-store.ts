import { joinSql, listSql, type Reader, type Row, rawSql, type Sql, sql, type Tx } from '#kernel/sql.ts';
import type { ModelVersion, RegisteredModel } from './model.ts';

type Pair = { key: string; value: string };
type ModelRow = Row & { name: string; description: string; owner: string; created_ms: number; updated_ms: number };
type VersionRow = Row & {
  name: string;
  version: number;
  description: string;
  stage: string;
  source: string;
  storage_location: string;
  run_id: string;
  run_link: string;
  model_id: string;
  status: string;
  deleted: number;
  owner: string;
  created_ms: number;
  updated_ms: number;
};

const modelOf = (row: ModelRow): RegisteredModel => ({
  name: row.name,
  description: row.description,
  owner: row.owner,
  createdMs: row.created_ms,
  updatedMs: row.updated_ms,
});

const versionOf = (row: VersionRow): ModelVersion => ({
  name: row.name,
  version: row.version,
  description: row.description,
  stage: row.stage,
  source: row.source,
  storageLocation: row.storage_location,
  runId: row.run_id,
  runLink: row.run_link,
  modelId: row.model_id,
  status: row.status,
  deleted: row.deleted === 1,
  owner: row.owner,
  createdMs: row.created_ms,
  updatedMs: row.updated_ms,
});

export async function insertModel(tx: Tx, model: RegisteredModel): Promise<void> {
  await tx.run(sql`insert into registered_models (name, description, owner, created_ms, updated_ms)
    values (${model.name}, ${model.description}, ${model.owner}, ${model.createdMs}, ${model.updatedMs})`);
}

export async function selectModel(reader: Reader, name: string): Promise<RegisteredModel | undefined> {
  const row = await reader.get<ModelRow>(sql`select * from registered_models where name = ${name}`);
  return row === undefined ? undefined : modelOf(row);
}

export async function updateModel(
  tx: Tx,
  name: string,
  change: { description?: string; updatedMs: number },
): Promise<void> {
  await tx.run(
    sql`update registered_models set description = coalesce(${change.description ?? null}, description), updated_ms = ${change.updatedMs} where name = ${name}`,
  );
}

const MODEL_TABLES = [
  'registered_models',
  'registered_model_tags',
  'model_versions',
  'model_version_tags',
  'model_aliases',
];

/** The numbers of all versions of a model, those that are deleted too. */
export async function selectVersionNumbers(reader: Reader, name: string): Promise<number[]> {
  const rows = await reader.all<{ version: number }>(
    sql`select version from model_versions where name = ${name} order by version`,
  );
  return rows.map((row) => row.version);
}

/** Gives a model another name, in all that names it. */
export async function renameModel(tx: Tx, from: string, to: string, nowMs: number): Promise<void> {
  for (const table of MODEL_TABLES) await tx.run(sql`update ${rawSql(table)} set name = ${to} where name = ${from}`);
  await updateModel(tx, to, { updatedMs: nowMs });
}

/** Removes a model with all its versions. */
export async function deleteModel(tx: Tx, name: string): Promise<void> {
  for (const table of MODEL_TABLES) await tx.run(sql`delete from ${rawSql(table)} where name = ${name}`);
}

/** A page of models that fit conditions over `m`. */
export async function searchModels(
  reader: Reader,
  options: { conditions: Sql[]; order: Sql[]; offset: number; limit: number },
): Promise<RegisteredModel[]> {
  const where = joinSql([sql`1 = 1`, ...options.conditions], ' and ');
  const order = joinSql([...options.order, rawSql('m.name')], ', ');
  const rows = await reader.all<ModelRow>(
    sql`select m.* from registered_models m where ${where} order by ${order} limit ${options.limit} offset ${options.offset}`,
  );
  return rows.map(modelOf);
}

/** Models by name after this one, of one owner or of all. */
export function selectModelsAfter(
  reader: Reader,
  page: { after: string; owner: string | undefined; limit: number },
): Promise<RegisteredModel[]> {
  const conditions = [sql`m.name > ${page.after}`, ...(page.owner === undefined ? [] : [sql`m.owner = ${page.owner}`])];
  return searchModels(reader, { conditions, order: [], offset: 0, limit: page.limit });
}

/** The next number of a model: never one that was given before, deleted ones counted. */
export async function nextVersion(reader: Reader, name: string): Promise<number> {
  const row = await reader.get<{ next: number }>(
    sql`select coalesce(max(version), 0) + 1 as next from model_versions where name = ${name}`,
  );
  return row?.next ?? 1;
}

export async function insertVersion(tx: Tx, version: ModelVersion): Promise<void> {
  await tx.run(sql`insert into model_versions (name, version, description, stage, source, storage_location, run_id, run_link, model_id, status, deleted, owner, created_ms, updated_ms)
    values (${version.name}, ${version.version}, ${version.description}, ${version.stage}, ${version.source}, ${version.storageLocation}, ${version.runId},
      ${version.runLink}, ${version.modelId}, ${version.status}, ${0}, ${version.owner}, ${version.createdMs}, ${version.updatedMs})`);
}

export async function selectVersion(reader: Reader, name: string, version: number): Promise<ModelVersion | undefined> {
  const row = await reader.get<VersionRow>(
    sql`select * from model_versions where name = ${name} and version = ${version} and deleted = 0`,
  );
  return row === undefined ? undefined : versionOf(row);
}

/** All versions of models that are not deleted, newest first. */
export async function selectVersionsOf(reader: Reader, names: readonly string[]): Promise<ModelVersion[]> {
  if (names.length === 0) return [];
  const rows = await reader.all<VersionRow>(
    sql`select * from model_versions where name in ${listSql(names)} and deleted = 0 order by name, version desc`,
  );
  return rows.map(versionOf);
}

export async function updateVersion(
  tx: Tx,
  version: Pick<ModelVersion, 'name' | 'version' | 'description' | 'stage' | 'updatedMs'>,
): Promise<void> {
  await tx.run(sql`update model_versions set description = ${version.description}, stage = ${version.stage}, updated_ms = ${version.updatedMs}
    where name = ${version.name} and version = ${version.version}`);
}

/** Puts all other versions of a stage into the archive. */
export async function archiveOthers(
  tx: Tx,
  name: string,
  version: number,
  stage: string,
  nowMs: number,
): Promise<void> {
  await tx.run(
    sql`update model_versions set stage = 'Archived', updated_ms = ${nowMs} where name = ${name} and stage = ${stage} and version <> ${version}`,
  );
}

/** Deletes a version: its number stays taken, what it pointed at is forgotten, aliases that name it go with it. */
export async function deleteVersion(tx: Tx, name: string, version: number, nowMs: number): Promise<void> {
  await tx.run(sql`update model_versions set deleted = 1, stage = 'Deleted_Internal', description = '', source = 'REDACTED-SOURCE-PATH', run_id = 'REDACTED-RUN-ID',
    run_link = 'REDACTED-RUN-LINK', updated_ms = ${nowMs} where name = ${name} and version = ${version}`);
  await tx.run(sql`delete from model_version_tags where name = ${name} and version = ${version}`);
  await tx.run(sql`delete from model_aliases where name = ${name} and version = ${version}`);
}

/** A page of versions that fit conditions over `v`. */
export async function searchVersions(
  reader: Reader,
  options: { conditions: Sql[]; order: Sql[]; offset: number; limit: number },
): Promise<ModelVersion[]> {
  const where = joinSql([sql`v.deleted = 0`, ...options.conditions], ' and ');
  const order = joinSql(
    [...options.order, rawSql('v.updated_ms desc'), rawSql('v.name'), rawSql('v.version desc')],
    ', ',
  );
  const rows = await reader.all<VersionRow>(
    sql`select v.* from model_versions v where ${where} order by ${order} limit ${options.limit} offset ${options.offset}`,
  );
  return rows.map(versionOf);
}

export async function upsertModelTag(tx: Tx, name: string, tag: Pair): Promise<void> {
  await tx.run(
    sql`insert into registered_model_tags (name, key, value) values (${name}, ${tag.key}, ${tag.value}) on conflict (name, key) do update set value = excluded.value`,
  );
}

export async function deleteModelTag(tx: Tx, name: string, key: string): Promise<void> {
  await tx.run(sql`delete from registered_model_tags where name = ${name} and key = ${key}`);
}

export async function upsertVersionTag(tx: Tx, name: string, version: number, tag: Pair): Promise<void> {
  await tx.run(sql`insert into model_version_tags (name, version, key, value) values (${name}, ${version}, ${tag.key}, ${tag.value})
    on conflict (name, version, key) do update set value = excluded.value`);
}

export async function deleteVersionTag(tx: Tx, name: string, version: number, key: string): Promise<void> {
  await tx.run(sql`delete from model_version_tags where name = ${name} and version = ${version} and key = ${key}`);
}

export async function upsertAlias(tx: Tx, name: string, alias: string, version: number): Promise<void> {
  await tx.run(
    sql`insert into model_aliases (name, alias, version) values (${name}, ${alias}, ${version}) on conflict (name, alias) do update set version = excluded.version`,
  );
}

export async function deleteAlias(tx: Tx, name: string, alias: string): Promise<void> {
  await tx.run(sql`delete from model_aliases where name = ${name} and alias = ${alias}`);
}

export async function selectAlias(reader: Reader, name: string, alias: string): Promise<number | undefined> {
  return (
    await reader.get<{ version: number }>(
      sql`select version from model_aliases where name = ${name} and alias = ${alias}`,
    )
  )?.version;
}

export type ModelExtras = {
  tags: Map<string, Pair[]>;
  versionTags: Map<string, Pair[]>;
  aliases: Map<string, { alias: string; version: number }[]>;
};

/** Tags and aliases of models and of their versions (keyed `NAME` and `NAME/VERSION`). */
export async function selectExtras(reader: Reader, names: readonly string[]): Promise<ModelExtras> {
  const extras: ModelExtras = { tags: new Map(), versionTags: new Map(), aliases: new Map() };
  if (names.length === 0) return extras;
  const push = <T>(map: Map<string, T[]>, key: string, item: T): void =>
    void map.set(key, [...(map.get(key) ?? []), item]);
  const which = listSql(names);
  for (const row of await reader.all<Pair & Row & { name: string }>(
    sql`select name, key, value from registered_model_tags where name in ${which} order by key`,
  )) {
    push(extras.tags, row.name, { key: row.key, value: row.value });
  }
  for (const row of await reader.all<Pair & Row & { name: string; version: number }>(
    sql`select name, version, key, value from model_version_tags where name in ${which} order by key`,
  )) {
    push(extras.versionTags, `${row.name}/${row.version}`, { key: row.key, value: row.value });
  }
  for (const row of await reader.all<{ name: string; alias: string; version: number }>(
    sql`select name, alias, version from model_aliases where name in ${which} order by alias`,
  )) {
    push(extras.aliases, row.name, { alias: row.alias, version: row.version });
  }
  return extras;
}
