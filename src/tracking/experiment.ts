import { AppError } from '#kernel/errors.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import type { PolicyObject } from '#src/policies/decision.ts';
import { checkKey, checkLength, type Experiment, LIMITS, type Pair } from './run.ts';

export const noSuchExperiment = (id: string): AppError =>
  new AppError('not_found', `No Experiment with id=${id} exists`);

export const nodeOfExperiment = (experiment: Pick<Experiment, 'id' | 'name'>): NodeRef => ({
  kind: 'experiment',
  id: experiment.id,
  name: experiment.name,
});

export const experimentObject = (
  experiment: Pick<Experiment, 'id' | 'name' | 'owner'>,
  labels: string[],
): PolicyObject => ({
  type: 'experiment',
  id: experiment.id,
  name: experiment.name,
  owner: experiment.owner,
  labels,
});

export function checkExperimentName(name: string): void {
  if (name.trim() === '') throw new AppError('invalid', "Invalid experiment name: ''. The name must not be empty.");
  checkLength('Experiment name', name, LIMITS.experimentNameLength);
}

export function checkExperimentTag(tag: Pair): Pair {
  checkKey('tag', tag.key);
  checkLength('Experiment tag value', tag.value, LIMITS.experimentTagLength);
  return tag;
}

/** Refuses a place for artifacts that the gateway does not see. */
export function checkArtifactLocation(location: string): void {
  if (/^s3:\/\/[^/]+/.test(location)) return;
  throw new AppError('invalid', `Artifacts cannot lie at '${location.slice(0, 200)}'.`, {
    details: { hint: 'Leave artifact_location out, or name a bucket: s3://BUCKET/PATH.' },
  });
}
