import { nodeOfSubject } from '#src/policies/decision.ts';
import { crossActiveRun } from './cross-run.ts';
import { type DatasetInput, insertInputs, insertModelInputs, insertModelOutputs } from './run-store.ts';
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
