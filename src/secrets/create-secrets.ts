import { listSecrets } from './list-secrets.ts';
import { patchSecret } from './patch-secret.ts';
import { readSecret } from './read-secret.ts';
import { type RemoveVersions, removeVersions } from './remove-versions.ts';
import { readConfig, readMetadata, removeSecret, writeConfig, writeMetadata } from './secret-metadata.ts';
import type { SecretsDeps } from './secrets-deps.ts';
import { writeSecret } from './write-secret.ts';

type UseCase<F> = F extends (deps: SecretsDeps, request: infer Q) => infer A ? (request: Q) => A : never;

/** The use cases of secrets, each one crossing. */
export type Secrets = {
  read: UseCase<typeof readSecret>;
  write: UseCase<typeof writeSecret>;
  patch: UseCase<typeof patchSecret>;
  list: UseCase<typeof listSecrets>;
  removeVersions: (request: RemoveVersions) => Promise<void>;
  remove: UseCase<typeof removeSecret>;
  readMetadata: UseCase<typeof readMetadata>;
  writeMetadata: UseCase<typeof writeMetadata>;
  readConfig: UseCase<typeof readConfig>;
  writeConfig: UseCase<typeof writeConfig>;
};

export function createSecrets(deps: SecretsDeps): Secrets {
  return {
    read: (request) => readSecret(deps, request),
    write: (request) => writeSecret(deps, request),
    patch: (request) => patchSecret(deps, request),
    list: (request) => listSecrets(deps, request),
    removeVersions: (request) => removeVersions(deps, request),
    remove: (request) => removeSecret(deps, request),
    readMetadata: (request) => readMetadata(deps, request),
    writeMetadata: (request) => writeMetadata(deps, request),
    readConfig: (request) => readConfig(deps, request),
    writeConfig: (request) => writeConfig(deps, request),
  };
}
