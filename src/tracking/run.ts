/** The nouns of tracking and their limits, as MLflow's server has them. */
import { AppError } from '#kernel/errors.ts';
import type { PolicyObject } from '#src/policies/decision.ts';

export const RUN_STATUSES = ['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];
export type Lifecycle = 'active' | 'deleted';

export type Run = {
  id: string;
  experimentId: string;
  name: string;
  status: RunStatus;
  startMs: number | null;
  endMs: number | null;
  lifecycle: Lifecycle;
  owner: string;
  sandboxId: string | null;
  userId: string;
  artifactUri: string;
};

export type Experiment = {
  id: string;
  name: string;
  artifactLocation: string;
  lifecycle: Lifecycle;
  owner: string;
  createdMs: number;
  updatedMs: number;
};

export type Pair = { key: string; value: string };
/** `value` may be NaN or infinite. Times in ms. */
export type Metric = { key: string; value: number; timeMs: number; step: number };
export type RunData = { params: Pair[]; tags: Pair[]; metrics: Metric[] };

export const LIMITS = {
  keyLength: 250,
  paramLength: 6000,
  runTagLength: 8000,
  experimentTagLength: 5000,
  experimentNameLength: 500,
  batchMetrics: 1000,
  batchParams: 100,
  batchTags: 100,
  batchTotal: 1000,
  searchRuns: 50_000,
} as const;

/** The tag that holds a run's name. */
export const RUN_NAME_TAG = 'mlflow.runName';

const KEY = /^[/\w.\- :]+$/;

/** Refuses a key that is no name (letters, digits, `_ - . space : /`), goes upwards as a path, or is too long. */
export function checkKey(what: string, key: string): void {
  if (key === '' || !KEY.test(key)) {
    throw new AppError(
      'invalid',
      `Invalid ${what} name: '${key.slice(0, 100)}'. Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).`,
    );
  }
  const parts = key.split('/');
  if (key.startsWith('/') || parts.includes('..') || parts.includes('.') || parts.includes('')) {
    throw new AppError(
      'invalid',
      `Invalid ${what} name: '${key.slice(0, 100)}'. Names may be treated as files in certain cases, and must not resolve to other names when treated as such.`,
    );
  }
  checkLength(`${what} key`, key, LIMITS.keyLength);
}

export function checkLength(what: string, value: string, most: number): void {
  if (value.length > most)
    throw new AppError('invalid', `${what} exceeds the maximum length of ${most} characters (it has ${value.length}).`);
}

/** A run as policy sees it. */
export const runObject = (run: Pick<Run, 'id' | 'name' | 'owner'>, labels: string[]): PolicyObject => ({
  type: 'run',
  id: run.id,
  name: run.name,
  owner: run.owner,
  labels,
});

export const noSuchRun = (id: string): AppError =>
  new AppError('not_found', `Run with id=${id} not found`, { details: { hint: 'See "fumehood run list".' } });

/** Refuses what only an active run may take. */
export function assertActive(run: Run): void {
  if (run.lifecycle !== 'active') {
    throw new AppError(
      'invalid',
      `The run ${run.id} must be in the 'active' state. Current state is ${run.lifecycle}.`,
    );
  }
}
