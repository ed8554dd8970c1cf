import { joinSql, listSql, type Reader, type Row, rawSql, type Sql, sql, type Tx } from '#kernel/sql.ts';
import type { Lifecycle, Pair } from './run.ts';

export const LOGGED_MODEL_STATUSES = [
  'LOGGED_MODEL_PENDING',
  'LOGGED_MODEL_READY',
  'LOGGED_MODEL_UPLOAD_FAILED',
] as const;

export type LoggedModel = {
  id: string;
  experimentId: string;
  name: string;
  modelType: string;
  status: string;
  lifecycle: Lifecycle;
  sourceRunId: string;
  artifactUri: string;
  owner: string;
  createdMs: number;
  updatedMs: number;
};

export type ModelMetric = {
  key: string;
  value: number;
  timeMs: number;
  step: number;
  runId: string;
  datasetName: string;
  datasetDigest: string;
};
export type LoggedModelData = { params: Pair[]; tags: Pair[]; metrics: ModelMetric[] };

type ModelRow = Row & {
  id: string;
  experiment_id: string;
  name: string;
  model_type: string;
  status: string;
  lifecycle: Lifecycle;
  source_run_id: string;
  artifact_uri: string;
  owner: string;
  created_ms: number;
  updated_ms: number;
};

const fromRow = (row: ModelRow): LoggedModel => ({
  id: row.id,
  experimentId: row.experiment_id,
  name: row.name,
  modelType: row.model_type,
  status: row.status,
  lifecycle: row.lifecycle,
  sourceRunId: row.source_run_id,
  artifactUri: row.artifact_uri,
  owner: row.owner,
  createdMs: row.created_ms,
  updatedMs: row.updated_ms,
});

export async function insertLoggedModel(tx: Tx, model: LoggedModel): Promise<void> {
  await tx.run(sql`insert into logged_models (id, experiment_id, name, model_type, status, lifecycle, source_run_id, artifact_uri, owner, created_ms, updated_ms)
    values (${model.id}, ${model.experimentId}, ${model.name}, ${model.modelType}, ${model.status}, ${model.lifecycle}, ${model.sourceRunId},
      ${model.artifactUri}, ${model.owner}, ${model.createdMs}, ${model.updatedMs})`);
}

export async function selectLoggedModel(reader: Reader, id: string): Promise<LoggedModel | undefined> {
  const row = await reader.get<ModelRow>(sql`select * from logged_models where id = ${id}`);
  return row === undefined ? undefined : fromRow(row);
}

export async function updateLoggedModel(
  tx: Tx,
  id: string,
  change: { status?: string; lifecycle?: Lifecycle; updatedMs: number },
): Promise<void> {
  await tx.run(sql`update logged_models set status = coalesce(${change.status ?? null}, status), lifecycle = coalesce(${change.lifecycle ?? null}, lifecycle),
    updated_ms = ${change.updatedMs} where id = ${id}`);
}

export async function upsertModelPairs(
  tx: Tx,
  kind: 'params' | 'tags',
  id: string,
  pairs: readonly Pair[],
): Promise<void> {
  const table = rawSql(kind === 'params' ? 'logged_model_params' : 'logged_model_tags');
  for (const { key, value } of pairs) {
    await tx.run(
      sql`insert into ${table} (model_id, key, value) values (${id}, ${key}, ${value}) on conflict (model_id, key) do update set value = excluded.value`,
    );
  }
}

export async function deleteModelTag(tx: Tx, id: string, key: string): Promise<void> {
  await tx.run(sql`delete from logged_model_tags where model_id = ${id} and key = ${key}`);
}

/** Adds metrics that runs logged about models. */
export async function insertModelMetrics(
  tx: Tx,
  metrics: readonly (ModelMetric & { modelId: string })[],
): Promise<void> {
  for (const metric of metrics) {
    const value = Number.isFinite(metric.value) ? metric.value : 0;
    await tx.run(sql`insert into logged_model_metrics (model_id, key, step, time_ms, value, run_id, dataset_name, dataset_digest)
      values (${metric.modelId}, ${metric.key}, ${metric.step}, ${metric.timeMs}, ${value}, ${metric.runId}, ${metric.datasetName}, ${metric.datasetDigest})
      on conflict do nothing`);
  }
}

type MetricRow = Row & {
  model_id: string;
  key: string;
  step: number;
  time_ms: number;
  value: number;
  run_id: string;
  dataset_name: string;
  dataset_digest: string;
};

/** Parameters, tags and metrics of models. */
export async function selectLoggedModelData(
  reader: Reader,
  ids: readonly string[],
): Promise<Map<string, LoggedModelData>> {
  const data = new Map<string, LoggedModelData>(ids.map((id) => [id, { params: [], tags: [], metrics: [] }]));
  if (ids.length === 0) return data;
  for (const kind of ['params', 'tags'] as const) {
    const table = rawSql(`logged_model_${kind}`);
    const rows = await reader.all<Pair & Row & { model_id: string }>(
      sql`select model_id, key, value from ${table} where model_id in ${listSql(ids)} order by key`,
    );
    for (const { model_id, key, value } of rows) data.get(model_id)?.[kind].push({ key, value });
  }
  for (const row of await reader.all<MetricRow>(
    sql`select * from logged_model_metrics where model_id in ${listSql(ids)} order by step, time_ms`,
  )) {
    const {
      key,
      value,
      step,
      time_ms: timeMs,
      run_id: runId,
      dataset_name: datasetName,
      dataset_digest: datasetDigest,
    } = row;
    data.get(row.model_id)?.metrics.push({ key, value, step, timeMs, runId, datasetName, datasetDigest });
  }
  return data;
}

/** A page of models that fit conditions over `m`. */
export async function searchLoggedModels(
  reader: Reader,
  options: { conditions: Sql[]; order: Sql[]; offset: number; limit: number },
): Promise<LoggedModel[]> {
  const where = joinSql([sql`m.lifecycle = 'active'`, ...options.conditions], ' and ');
  const order = joinSql([...options.order, rawSql('m.created_ms desc'), rawSql('m.id')], ', ');
  const rows = await reader.all<ModelRow>(
    sql`select m.* from logged_models m where ${where} order by ${order} limit ${options.limit} offset ${options.offset}`,
  );
  return rows.map(fromRow);
}
