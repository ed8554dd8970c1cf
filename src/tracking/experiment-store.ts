import { joinSql, listSql, type Reader, type Row, rawSql, type Sql, sql, type Tx } from '#kernel/sql.ts';
import type { Experiment, Lifecycle, Pair } from './run.ts';

type ExperimentRow = Row & {
  id: string;
  name: string;
  artifact_location: string;
  lifecycle: Lifecycle;
  owner: string;
  created_ms: number;
  updated_ms: number;
};

const fromRow = (row: ExperimentRow): Experiment => ({
  id: row.id,
  name: row.name,
  artifactLocation: row.artifact_location,
  lifecycle: row.lifecycle,
  owner: row.owner,
  createdMs: row.created_ms,
  updatedMs: row.updated_ms,
});

/** Adds an experiment under the next number; numbers are never given twice. */
export async function insertExperiment(
  tx: Tx,
  experiment: Omit<Experiment, 'id' | 'artifactLocation'> & { artifactLocation: string | undefined },
): Promise<Experiment> {
  const row = await tx.get<{ next: number }>(sql`select coalesce(max(number), 0) + 1 as next from experiments`);
  const number = row?.next ?? 1;
  return put(
    tx,
    {
      ...experiment,
      id: String(number),
      artifactLocation: experiment.artifactLocation ?? `mlflow-artifacts:/${number}`,
    },
    number,
  );
}

/** The experiment `0`, which is always there. */
export async function ensureDefaultExperiment(tx: Tx, nowMs: number): Promise<void> {
  if ((await tx.get(sql`select id from experiments where id = '0'`)) !== undefined) return;
  const whole = {
    id: '0',
    name: 'Default',
    artifactLocation: 'mlflow-artifacts:/0',
    lifecycle: 'active' as const,
    owner: 'fumehood',
    createdMs: nowMs,
    updatedMs: nowMs,
  };
  await put(tx, whole, 0);
}

async function put(tx: Tx, experiment: Experiment, number: number): Promise<Experiment> {
  const { id, name, artifactLocation, lifecycle, owner, createdMs, updatedMs } = experiment;
  await tx.run(sql`insert into experiments (id, number, name, artifact_location, lifecycle, owner, created_ms, updated_ms)
    values (${id}, ${number}, ${name}, ${artifactLocation}, ${lifecycle}, ${owner}, ${createdMs}, ${updatedMs})`);
  return experiment;
}

export async function selectExperiment(reader: Reader, id: string): Promise<Experiment | undefined> {
  const row = await reader.get<ExperimentRow>(sql`select * from experiments where id = ${id}`);
  return row === undefined ? undefined : fromRow(row);
}

export async function selectExperimentByName(reader: Reader, name: string): Promise<Experiment | undefined> {
  const row = await reader.get<ExperimentRow>(sql`select * from experiments where name = ${name}`);
  return row === undefined ? undefined : fromRow(row);
}

/** A page of experiments that fit conditions over `e`, ordered, from an offset. */
export async function searchExperiments(
  reader: Reader,
  options: { conditions: Sql[]; order: Sql[]; offset: number; limit: number },
): Promise<Experiment[]> {
  const where = joinSql([sql`1 = 1`, ...options.conditions], ' and ');
  const order = joinSql([...options.order, rawSql('e.created_ms desc'), rawSql('e.number desc')], ', ');
  const rows = await reader.all<ExperimentRow>(
    sql`select e.* from experiments e where ${where} order by ${order} limit ${options.limit} offset ${options.offset}`,
  );
  return rows.map(fromRow);
}

export async function updateExperiment(
  tx: Tx,
  experiment: Pick<Experiment, 'id' | 'name' | 'lifecycle' | 'updatedMs'>,
): Promise<void> {
  const { id, name, lifecycle, updatedMs } = experiment;
  await tx.run(
    sql`update experiments set name = ${name}, lifecycle = ${lifecycle}, updated_ms = ${updatedMs} where id = ${id}`,
  );
}

/** Deletes or restores all runs of an experiment, whatever they were before. */
export async function updateRunsOfExperiment(
  tx: Tx,
  experimentId: string,
  lifecycle: Lifecycle,
  nowMs: number,
): Promise<void> {
  const deletedMs = lifecycle === 'deleted' ? nowMs : null;
  await tx.run(
    sql`update runs set lifecycle = ${lifecycle}, deleted_ms = ${deletedMs} where experiment_id = ${experimentId}`,
  );
}

export async function selectExperimentTags(reader: Reader, experimentId: string): Promise<Pair[]> {
  return reader.all<Pair & Row>(
    sql`select key, value from experiment_tags where experiment_id = ${experimentId} order by key`,
  );
}

export async function upsertExperimentTag(tx: Tx, experimentId: string, tag: Pair): Promise<void> {
  await tx.run(sql`insert into experiment_tags (experiment_id, key, value) values (${experimentId}, ${tag.key}, ${tag.value})
    on conflict (experiment_id, key) do update set value = excluded.value`);
}

export async function deleteExperimentTag(tx: Tx, experimentId: string, key: string): Promise<number> {
  return tx.run(sql`delete from experiment_tags where experiment_id = ${experimentId} and key = ${key}`);
}

/** The ids of all experiments. */
export async function selectAllExperimentIds(reader: Reader): Promise<string[]> {
  return (await reader.all<{ id: string }>(sql`select id from experiments`)).map((row) => row.id);
}

/** The names of experiments. */
export async function selectExperimentNames(reader: Reader, ids: readonly string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const rows = await reader.all<{ id: string; name: string }>(
    sql`select id, name from experiments where id in ${listSql(ids)}`,
  );
  return new Map(rows.map((row) => [row.id, row.name]));
}
