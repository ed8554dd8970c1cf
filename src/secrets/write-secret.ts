import { AppError } from '#kernel/errors.ts';
import type { Tx } from '#kernel/sql.ts';
import type { Crossing } from '#src/gateway/crossing.ts';
import { askAboutSecret } from './ask-about-secret.ts';
import { sealValue } from './seal-value.ts';
import {
  auditSecret,
  checkPath,
  DEFAULT_MAX_VERSIONS,
  nodeOfSecret,
  type Secret,
  type SecretRules,
  type SecretValue,
  type VersionInfo,
} from './secret.ts';
import {
  deleteVersionsUpTo,
  insertVersion,
  type SealedValue,
  selectConfig,
  selectSecret,
  upsertSecret,
} from './secret-store.ts';
import type { Caller, SecretsDeps } from './secrets-deps.ts';

export type WriteSecret = Caller & {
  path: string;
  value: SecretValue;
  /** Write only if this is the current version; 0: only if there is none. */
  cas?: number | undefined;
};

/** Adds a version. Throws `precondition_failed` when `cas` is needed or does not match, `denied`, `invalid`. */
export async function writeSecret(deps: SecretsDeps, request: WriteSecret): Promise<VersionInfo> {
  const { identity, door, requestId } = request;
  const path = checkPath(request.path);
  // The key provider may be far away, and an act inside the transaction waits for nothing but the database.
  const sealed = await sealValue(deps.keys, path, deps.ids.next('value'), request.value);
  return deps.gateway.cross({
    identity,
    door,
    requestId,
    action: 'secret.write',
    object: auditSecret(path),
    ask: async (reader, subject) =>
      (await askAboutSecret(deps, reader, { action: 'secret.write', path, subject })).questions,
    act: (tx, crossing) => addVersion(tx, crossing, path, sealed, request.cas),
  });
}

async function addVersion(
  tx: Tx,
  crossing: Crossing,
  path: string,
  sealed: SealedValue,
  cas: number | undefined,
): Promise<VersionInfo> {
  const { nowMs } = crossing;
  const found = await selectSecret(tx, path);
  const secret = found ?? newSecret(path, crossing.subject.user, nowMs);
  const config = await selectConfig(tx, secret.owner);
  checkCas(found, config, cas);
  const currentVersion = secret.currentVersion + 1;
  const deleteAfterMs = shortest(secret.deleteAfterMs, config?.deleteAfterMs ?? 0);
  const deletedMs = deleteAfterMs > 0 ? nowMs + deleteAfterMs : null;
  const version = { version: currentVersion, createdMs: nowMs, deletedMs, destroyed: false };
  await upsertSecret(tx, { ...secret, currentVersion, updatedMs: nowMs });
  await insertVersion(tx, path, version, sealed);
  const dropped = await deleteVersionsUpTo(tx, path, currentVersion - versionsKept(secret, config));
  crossing.attest('secret', path);
  for (const one of [...dropped, currentVersion]) crossing.attest('secret-version', path, one);
  await crossing.writes(nodeOfSecret(path));
  crossing.detail('version', currentVersion);
  return { ...version, customMetadata: secret.customMetadata };
}

/** A secret that has no version yet. */
export const newSecret = (path: string, owner: string, nowMs: number): Secret => ({
  path,
  owner,
  currentVersion: 0,
  maxVersions: 0,
  casRequired: false,
  deleteAfterMs: 0,
  customMetadata: {},
  createdMs: nowMs,
  updatedMs: nowMs,
});

/** How many versions are kept: the secret's own number, else the configured one, else ten. */
export const versionsKept = (secret: SecretRules, config: SecretRules | undefined): number =>
  secret.maxVersions || config?.maxVersions || DEFAULT_MAX_VERSIONS;

const shortest = (ownMs: number, configuredMs: number): number =>
  ownMs > 0 && configuredMs > 0 ? Math.min(ownMs, configuredMs) : ownMs || configuredMs;

function checkCas(secret: Secret | undefined, config: SecretRules | undefined, cas: number | undefined): void {
  if (cas === undefined) {
    if (secret?.casRequired !== true && config?.casRequired !== true) return;
    throw new AppError('precondition_failed', 'check-and-set parameter required for this call', {
      details: { field: 'cas', hint: 'Read the secret and give its version as cas.' },
    });
  }
  if (cas === (secret?.currentVersion ?? 0)) return;
  throw new AppError('precondition_failed', 'check-and-set parameter did not match the current version', {
    details: { field: 'cas', hint: 'It was written in the meantime; read it again.' },
  });
}
