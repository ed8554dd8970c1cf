import { AppError } from '#kernel/errors.ts';
import type { KeyedMutex } from '#kernel/keyed-mutex.ts';
import type { Database } from '#kernel/sql.ts';
import type { Gateway, Identity } from '#src/gateway/crossing.ts';
import type { Environment } from './environment.ts';
import type { EnvironmentFiles } from './environment-files.ts';
import { deleteEnvironment, selectEnvironment } from './environment-store.ts';

export type DeleteEnvironmentDeps = {
  gateway: Gateway;
  database: Database;
  files: EnvironmentFiles;
  mutex: KeyedMutex;
  /** Whether a sandbox that is not deleted was made with it. */
  inUse: (digest: string) => Promise<boolean>;
};

/** Takes the name away; the files go when no name and no sandbox is left that needs them. */
export async function removeEnvironment(
  deps: DeleteEnvironmentDeps,
  input: { identity: Identity; requestId: string; name: string; dryRun: boolean },
): Promise<Environment> {
  let found: Environment | undefined;
  const environment = await deps.gateway.cross({
    identity: input.identity,
    door: 'api',
    requestId: input.requestId,
    action: 'environment.delete',
    object: { kind: 'environment', id: input.name, name: input.name },
    ask: async (reader) => {
      found = await findEnvironment(reader, input.name);
      const { digest, name, owner } = found;
      return [
        {
          action: 'environment.delete',
          resource: 'environment',
          object: { type: 'environment', id: name, name, digest, owner, labels: [] },
        },
      ];
    },
    act: async (tx) => {
      if (found === undefined) throw new AppError('internal', 'The environment was not resolved.');
      if (await deps.inUse(found.digest)) {
        throw new AppError('conflict', `A sandbox still uses the environment "${found.name}".`, {
          details: { hint: 'Delete the sandbox first: "fumehood sandbox list".' },
        });
      }
      if (!input.dryRun) await deleteEnvironment(tx, found.name);
      return found;
    },
  });
  if (!input.dryRun)
    await deps.mutex(`environment ${environment.digest}`, () => removeUnnamed(deps, environment.digest));
  return environment;
}

async function removeUnnamed(deps: DeleteEnvironmentDeps, digest: string): Promise<void> {
  const other = await deps.database.read((reader) => selectEnvironment(reader, digest));
  if (other === undefined) await deps.files.remove(digest);
}

/** One environment by name or digest. Throws `not_found`. */
export async function findEnvironment(
  reader: Parameters<typeof selectEnvironment>[0],
  ref: string,
): Promise<Environment> {
  const environment = await selectEnvironment(reader, ref);
  if (environment === undefined) {
    throw new AppError('not_found', `There is no environment "${ref}".`, {
      details: { hint: 'See "fumehood environment list".' },
    });
  }
  return environment;
}
