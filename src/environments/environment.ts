/** The noun: a locked Python environment. Two environments with the same lock are the same environment. */
import { createHash } from 'node:crypto';
import { z } from 'zod';

export type Environment = {
  name: string;
  /** `sha256:…` of the lock and of the Python that it is for. */
  digest: string;
  requirements: string;
  /** Every package with its version and the hashes of its files, in pip's requirements format. */
  lock: string;
  python: string;
  packages: number;
  sizeBytes: number;
  owner: string;
  createdMs: number;
};

export const EnvironmentView = z.object({
  name: z.string(),
  digest: z.string(),
  python: z.string(),
  packages: z.number(),
  sizeBytes: z.number(),
  owner: z.string(),
  createdAt: z.string(),
  requirements: z.array(z.string()),
});
export type EnvironmentView = z.infer<typeof EnvironmentView>;

export const viewEnvironment = (environment: Environment): EnvironmentView => ({
  name: environment.name,
  digest: environment.digest,
  python: environment.python,
  packages: environment.packages,
  sizeBytes: environment.sizeBytes,
  owner: environment.owner,
  createdAt: new Date(environment.createdMs).toISOString(),
  requirements: environment.requirements.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
});

/** The identity of an environment: its lock, for one Python on one platform. */
export const digestOfLock = (lock: string, python: string): string =>
  `sha256:${createHash('sha256').update(`${python}\n${lock}`).digest('hex')}`;

/** The packages of a lock as `name==version`. */
export const packagesOfLock = (lock: string): string[] =>
  [...lock.matchAll(/^([A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]*\])?)==([^\s\\;]+)/gm)].map(
    (match) => `${match[1]}==${match[2]}`,
  );

/** Modules worth loading before they are needed: what takes long to import and is safe to fork. */
const WARM_MODULES: readonly string[] = ['numpy', 'pandas'];

export function warmImportsOf(lock: string): string[] {
  const names = new Set(packagesOfLock(lock).map((one) => one.split('==')[0]));
  return WARM_MODULES.filter((name) => names.has(name));
}
