import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '#kernel/clock.ts';
import { AppError } from '#kernel/errors.ts';
import type { KeyedMutex } from '#kernel/keyed-mutex.ts';
import type { Tx } from '#kernel/sql.ts';
import type { Crossing, Gateway, Identity } from '#src/gateway/crossing.ts';
import type { Question } from '#src/policies/decision.ts';
import { type BuildProgress, inPhase, type Telling } from './build-progress.ts';
import { buildWheels, type WithBuildSandbox } from './build-wheels.ts';
import { digestOfLock, type Environment, packagesOfLock } from './environment.ts';
import type { EnvironmentFiles } from './environment-files.ts';
import { insertEnvironment, selectEnvironment } from './environment-store.ts';

const DEFINITIONS = join(import.meta.dirname, 'definitions');

export const EnvironmentRequest = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, 'lower-case letters, digits, dot, dash and underscore, at most 63'),
  packages: z
    .array(
      z
        .string()
        .min(1)
        .max(500)
        .regex(/^[^\n\r]*$/),
    )
    .max(1000)
    .optional(),
  requirements: z
    .string()
    .max(1024 * 1024)
    .optional()
    .describe('the text of a requirements file'),
});
export type EnvironmentRequest = z.infer<typeof EnvironmentRequest>;

export type CreateEnvironmentDeps = {
  gateway: Gateway;
  files: EnvironmentFiles;
  mutex: KeyedMutex;
  clock: Clock;
  withSandbox: WithBuildSandbox;
  builds: BuildProgress;
  /** The package index, when it is not PyPI. */
  indexUrl: string | undefined;
  /** Names the interpreter and platform that locks are for, such as `3.11 x86_64-linux`. */
  python: string;
};

/** Resolves to a lock, installs it once, and gives it the name. The same name with the same lock is the same environment. */
export async function createEnvironment(
  deps: CreateEnvironmentDeps,
  input: { identity: Identity; requestId: string; request: EnvironmentRequest },
): Promise<Environment> {
  const { identity, requestId, request } = input;
  const { name } = request;
  const crossing = crossingOf(input);
  await deps.gateway.check(crossing);
  const requirements = await requirementsOf(request);
  const build = deps.builds.begin({ user: identity.user, name, id: requestId });
  try {
    const work = { identity, requestId, requirements, name, telling: build };
    const installed = await resolveAndInstall(deps, work).catch((error) => {
      throw inPhase(error, build.current());
    });
    build.phase('store');
    const made = { name, requirements, owner: identity.user, python: deps.python };
    const stored = await deps.gateway.cross({
      ...crossing,
      act: (tx, observed) => storeEnvironment(tx, observed, { ...made, ...installed }),
    });
    build.end('done');
    return stored;
  } catch (error) {
    build.end('failed');
    throw error;
  }
}

function crossingOf(input: { identity: Identity; requestId: string; request: EnvironmentRequest }) {
  const { identity, requestId } = input;
  const { name } = input.request;
  return {
    identity,
    door: 'api',
    requestId,
    action: 'environment.create',
    object: { kind: 'environment', id: name, name },
    ask: async (): Promise<Question[]> => [
      {
        action: 'environment.create',
        resource: 'environment',
        object: { type: 'environment', id: name, name, owner: identity.user, labels: [] },
      },
    ],
  };
}

async function storeEnvironment(
  tx: Tx,
  observed: Crossing,
  { built, ...installed }: Installed & Pick<Environment, 'name' | 'requirements' | 'owner' | 'python'>,
): Promise<Environment> {
  const { name, digest, lock } = installed;
  const existing = await selectEnvironment(tx, name);
  if (existing?.digest === digest) return existing;
  if (existing !== undefined) throw taken(name);
  const environment: Environment = {
    ...installed,
    packages: packagesOfLock(lock).length,
    createdMs: observed.nowMs,
  };
  await insertEnvironment(tx, environment);
  observed.detail('digest', digest);
  observed.detail('builtFromSource', built);
  await observed.writes({ kind: 'environment', id: digest, name, digest }, 'locked');
  return environment;
}

type Installed = { lock: string; digest: string; sizeBytes: number; built: boolean };

/** From wheels of the index; where there are none, from wheels that a build sandbox makes of the sources. */
async function resolveAndInstall(
  deps: CreateEnvironmentDeps,
  input: { identity: Identity; requestId: string; requirements: string; name: string; telling: Telling },
): Promise<Installed> {
  const { requirements, telling } = input;
  const install = async (lock: string, wheels?: string): Promise<Installed> => {
    const digest = digestOfLock(lock, deps.python);
    const key = `environment ${digest}`;
    if (deps.mutex.isBusy(key)) telling.phase('wait');
    const sizeBytes = await deps.mutex(key, () => deps.files.install(lock, digest, telling, wheels));
    return { lock, digest, sizeBytes, built: wheels !== undefined };
  };
  let lock: string;
  try {
    lock = await deps.files.resolve(requirements, telling);
  } catch (error) {
    if (!lacksWheels(error)) throw error;
    return deps.files.withScratch(async (scratch) => {
      const folder = join(scratch, 'wheels');
      await buildWheels(deps, { ...input, folder });
      return install(await deps.files.resolve(requirements, telling, folder), folder);
    });
  }
  return install(lock);
}

/** Whether uv found the packages, but no wheel of some. */
const lacksWheels = (error: unknown): boolean =>
  error instanceof AppError &&
  error.code === 'invalid' &&
  /no (usable )?wheels|building from source is disabled/i.test(error.message);

const taken = (name: string): AppError =>
  new AppError('conflict', `There is an environment "${name}" with another lock.`, {
    details: { field: 'name', hint: `Choose another name, or delete it with "fumehood environment delete ${name}".` },
  });

async function requirementsOf(request: EnvironmentRequest): Promise<string> {
  const given = [...(request.packages ?? []), ...(request.requirements === undefined ? [] : [request.requirements])];
  const text = given.length > 0 ? `${given.join('\n')}\n` : await definition(request.name);
  const refused = text
    .split('\n')
    .find((line) => /^\s*(-|[a-z]+\s*@|\.|\/|file:|git\+|https?:)/i.test(line) || / @ /.test(line));
  if (refused !== undefined) {
    throw new AppError('invalid', `"${refused.trim().slice(0, 100)}" is not a package of the index.`, {
      details: {
        field: 'requirements',
        hint: 'Name packages with versions, such as numpy==2.3.1; options, paths and addresses are not taken.',
      },
    });
  }
  return text;
}

/** The packages of an environment that ships with Fumehood. */
async function definition(name: string): Promise<string> {
  try {
    return await readFile(join(DEFINITIONS, `${name}.txt`), 'utf8');
  } catch {
    throw new AppError('invalid', `An environment needs packages, and "${name}" is none that ships with Fumehood.`, {
      details: {
        field: 'packages',
        hint: 'Name them with --package or --requirements; "minimal", "notebook" and "text-generation" need none.',
      },
    });
  }
}
