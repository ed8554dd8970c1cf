import { AppError } from '#kernel/errors.ts';
import { nodeOfSubject } from '#src/policies/decision.ts';
import { crossActiveRun } from './cross-run.ts';
import {
  type DatasetInput,
  insertInputs,
  insertModelInputs,
  insertModelOutputs,
  selectRunData,
  upsertTags,
} from './run-store.ts';
import type { Caller, TrackingDeps } from './tracking-deps.ts';

/** Keeps which data sets and models a run is said to have used: declared lineage, never observed. */
export async function logInputs(
  deps: TrackingDeps,
  caller: Caller,
  input: { runId: string; datasets: DatasetInput[]; modelIds: string[] },
): Promise<void> {
  const { runId, datasets, modelIds } = input;
  await crossActiveRun(deps, caller, { action: 'run.log', runId }, async (tx, crossing) => {
    await insertInputs(tx, runId, datasets);
    await insertModelInputs(tx, runId, modelIds);
    const subject = nodeOfSubject(crossing.subject);
    const edge = { subject, direction: 'in', relation: 'declared input', requestId: caller.requestId, runId } as const;
    for (const { name, digest } of datasets)
      await deps.lineage.declare(tx, { ...edge, thing: { kind: 'dataset', id: `declared/${name}@${digest}`, name } });
    for (const id of modelIds) await deps.lineage.declare(tx, { ...edge, thing: { kind: 'model', id } });
    crossing.detail('inputs', datasets.length + modelIds.length);
  });
}

/** Keeps which logged models a run made. */
export async function logOutputs(
  deps: TrackingDeps,
  caller: Caller,
  output: { runId: string; models: { modelId: string; step: number }[] },
): Promise<void> {
  const { runId, models } = output;
  await crossActiveRun(deps, caller, { action: 'run.log', runId }, async (tx, crossing) => {
    await insertModelOutputs(tx, runId, models);
    crossing.detail('outputs', models.length);
  });
}

const HISTORY_TAG = 'mlflow.log-model.history';

/** Adds the description of a logged model to the tag in which MLflow 2 clients look for it. Throws `invalid`. */
export async function logModelHistory(
  deps: TrackingDeps,
  caller: Caller,
  input: { runId: string; modelJson: string },
): Promise<void> {
  const { runId } = input;
  const entry = parseDescription(input.modelJson);
  await crossActiveRun(deps, caller, { action: 'run.log', runId }, async (tx) => {
    const tags = (await selectRunData(tx, [runId])).get(runId)?.tags ?? [];
    const known = JSON.parse(tags.find((tag) => tag.key === HISTORY_TAG)?.value ?? '[]') as unknown;
    const history = Array.isArray(known) ? known : [];
    await upsertTags(tx, runId, [{ key: HISTORY_TAG, value: JSON.stringify([...history, entry]) }]);
  });
}

function parseDescription(modelJson: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(modelJson);
  } catch {
    // Said below.
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new AppError('invalid', 'Malformed model info. The model_json must be a JSON object.');
  return parsed as Record<string, unknown>;
}
