import { askAboutSecret } from './ask-about-secret.ts';
import { openValue } from './seal-value.ts';
import {
  auditSecret,
  checkPath,
  isGone,
  nodeOfSecret,
  noSecret,
  type Secret,
  type SecretValue,
  type VersionInfo,
} from './secret.ts';
import { selectVersion } from './secret-store.ts';
import type { Caller, SecretsDeps } from './secrets-deps.ts';

/** A version, and its value unless that is deleted or destroyed. */
export type SecretRead = VersionInfo & { value: SecretValue | undefined };

/** Reads the current version, or the given one. Throws `not_found` when there is no such secret or version. */
export async function readSecret(
  deps: SecretsDeps,
  request: Caller & { path: string; version?: number | undefined },
): Promise<SecretRead> {
  const { identity, door, requestId } = request;
  const path = checkPath(request.path);
  let secret: Secret | undefined;
  const found = await deps.gateway.cross({
    identity,
    door,
    requestId,
    action: 'secret.read',
    object: auditSecret(path),
    ask: async (reader, subject) => {
      const asked = await askAboutSecret(deps, reader, { action: 'secret.read', path, subject });
      secret = asked.secret;
      return asked.questions;
    },
    act: async (tx, crossing) => {
      if (secret === undefined) throw noSecret(path);
      const stored = await selectVersion(tx, path, request.version || secret.currentVersion);
      if (stored === undefined) throw noSecret(path);
      await crossing.reads(nodeOfSecret(path));
      crossing.detail('version', stored.version);
      return { stored, gone: isGone(stored, crossing.nowMs), customMetadata: secret.customMetadata };
    },
  });
  const { value: sealed, ...version } = found.stored;
  const value = found.gone || sealed === undefined ? undefined : await openValue(deps.keys, path, sealed);
  return { ...version, customMetadata: found.customMetadata, value };
}
