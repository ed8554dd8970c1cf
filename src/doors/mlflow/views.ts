/** The wire shapes of MLflow's `service.proto` and `model_registry.proto`. */
import type { ModelVersion } from '#src/models/model.ts';
import type { WholeVersion } from '#src/models/model-versions.ts';
import type { WholeModel } from '#src/models/registered-models.ts';
import type { WholeExperiment } from '#src/tracking/experiments.ts';
import type { WholeLoggedModel } from '#src/tracking/logged-models.ts';
import type { WholeRun } from '#src/tracking/read-run.ts';
import type { Metric, Run } from '#src/tracking/run.ts';

type View = Record<string, unknown>;

/** protobuf's JSON has no NaN: it is a text. */
const number = (value: number): number | string => (Number.isFinite(value) ? value : String(value));

export const viewExperiment = ({ experiment, tags }: WholeExperiment): View => ({
  experiment_id: experiment.id,
  name: experiment.name,
  artifact_location: experiment.artifactLocation,
  lifecycle_stage: experiment.lifecycle,
  last_update_time: experiment.updatedMs,
  creation_time: experiment.createdMs,
  tags,
});

export const viewRunInfo = (run: Run): View => ({
  run_id: run.id,
  run_uuid: run.id,
  run_name: run.name,
  experiment_id: run.experimentId,
  user_id: run.userId,
  status: run.status,
  start_time: run.startMs ?? 0,
  ...(run.endMs === null ? {} : { end_time: run.endMs }),
  artifact_uri: run.artifactUri,
  lifecycle_stage: run.lifecycle,
});

export const viewMetric = (metric: Metric): View => ({
  key: metric.key,
  value: number(metric.value),
  timestamp: metric.timeMs,
  step: metric.step,
});

export const viewRun = ({ run, data, links }: WholeRun): View => ({
  info: viewRunInfo(run),
  data: { metrics: data.metrics.map(viewMetric), params: data.params, tags: data.tags },
  inputs: {
    dataset_inputs: links.inputs.map(({ tags, name, digest, sourceType, source, schema, profile }) => ({
      tags,
      dataset: {
        name,
        digest,
        source_type: sourceType,
        source,
        ...(schema === null ? {} : { schema }),
        ...(profile === null ? {} : { profile }),
      },
    })),
    model_inputs: links.modelInputs.map((id) => ({ model_id: id })),
  },
  outputs: { model_outputs: links.modelOutputs.map(({ modelId, step }) => ({ model_id: modelId, step })) },
});

export const viewLoggedModel = ({ model, data }: WholeLoggedModel): View => ({
  info: {
    model_id: model.id,
    experiment_id: model.experimentId,
    name: model.name,
    creation_timestamp_ms: model.createdMs,
    last_updated_timestamp_ms: model.updatedMs,
    artifact_uri: model.artifactUri,
    status: model.status,
    model_type: model.modelType,
    source_run_id: model.sourceRunId,
    tags: data.tags,
  },
  data: {
    params: data.params,
    metrics: data.metrics.map((metric) => ({
      ...viewMetric(metric),
      model_id: model.id,
      run_id: metric.runId,
      ...(metric.datasetName === '' ? {} : { dataset_name: metric.datasetName, dataset_digest: metric.datasetDigest }),
    })),
  },
});

export function viewVersion({ version, extras }: WholeVersion): View {
  const aliases = (extras.aliases.get(version.name) ?? []).filter((one) => one.version === version.version);
  return {
    name: version.name,
    version: String(version.version),
    creation_timestamp: version.createdMs,
    last_updated_timestamp: version.updatedMs,
    user_id: version.owner,
    current_stage: version.stage,
    description: version.description,
    source: version.source,
    run_id: version.runId,
    run_link: version.runLink,
    status: version.status,
    tags: extras.versionTags.get(`${version.name}/${version.version}`) ?? [],
    aliases: aliases.map(({ alias }) => alias),
    ...(version.modelId === '' ? {} : { model_id: version.modelId }),
  };
}

/** The newest version of each stage. */
export function latestOf(versions: readonly ModelVersion[]): ModelVersion[] {
  const byStage = new Map<string, ModelVersion>();
  for (const version of versions) {
    const known = byStage.get(version.stage);
    if (known === undefined || known.version < version.version) byStage.set(version.stage, version);
  }
  return [...byStage.values()];
}

export const viewModel = ({ model, versions, extras }: WholeModel): View => ({
  name: model.name,
  creation_timestamp: model.createdMs,
  last_updated_timestamp: model.updatedMs,
  user_id: model.owner,
  description: model.description,
  latest_versions: latestOf(versions).map((version) => viewVersion({ version, extras })),
  tags: extras.tags.get(model.name) ?? [],
  aliases: (extras.aliases.get(model.name) ?? []).map(({ alias, version }) => ({ alias, version: String(version) })),
});
