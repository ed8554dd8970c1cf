import { AppError } from '#kernel/errors.ts';
import type { Reader } from '#kernel/sql.ts';
import { nodeOfRun } from './cross-run.ts';
import { noSuchExperiment } from './experiment.ts';
import { selectExperiment } from './experiment-store.ts';
import { checkTags } from './log-to-run.ts';
import { checkLength, type Experiment, LIMITS, type Pair, RUN_NAME_TAG, type Run } from './run.ts';
import { randomRunName } from './run-name.ts';
import { insertRun, upsertTags } from './run-store.ts';
import type { Caller, TrackingDeps } from './tracking-deps.ts';

export type CreateRun = { experimentId: string; name: string; userId: string; startMs: number; tags: Pair[] };

/** Starts a run in an active experiment. Throws `not_found`, `invalid`. */
export async function createRun(
  deps: TrackingDeps,
  caller: Caller,
  input: CreateRun,
): Promise<{ run: Run; tags: Pair[] }> {
  const { identity } = caller;
  const experimentId = input.experimentId === '' ? '0' : input.experimentId;
  const name = nameOf(input);
  const tags = [...checkTags(input.tags).filter((tag) => tag.key !== RUN_NAME_TAG), { key: RUN_NAME_TAG, value: name }];
  const id = deps.ids.next('run').replace(/^run-/, '');
  return deps.gateway.cross({
    ...caller,
    action: 'run.create',
    object: { kind: 'run', id },
    ask: async (reader) => {
      await activeExperiment(reader, experimentId);
      return [
        {
          action: 'run.create',
          resource: 'run',
          object: { type: 'run', id, name, owner: identity.user, experiment: experimentId, labels: [] },
        },
      ];
    },
    act: async (tx, crossing) => {
      const experiment = await activeExperiment(tx, experimentId);
      const run: Run = {
        id,
        experimentId,
        name,
        status: 'RUNNING',
        startMs: input.startMs,
        endMs: null,
        lifecycle: 'active',
        owner: identity.user,
        sandboxId: identity.type === 'sandbox' ? identity.id : null,
        userId: input.userId === '' ? identity.user : input.userId,
        artifactUri: `${experiment.artifactLocation.replace(/\/+$/, '')}/${id}/artifacts`,
      };
      await insertRun(tx, run);
      crossing.attest('run', id);
      await upsertTags(tx, id, tags);
      await crossing.writes(nodeOfRun(run), 'started');
      crossing.detail('experiment', experimentId);
      return { run, tags };
    },
  });
}

function nameOf({ name, tags }: CreateRun): string {
  const tag = tags.find((one) => one.key === RUN_NAME_TAG)?.value ?? '';
  if (name !== '' && tag !== '' && name !== tag) {
    throw new AppError(
      'invalid',
      `Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different values (run_name='${name.slice(0, 100)}', mlflow.runName='${tag.slice(0, 100)}').`,
    );
  }
  const chosen = name || tag || randomRunName();
  checkLength('Run name', chosen, LIMITS.runTagLength);
  return chosen;
}

async function activeExperiment(reader: Reader, id: string): Promise<Experiment> {
  const experiment = await selectExperiment(reader, id);
  if (experiment === undefined) throw noSuchExperiment(id);
  if (experiment.lifecycle !== 'active') {
    throw new AppError(
      'invalid',
      `The experiment ${id} must be in the 'active' state. Current state is ${experiment.lifecycle}.`,
      {
        details: { hint: 'Restore the experiment, or use another one.' },
      },
    );
  }
  return experiment;
}
