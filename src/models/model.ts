/** The nouns of the registry, with the rules of MLflow's. */
import { AppError } from '#kernel/errors.ts';
import type { PolicyObject } from '#src/policies/decision.ts';

export type Pair = { key: string; value: string };

export type RegisteredModel = {
  name: string;
  description: string;
  owner: string;
  createdMs: number;
  updatedMs: number;
};

export type ModelVersion = {
  name: string;
  version: number;
  description: string;
  stage: string;
  source: string;
  storageLocation: string;
  runId: string;
  runLink: string;
  modelId: string;
  status: string;
  deleted: boolean;
  owner: string;
  createdMs: number;
  updatedMs: number;
};

const STAGES = ['None', 'Staging', 'Production', 'Archived'] as const;

/** The stage of this name, whatever its case. Throws `invalid`. */
export function stageOf(name: string): string {
  const stage = STAGES.find((one) => one.toLowerCase() === name.toLowerCase());
  if (stage === undefined)
    throw new AppError('invalid', `Invalid Model Version stage: ${name}. Value must be one of ${STAGES.join(', ')}.`);
  return stage;
}

export function checkModelName(name: string): void {
  if (name === '') throw new AppError('invalid', 'Registered model name cannot be empty.');
  // Logged models are known by such ids; a registered name must not be taken for one.
  if (/[/:]/.test(name) || name.length > 256 || /^m-[0-9a-f]{32}$/.test(name)) {
    throw new AppError(
      'invalid',
      `Invalid model name: '${name.slice(0, 100)}'. It has at most 256 characters, and no '/' and no ':'.`,
    );
  }
}

export function checkAlias(alias: string): void {
  if (!/^[\w-]{1,255}$/.test(alias)) throw new AppError('invalid', `Invalid alias name: '${alias.slice(0, 100)}'.`);
  if (alias.toLowerCase() === 'latest' || /^v\d+$/i.test(alias))
    throw new AppError('invalid', `'${alias}' alias name is reserved.`);
}

const KEY_LENGTH = 250;
const VALUE_LENGTH = 100_000;

export function checkModelTag({ key, value }: Pair): void {
  if (key === '' || key.length > KEY_LENGTH || !/^[/\w.\- :]+$/.test(key))
    throw new AppError('invalid', `Invalid tag name: '${key.slice(0, 100)}'.`);
  if (value.length > VALUE_LENGTH)
    throw new AppError('invalid', `Tag value exceeds the maximum length of ${VALUE_LENGTH} characters.`);
}

export const noSuchModel = (name: string): AppError =>
  new AppError('not_found', `Registered Model with name=${name} not found`);
export const noSuchVersion = (name: string, version: number): AppError =>
  new AppError('not_found', `Model Version (name=${name}, version=${version}) not found`);

export const modelObject = (
  model: { name: string; owner: string; version?: number },
  labels: string[],
): PolicyObject => ({
  type: 'model',
  id: model.version === undefined ? model.name : `${model.name}/${model.version}`,
  name: model.name,
  owner: model.owner,
  ...(model.version === undefined ? {} : { version: String(model.version) }),
  labels,
});
