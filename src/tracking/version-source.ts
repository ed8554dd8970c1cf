import { AppError } from '#kernel/errors.ts';
import type { Reader } from '#kernel/sql.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import type { VersionSource } from '#src/models/models-deps.ts';
import { nodeOfRun } from './cross-run.ts';
import { loggedModelObject, nodeOfLoggedModel, noSuchLoggedModel } from './logged-model.ts';
import { type LoggedModel, selectLoggedModel } from './logged-model-store.ts';
import { noSuchRun, type Run, runObject } from './run.ts';
import { selectRun } from './run-store.ts';

type LabelsOf = (reader: Reader, nodes: NodeRef[]) => Promise<string[]>;

/**
 * What the source of a model version stands for: a logged model, files of a run, or a place in a bucket. Whoever makes a version must
 * be allowed to read the run and the logged model that it comes of, and its labels come from them. Throws `invalid`, `not_found`.
 */
export async function resolveVersionSource(
  labelsOf: LabelsOf,
  reader: Reader,
  asked: { source: string; runId: string; modelId: string },
): Promise<VersionSource> {
  const { source } = asked;
  const path = /^(?:mlflow-artifacts:\/*|s3:\/\/mlflow\/)(.+)$/.exec(source)?.[1] ?? '';
  const [, second = '', third = ''] = path.split('/');
  const [, namedRun = '', below = ''] = /^runs:\/([^/]+)\/?(.*)$/.exec(source) ?? [];
  const modelId = asked.modelId || (/^models:\/(m-[^/]+)$/.exec(source)?.[1] ?? (second === 'models' ? third : ''));
  const model = modelId === '' ? undefined : await selectLoggedModel(reader, modelId);
  if (modelId !== '' && model === undefined) throw noSuchLoggedModel(modelId);
  const runOfPath = second === 'models' ? '' : second;
  const runIds = new Set([asked.runId, namedRun, runOfPath, model?.sourceRunId ?? ''].filter((id) => id !== ''));
  const runs: Run[] = [];
  for (const id of runIds) {
    const run = await selectRun(reader, id);
    if (run === undefined) throw noSuchRun(id);
    runs.push(run);
  }
  const storageLocation = locate(
    source,
    below,
    model,
    runs.find((run) => run.id === namedRun),
  );
  const questions: VersionSource['questions'] = [];
  const nodes: NodeRef[] = [];
  for (const run of runs) {
    const node = nodeOfRun(run);
    nodes.push(node);
    questions.push({ action: 'run.read', resource: 'run', object: runObject(run, await labelsOf(reader, [node])) });
  }
  if (model !== undefined) {
    const node = nodeOfLoggedModel(model);
    nodes.push(node);
    questions.push({
      action: 'model.read',
      resource: 'model',
      object: loggedModelObject(model, await labelsOf(reader, [node])),
    });
  }
  return { storageLocation, runId: asked.runId || (runs[0]?.id ?? ''), modelId: model?.id ?? '', questions, nodes };
}

function locate(source: string, below: string, model: LoggedModel | undefined, run: Run | undefined): string {
  if (source.startsWith('models:/') && model !== undefined) return model.artifactUri;
  if (run !== undefined) return below === '' ? run.artifactUri : `${run.artifactUri}/${below}`;
  if (/^(mlflow-artifacts:\/|s3:\/\/[^/]+\/)/.test(source) && !source.split('/').includes('..')) return source;
  throw new AppError('invalid', `Invalid model version source: '${source.slice(0, 200)}'.`, {
    details: { hint: 'Name what was logged: models:/MODEL_ID, runs:/RUN_ID/PATH, or its artifact URI.' },
  });
}
