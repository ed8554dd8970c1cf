import { AppError } from '#kernel/errors.ts';
import type { NodeRef } from '#src/lineage/node.ts';
import type { PolicyObject } from '#src/policies/decision.ts';
import type { LoggedModel } from './logged-model-store.ts';

export const noSuchLoggedModel = (id: string): AppError =>
  new AppError('not_found', `Logged model with ID '${id}' not found.`);

export const nodeOfLoggedModel = (model: Pick<LoggedModel, 'id' | 'name'>): NodeRef => ({
  kind: 'model',
  id: model.id,
  name: model.name,
});

export const loggedModelObject = (
  model: Pick<LoggedModel, 'id' | 'name' | 'owner'>,
  labels: string[],
): PolicyObject => ({
  type: 'model',
  id: model.id,
  name: model.name,
  owner: model.owner,
  labels,
});

/** Refuses a name that MLflow's own server refuses. */
export function checkLoggedModelName(name: string): void {
  if (/[/:.%"']/.test(name) || name.length > 500)
    throw new AppError(
      'invalid',
      `Invalid model name ('${name.slice(0, 100)}') provided. Model name must be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%', '"', "'")`,
    );
}
