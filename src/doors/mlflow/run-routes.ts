import { AppError } from '#kernel/errors.ts';
import { changeRun, setRunLifecycle } from '#src/tracking/change-run.ts';
import { createRun } from '#src/tracking/create-run.ts';
import { logInputs, logModelHistory, logOutputs } from '#src/tracking/log-links.ts';
import { deleteRunTag, type LoggedMetric, logToRun } from '#src/tracking/log-to-run.ts';
import { readMetricHistory, readRun } from '#src/tracking/read-run.ts';
import { LIMITS, RUN_STATUSES, type RunStatus } from '#src/tracking/run.ts';
import type { DatasetInput } from '#src/tracking/run-store.ts';
import { findRuns } from '#src/tracking/search-runs.ts';
import {
  double,
  type Input,
  integer,
  limit,
  nextPage,
  objects,
  offsetOf,
  pairs,
  requiredText,
  runId,
  text,
  texts,
} from './input.ts';
import { api, type Call, type MlflowRoute } from './mlflow-route.ts';
import { lifecyclesOf } from './view-type.ts';
import { viewMetric, viewRun, viewRunInfo } from './views.ts';

type Answer = Promise<Record<string, unknown>>;

const metricOf = (input: Input): LoggedMetric => ({
  key: requiredText(input, 'key'),
  value: double(input, 'value'),
  timeMs: integer(input, 'timestamp') ?? Date.now(),
  step: integer(input, 'step') ?? 0,
  modelId: text(input, 'model_id'),
  datasetName: text(input, 'dataset_name'),
  datasetDigest: text(input, 'dataset_digest'),
});

/** `RunStatus` of service.proto, by name or by number. */
function statusOf(input: Input): RunStatus | undefined {
  const given = text(input, 'status');
  if (given === '') return undefined;
  const status = RUN_STATUSES[Number(given) - 1] ?? RUN_STATUSES.find((one) => one === given);
  if (status === undefined)
    throw new AppError('invalid', `Invalid value for parameter 'status' supplied: ${given.slice(0, 50)}.`);
  return status;
}

async function create({ services, caller, input }: Call): Answer {
  const { run, tags } = await createRun(services.tracking, caller, {
    experimentId: text(input, 'experiment_id'),
    name: text(input, 'run_name'),
    userId: text(input, 'user_id'),
    startMs: integer(input, 'start_time') ?? services.tracking.clock.nowMs(),
    tags: pairs(input, 'tags'),
  });
  const links = { inputs: [], modelInputs: [], modelOutputs: [] };
  return { run: viewRun({ run, data: { params: [], metrics: [], tags }, links }) };
}

async function update({ services, caller, input }: Call): Answer {
  const status = statusOf(input);
  const endMs = integer(input, 'end_time');
  const name = text(input, 'run_name');
  const run = await changeRun(services.tracking, caller, {
    runId: runId(input),
    ...(status === undefined ? {} : { status }),
    ...(endMs === undefined ? {} : { endMs }),
    ...(name === '' ? {} : { name }),
  });
  return { run_info: viewRunInfo(run) };
}

async function search({ services, caller, input }: Call): Answer {
  const token = text(input, 'page_token');
  const { runs, nextToken } = await findRuns(services.tracking, caller, {
    experimentIds: texts(input, 'experiment_ids'),
    filter: text(input, 'filter'),
    orderBy: texts(input, 'order_by'),
    lifecycles: lifecyclesOf(input, 'run_view_type'),
    limit: limit(input, 1000, LIMITS.searchRuns),
    pageToken: token === '' ? undefined : token,
  });
  return { runs: runs.map(viewRun), ...(nextToken === undefined ? {} : { next_page_token: nextToken }) };
}

const LARGEST_HISTORY = 1_000_000;

async function history({ services, caller, input }: Call): Answer {
  const { metrics, next } = await readMetricHistory(services.tracking, caller, {
    runId: runId(input),
    key: requiredText(input, 'metric_key'),
    offset: offsetOf(text(input, 'page_token')),
    limit: limit(input, LARGEST_HISTORY, LARGEST_HISTORY),
  });
  return { metrics: metrics.map(viewMetric), ...nextPage(next) };
}

async function log(call: Call, batch: Partial<Parameters<typeof logToRun>[2]>): Answer {
  const { services, caller, input } = call;
  await logToRun(services.tracking, caller, { runId: runId(input), metrics: [], params: [], tags: [], ...batch });
  return {};
}

const pairOf = (input: Input) => ({ key: requiredText(input, 'key'), value: text(input, 'value') });

function datasetOf(input: Input): DatasetInput {
  const given = input.dataset;
  if (typeof given !== 'object' || given === null)
    throw new AppError('invalid', "Missing value for required parameter 'dataset'.");
  const dataset = given as Input;
  const optional = (name: string): string | null => text(dataset, name) || null;
  return {
    name: requiredText(dataset, 'name').slice(0, 500),
    digest: requiredText(dataset, 'digest').slice(0, 100),
    sourceType: text(dataset, 'source_type'),
    source: text(dataset, 'source'),
    schema: optional('schema'),
    profile: optional('profile'),
    tags: pairs(input, 'tags'),
  };
}

export const RUN_ROUTES: readonly MlflowRoute[] = [
  ...api('POST', 'runs/create', 'run.create', create),
  ...api('GET', 'runs/get', 'run.read', async ({ services, caller, input }) => ({
    run: viewRun(await readRun(services.tracking, caller, runId(input))),
  })),
  ...api('POST', 'runs/update', 'run.update', update),
  ...api('POST', 'runs/search', 'run.search', search),
  ...api('POST', 'runs/log-metric', 'run.log', (call) => log(call, { metrics: [metricOf(call.input)] })),
  ...api('POST', 'runs/log-parameter', 'run.log', (call) => log(call, { params: [pairOf(call.input)] })),
  ...api('POST', 'runs/set-tag', 'run.log', (call) => log(call, { tags: [pairOf(call.input)] })),
  ...api('POST', 'runs/log-batch', 'run.log', (call) =>
    log(call, {
      metrics: objects(call.input, 'metrics').map(metricOf),
      params: pairs(call.input, 'params'),
      tags: pairs(call.input, 'tags'),
    }),
  ),
  ...api('POST', 'runs/delete-tag', 'run.log', async ({ services, caller, input }) => {
    await deleteRunTag(services.tracking, caller, { runId: runId(input), key: requiredText(input, 'key') });
    return {};
  }),
  ...api('POST', 'runs/delete', 'run.delete', async ({ services, caller, input }) => {
    await setRunLifecycle(services.tracking, caller, { runId: runId(input), lifecycle: 'deleted' });
    return {};
  }),
  ...api('POST', 'runs/restore', 'run.restore', async ({ services, caller, input }) => {
    await setRunLifecycle(services.tracking, caller, { runId: runId(input), lifecycle: 'active' });
    return {};
  }),
  ...api('POST', 'runs/log-inputs', 'run.log', async ({ services, caller, input }) => {
    await logInputs(services.tracking, caller, {
      runId: runId(input),
      datasets: objects(input, 'datasets').map(datasetOf),
      modelIds: objects(input, 'models').map((model) => requiredText(model, 'model_id')),
    });
    return {};
  }),
  ...api('POST', 'runs/outputs', 'run.log', async ({ services, caller, input }) => {
    const models = objects(input, 'models').map((model) => ({
      modelId: requiredText(model, 'model_id'),
      step: integer(model, 'step') ?? 0,
    }));
    await logOutputs(services.tracking, caller, { runId: runId(input), models });
    return {};
  }),
  ...api('POST', 'runs/log-model', 'run.log', async ({ services, caller, input }) => {
    await logModelHistory(services.tracking, caller, {
      runId: runId(input),
      modelJson: requiredText(input, 'model_json'),
    });
    return {};
  }),
  ...api('GET', 'metrics/get-history', 'run.read', history),
];
