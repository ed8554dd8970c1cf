import { askAboutSecret } from './ask-about-secret.ts';
import { auditSecret, checkPath, noSecret, type Secret } from './secret.ts';
import { destroyVersions, selectSecret, selectVersions, updateDeletion } from './secret-store.ts';
import type { Caller, SecretsDeps } from './secrets-deps.ts';

export type RemoveVersions = Caller & {
  path: string;
  /** `delete` can be undone, `undelete` undoes it, `destroy` removes the values for good. */
  how: 'delete' | 'undelete' | 'destroy';
  /** None given: the current one. */
  versions?: readonly number[];
};

/** Deletes, brings back or destroys versions. What is not there is passed over, as in Vault. */
export async function removeVersions(deps: SecretsDeps, request: RemoveVersions): Promise<void> {
  const { identity, door, requestId, how } = request;
  const path = checkPath(request.path);
  const action = how === 'undelete' ? 'secret.write' : 'secret.delete';
  let secret: Secret | undefined;
  await deps.gateway.cross({
    identity,
    door,
    requestId,
    action,
    object: auditSecret(path),
    ask: async (reader, subject) => {
      const asked = await askAboutSecret(deps, reader, { action, path, subject });
      secret = asked.secret;
      return asked.questions;
    },
    act: async (tx, crossing) => {
      if ((await selectSecret(tx, path)) === undefined || secret === undefined) throw noSecret(path);
      const versions = request.versions ?? [secret.currentVersion];
      if (how === 'destroy') await destroyVersions(tx, path, versions);
      else await updateDeletion(tx, path, versions, how === 'delete' ? crossing.nowMs : null);
      for (const { version } of await selectVersions(tx, path))
        if (versions.includes(version)) crossing.attest('secret-version', path, version);
      crossing.detail('how', how);
      crossing.detail('versions', versions.join(','));
    },
  });
}
