import { joinSql, listSql, type Reader, type Row, sql, type Tx } from '#kernel/sql.ts';
import type { Lifecycle, Metric, Pair, Run, RunData, RunStatus } from './run.ts';

export type RunRow = Row & {
  id: string;
  experiment_id: string;
  name: string;
  status: RunStatus;
  start_ms: number | null;
  end_ms: number | null;
  lifecycle: Lifecycle;
  owner: string;
  sandbox_id: string | null;
  user_id: string;
  artifact_uri: string;
};

export const runOfRow = (row: RunRow): Run => ({
  id: row.id,
  experimentId: row.experiment_id,
  name: row.name,
  status: row.status,
  startMs: row.start_ms,
  endMs: row.end_ms,
  lifecycle: row.lifecycle,
  owner: row.owner,
  sandboxId: row.sandbox_id,
  userId: row.user_id,
  artifactUri: row.artifact_uri,
});

export async function insertRun(tx: Tx, run: Run): Promise<void> {
  await tx.run(sql`insert into runs (id, experiment_id, name, status, start_ms, end_ms, lifecycle, deleted_ms, owner, sandbox_id, user_id, artifact_uri)
    values (${run.id}, ${run.experimentId}, ${run.name}, ${run.status}, ${run.startMs}, ${run.endMs}, ${run.lifecycle}, ${null}, ${run.owner},
      ${run.sandboxId}, ${run.userId}, ${run.artifactUri})`);
}

export async function selectRun(reader: Reader, id: string): Promise<Run | undefined> {
  const row = await reader.get<RunRow>(sql`select * from runs where id = ${id}`);
  return row === undefined ? undefined : runOfRow(row);
}

export async function updateRun(tx: Tx, run: Pick<Run, 'id' | 'name' | 'status' | 'endMs'>): Promise<void> {
  await tx.run(
    sql`update runs set name = ${run.name}, status = ${run.status}, end_ms = ${run.endMs} where id = ${run.id}`,
  );
}

export async function updateRunLifecycle(tx: Tx, id: string, lifecycle: Lifecycle, nowMs: number): Promise<void> {
  await tx.run(
    sql`update runs set lifecycle = ${lifecycle}, deleted_ms = ${lifecycle === 'deleted' ? nowMs : null} where id = ${id}`,
  );
}

const ROWS = 100;
const chunks = <T>(items: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(items.length / ROWS) }, (_, at) => items.slice(at * ROWS, (at + 1) * ROWS));

/** What of a run stands beside its values too, for the indexes that searches follow. */
type RunPlace = Pick<Run, 'id' | 'experimentId' | 'owner' | 'startMs'>;

const SORT_KEY_LENGTH = 200;
const sortKeyOf = (value: string): string => value.slice(0, SORT_KEY_LENGTH).toWellFormed();

/** Adds parameters; those that are there keep their value. */
export async function insertParams(tx: Tx, run: RunPlace, params: readonly Pair[]): Promise<void> {
  const { id, experimentId, owner } = run;
  for (const some of chunks(params)) {
    const rows = joinSql(
      some.map(
        ({ key, value }) =>
          sql`(${id}, ${key}, ${value}, ${experimentId}, ${owner}, ${run.startMs ?? 0}, ${sortKeyOf(value)})`,
      ),
      ', ',
    );
    await tx.run(
      sql`insert into run_params (run_id, key, value, experiment_id, owner, start_ms, sort_key) values ${rows} on conflict (run_id, key) do nothing`,
    );
  }
}

/** The values that a run has for these parameters. */
export async function selectParams(
  reader: Reader,
  runId: string,
  keys: readonly string[],
): Promise<Map<string, string>> {
  const rows = await reader.all<Pair & Row>(
    sql`select key, value from run_params where run_id = ${runId} and key in ${listSql(keys)}`,
  );
  return new Map(rows.map((row) => [row.key, row.value]));
}

/** Sets tags. */
export async function upsertTags(tx: Tx, runId: string, tags: readonly Pair[]): Promise<void> {
  for (const some of chunks(tags)) {
    const rows = joinSql(
      some.map(({ key, value }) => sql`(${runId}, ${key}, ${value})`),
      ', ',
    );
    await tx.run(
      sql`insert into run_tags (run_id, key, value) values ${rows} on conflict (run_id, key) do update set value = excluded.value`,
    );
  }
}

export async function deleteTag(tx: Tx, runId: string, key: string): Promise<number> {
  return tx.run(sql`delete from run_tags where run_id = ${runId} and key = ${key}`);
}

const stored = (metric: Metric): { value: number; nan: number } => {
  if (Number.isNaN(metric.value)) return { value: 0, nan: 1 };
  return { value: Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, metric.value)), nan: 0 };
};

const isLater = (a: Metric, b: Metric): boolean => {
  if (a.step !== b.step) return a.step > b.step;
  if (a.timeMs !== b.timeMs) return a.timeMs > b.timeMs;
  return stored(a).value > stored(b).value;
};

/** Adds metrics (the same one twice is nothing) and moves the latest of each key when (step, time, value) is greater. */
export async function insertMetrics(tx: Tx, run: RunPlace, metrics: readonly Metric[]): Promise<void> {
  const latest = new Map<string, Metric>();
  for (const metric of metrics) {
    const known = latest.get(metric.key);
    if (known === undefined || isLater(metric, known)) latest.set(metric.key, metric);
  }
  const cellsOf = (metric: Metric) => {
    const { value, nan } = stored(metric);
    return sql`${run.id}, ${metric.key}, ${metric.step}, ${metric.timeMs}, ${value}, ${nan}`;
  };
  const place = sql`${run.experimentId}, ${run.owner}, ${run.startMs ?? 0}`;
  for (const some of chunks(metrics)) {
    await tx.run(sql`insert into run_metrics (run_id, key, step, time_ms, value, is_nan) values ${joinSql(
      some.map((metric) => sql`(${cellsOf(metric)})`),
      ', ',
    )}
      on conflict (run_id, key, step, time_ms, value, is_nan) do nothing`);
  }
  for (const some of chunks([...latest.values()])) {
    await tx.run(sql`insert into latest_metrics (run_id, key, step, time_ms, value, is_nan, experiment_id, owner, start_ms) values ${joinSql(
      some.map((metric) => sql`(${cellsOf(metric)}, ${place})`),
      ', ',
    )}
      on conflict (run_id, key) do update set step = excluded.step, time_ms = excluded.time_ms, value = excluded.value, is_nan = excluded.is_nan
      where (excluded.step, excluded.time_ms, excluded.value) > (latest_metrics.step, latest_metrics.time_ms, latest_metrics.value)`);
  }
}

type MetricRow = Row & { run_id: string; key: string; step: number; time_ms: number; value: number; is_nan: number };

const metricOfRow = (row: MetricRow): Metric => ({
  key: row.key,
  value: row.is_nan === 1 ? Number.NaN : row.value,
  timeMs: row.time_ms,
  step: row.step,
});

/** The history of one metric, in the order of time, step and value. */
export async function selectMetricHistory(
  reader: Reader,
  runId: string,
  key: string,
  page: { offset: number; limit: number },
): Promise<Metric[]> {
  const rows = await reader.all<MetricRow>(sql`select run_id, key, step, time_ms, value, is_nan from run_metrics
    where run_id = ${runId} and key = ${key} order by time_ms, step, value limit ${page.limit} offset ${page.offset}`);
  return rows.map(metricOfRow);
}

/** The first of one metric's history, in the order of the steps, as a chart shows it. */
export async function selectCurve(reader: Reader, runId: string, key: string, most: number): Promise<Metric[]> {
  const rows = await reader.all<MetricRow>(sql`select run_id, key, step, time_ms, value, is_nan from run_metrics
    where run_id = ${runId} and key = ${key} order by step, time_ms, value limit ${most}`);
  return rows.map(metricOfRow);
}

/** Parameters, tags and latest metrics of runs: three statements, however many runs. */
export async function selectRunData(reader: Reader, runIds: readonly string[]): Promise<Map<string, RunData>> {
  const data = new Map<string, RunData>(runIds.map((id) => [id, { params: [], tags: [], metrics: [] }]));
  for (const ids of chunks(runIds)) {
    const which = ids.length === 1 ? sql`= ${ids[0] ?? ''}` : sql`in ${listSql(ids)}`;
    const params = await reader.all<Pair & Row & { run_id: string }>(
      sql`select run_id, key, value from run_params where run_id ${which}`,
    );
    for (const { run_id, key, value } of params) data.get(run_id)?.params.push({ key, value });
    const tags = await reader.all<Pair & Row & { run_id: string }>(
      sql`select run_id, key, value from run_tags where run_id ${which}`,
    );
    for (const { run_id, key, value } of tags) data.get(run_id)?.tags.push({ key, value });
    const metrics = await reader.all<MetricRow>(
      sql`select run_id, key, step, time_ms, value, is_nan from latest_metrics where run_id ${which}`,
    );
    for (const row of metrics) data.get(row.run_id)?.metrics.push(metricOfRow(row));
  }
  return data;
}

export type DatasetInput = {
  name: string;
  digest: string;
  sourceType: string;
  source: string;
  schema: string | null;
  profile: string | null;
  tags: Pair[];
};

/** Adds data sets that the user says a run used: declared lineage. */
export async function insertInputs(tx: Tx, runId: string, inputs: readonly DatasetInput[]): Promise<void> {
  for (const input of inputs) {
    await tx.run(sql`insert into run_inputs (run_id, name, digest, source_type, source, dataset_schema, profile, tags)
      values (${runId}, ${input.name}, ${input.digest}, ${input.sourceType}, ${input.source}, ${input.schema}, ${input.profile}, ${JSON.stringify(input.tags)})
      on conflict (run_id, name, digest) do nothing`);
  }
}

export async function insertModelInputs(tx: Tx, runId: string, modelIds: readonly string[]): Promise<void> {
  for (const id of modelIds)
    await tx.run(sql`insert into run_model_inputs (run_id, model_id) values (${runId}, ${id}) on conflict do nothing`);
}

export async function insertModelOutputs(
  tx: Tx,
  runId: string,
  models: readonly { modelId: string; step: number }[],
): Promise<void> {
  for (const { modelId, step } of models) {
    await tx.run(
      sql`insert into run_model_outputs (run_id, model_id, step) values (${runId}, ${modelId}, ${step}) on conflict do nothing`,
    );
  }
}

type InputRow = Row & {
  run_id: string;
  name: string;
  digest: string;
  source_type: string;
  source: string;
  dataset_schema: string | null;
  profile: string | null;
  tags: string;
};
export type RunLinks = {
  inputs: DatasetInput[];
  modelInputs: string[];
  modelOutputs: { modelId: string; step: number }[];
};

/** What runs are said to have used and made. */
export async function selectRunLinks(reader: Reader, runIds: readonly string[]): Promise<Map<string, RunLinks>> {
  const links = new Map<string, RunLinks>(runIds.map((id) => [id, { inputs: [], modelInputs: [], modelOutputs: [] }]));
  for (const ids of chunks(runIds)) {
    const which = ids.length === 1 ? sql`= ${ids[0] ?? ''}` : sql`in ${listSql(ids)}`;
    // Most runs have none.
    const any = await reader.get(sql`select 1 as found where exists (select 1 from run_inputs where run_id ${which})
      or exists (select 1 from run_model_inputs where run_id ${which}) or exists (select 1 from run_model_outputs where run_id ${which})`);
    if (any === undefined) continue;
    for (const row of await reader.all<InputRow>(sql`select * from run_inputs where run_id ${which}`)) {
      const { name, digest, source_type: sourceType, source, dataset_schema: schema, profile } = row;
      links
        .get(row.run_id)
        ?.inputs.push({ name, digest, sourceType, source, schema, profile, tags: JSON.parse(row.tags) as Pair[] });
    }
    for (const row of await reader.all<{ run_id: string; model_id: string }>(
      sql`select run_id, model_id from run_model_inputs where run_id ${which}`,
    )) {
      links.get(row.run_id)?.modelInputs.push(row.model_id);
    }
    for (const row of await reader.all<{ run_id: string; model_id: string; step: number }>(
      sql`select run_id, model_id, step from run_model_outputs where run_id ${which}`,
    )) {
      links.get(row.run_id)?.modelOutputs.push({ modelId: row.model_id, step: row.step });
    }
  }
  return links;
}
