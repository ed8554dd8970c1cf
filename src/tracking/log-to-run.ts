import { AppError } from '#kernel/errors.ts';
import type { Tx } from '#kernel/sql.ts';
import { crossActiveRun } from './cross-run.ts';
import { insertModelMetrics, type ModelMetric } from './logged-model-store.ts';
import { checkKey, LIMITS, type Metric, type Pair, RUN_NAME_TAG, type Run } from './run.ts';
import { deleteTag, insertMetrics, insertParams, selectParams, updateRun, upsertTags } from './run-store.ts';
import type { Caller, TrackingDeps } from './tracking-deps.ts';

/** A metric as it is logged: about a logged model and a data set too, when these are named. */
export type LoggedMetric = Metric & { modelId?: string; datasetName?: string; datasetDigest?: string };
export type LogBatch = { runId: string; metrics: LoggedMetric[]; params: Pair[]; tags: Pair[] };

/**
 * Logs metrics, parameters and tags, all or nothing. The same metric twice is one; a parameter keeps its value. Throws `invalid`
 * for what is over MLflow's limits, and for a parameter with another value.
 */
export async function logToRun(deps: TrackingDeps, caller: Caller, batch: LogBatch): Promise<void> {
  checkSizes(batch);
  for (const { key } of batch.metrics) checkKey('metric', key);
  const params = checkParams(batch.params);
  const tags = checkTags(batch.tags);
  await crossActiveRun(deps, caller, { action: 'run.log', runId: batch.runId }, async (tx, crossing, { run }) => {
    if (params.length > 0) await putParams(tx, run, params);
    if (tags.length > 0) await putTags(tx, run, tags);
    if (batch.metrics.length > 0) await putMetrics(tx, run, batch.metrics);
    if (batch.metrics.length > 0) crossing.detail('metrics', batch.metrics.length);
    if (params.length > 0) crossing.detail('params', params.length);
    if (tags.length > 0) crossing.detail('tags', tags.length);
  });
}

/** Removes a tag. Throws `not_found` when the run has none of this name. */
export async function deleteRunTag(
  deps: TrackingDeps,
  caller: Caller,
  tag: { runId: string; key: string },
): Promise<void> {
  await crossActiveRun(deps, caller, { action: 'run.log', runId: tag.runId }, async (tx) => {
    if ((await deleteTag(tx, tag.runId, tag.key)) === 0)
      throw new AppError('not_found', `No tag with name: ${tag.key} in run with id ${tag.runId}`);
  });
}

async function putParams(tx: Tx, run: Run, params: Pair[]): Promise<void> {
  const known = await selectParams(
    tx,
    run.id,
    params.map((param) => param.key),
  );
  for (const { key, value } of params) {
    const old = known.get(key);
    if (old !== undefined && old !== value) {
      throw new AppError(
        'invalid',
        `Changing param values is not allowed. Param with key='${key}' was already logged with value='${old}' for run ID='${run.id}'. Attempted logging new value '${value}'.`,
      );
    }
  }
  await insertParams(
    tx,
    run,
    params.filter((param) => !known.has(param.key)),
  );
}

async function putTags(tx: Tx, run: Run, tags: Pair[]): Promise<void> {
  await upsertTags(tx, run.id, tags);
  const name = tags.find((tag) => tag.key === RUN_NAME_TAG)?.value;
  if (name !== undefined && name !== '' && name !== run.name) await updateRun(tx, { ...run, name });
}

async function putMetrics(tx: Tx, run: Run, metrics: LoggedMetric[]): Promise<void> {
  await insertMetrics(tx, run, metrics);
  const about = metrics.flatMap((metric): (ModelMetric & { modelId: string })[] => {
    const { modelId = '', datasetName = '', datasetDigest = '' } = metric;
    return modelId === '' ? [] : [{ ...metric, modelId, runId: run.id, datasetName, datasetDigest }];
  });
  if (about.length > 0) await insertModelMetrics(tx, about);
}

function checkSizes({ metrics, params, tags }: LogBatch): void {
  const total = metrics.length + params.length + tags.length;
  const over = (what: string, count: number, most: number): void => {
    if (count > most)
      throw new AppError(
        'invalid',
        `A batch logging request can contain at most ${most} ${what}. Got ${count} ${what}. Please split up ${what} across multiple requests and try again.`,
      );
  };
  over('metrics', metrics.length, LIMITS.batchMetrics);
  over('params', params.length, LIMITS.batchParams);
  over('tags', tags.length, LIMITS.batchTags);
  over('metrics, params, and tags', total, LIMITS.batchTotal);
}

/** Parameters with sound keys, values cut at 6,000 characters, each key once. */
export function checkParams(params: readonly Pair[]): Pair[] {
  const once = new Map<string, string>();
  for (const { key, value } of params) {
    checkKey('param', key);
    const kept = value.slice(0, LIMITS.paramLength);
    const known = once.get(key);
    if (known !== undefined && known !== kept)
      throw new AppError(
        'invalid',
        `Duplicate parameter keys have been submitted: ${key}. Please ensure the request contains only one param value per param key.`,
      );
    once.set(key, kept);
  }
  return [...once].map(([key, value]) => ({ key, value }));
}

/** Tags with sound keys, values cut at 8,000 characters; the last of each key counts. */
export function checkTags(tags: readonly Pair[]): Pair[] {
  const last = new Map<string, string>();
  for (const { key, value } of tags) {
    checkKey('tag', key);
    last.set(key, value.slice(0, LIMITS.runTagLength));
  }
  return [...last].map(([key, value]) => ({ key, value }));
}
