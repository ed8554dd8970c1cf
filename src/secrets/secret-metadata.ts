import { AppError } from '#kernel/errors.ts';
import type { CrossingRequest } from '#src/gateway/crossing.ts';
import { askAboutSecret, type SecretAction } from './ask-about-secret.ts';
import {
  auditSecret,
  checkPath,
  nodeOfSecret,
  noSecret,
  type Secret,
  type SecretRules,
  type SecretVersion,
} from './secret.ts';
import {
  deleteSecret,
  deleteVersionsUpTo,
  selectConfig,
  selectSecret,
  selectVersions,
  upsertConfig,
  upsertSecret,
} from './secret-store.ts';
import type { Caller, SecretsDeps } from './secrets-deps.ts';
import { newSecret, versionsKept } from './write-secret.ts';

type At = Caller & { path: string };

/** What may be set on a secret; what is left out stays. */
export type SecretChange = Partial<SecretRules> & { customMetadata?: Record<string, string> };

const MAX_METADATA_KEYS = 64;

function crossing(
  deps: SecretsDeps,
  request: At,
  action: SecretAction,
): Pick<CrossingRequest<unknown>, 'identity' | 'door' | 'requestId' | 'action' | 'object' | 'ask'> {
  const { identity, door, requestId, path } = request;
  return {
    identity,
    door,
    requestId,
    action,
    object: auditSecret(checkPath(path)),
    ask: async (reader, subject) => (await askAboutSecret(deps, reader, { action, path, subject })).questions,
  };
}

/** A secret's rules, its own metadata and its versions, without values. Throws `not_found`. */
export async function readMetadata(
  deps: SecretsDeps,
  request: At,
): Promise<{ secret: Secret; versions: SecretVersion[] }> {
  return deps.gateway.cross({
    ...crossing(deps, request, 'secret.read'),
    act: async (tx, open) => {
      const secret = await selectSecret(tx, request.path);
      if (secret === undefined) throw noSecret(request.path);
      await open.reads(nodeOfSecret(request.path), 'described');
      return { secret, versions: await selectVersions(tx, request.path) };
    },
  });
}

/** Changes a secret's rules and metadata; makes an empty secret where none is, unless `mustExist`. */
export async function writeMetadata(
  deps: SecretsDeps,
  request: At & { change: (secret: Secret) => SecretChange; mustExist: boolean },
): Promise<void> {
  await deps.gateway.cross({
    ...crossing(deps, request, 'secret.write'),
    act: async (tx, open) => {
      const found = await selectSecret(tx, request.path);
      if (found === undefined && request.mustExist) throw noSecret(request.path);
      const before = found ?? newSecret(request.path, open.subject.user, open.nowMs);
      const secret = { ...before, ...request.change(before), updatedMs: open.nowMs };
      checkRules(secret);
      await upsertSecret(tx, secret);
      const config = await selectConfig(tx, secret.owner);
      const dropped = await deleteVersionsUpTo(tx, secret.path, secret.currentVersion - versionsKept(secret, config));
      open.attest('secret', secret.path);
      for (const version of dropped) open.attest('secret-version', secret.path, version);
      await open.writes(nodeOfSecret(secret.path), 'described');
    },
  });
}

/** Removes a secret with all its versions for good; nothing there is no error. */
export async function removeSecret(deps: SecretsDeps, request: At): Promise<void> {
  await deps.gateway.cross({
    ...crossing(deps, request, 'secret.delete'),
    act: async (tx, open) => {
      const versions = await selectVersions(tx, request.path);
      await deleteSecret(tx, request.path);
      open.attest('secret', request.path);
      for (const { version } of versions) open.attest('secret-version', request.path, version);
      open.detail('how', 'remove');
    },
  });
}

/** Reads the rules of the caller's secrets that have none of their own. */
export async function readConfig(deps: SecretsDeps, request: Caller): Promise<SecretRules> {
  return deps.gateway.cross({
    ...configCrossing(request, 'secret.list'),
    act: async (tx, { subject }) =>
      (await selectConfig(tx, subject.user)) ?? { maxVersions: 0, casRequired: false, deleteAfterMs: 0 },
  });
}

/** Changes those rules. */
export async function writeConfig(
  deps: SecretsDeps,
  request: Caller & { change: Partial<SecretRules> },
): Promise<void> {
  await deps.gateway.cross({
    ...configCrossing(request, 'secret.configure'),
    act: async (tx, { subject }) => {
      const before = (await selectConfig(tx, subject.user)) ?? { maxVersions: 0, casRequired: false, deleteAfterMs: 0 };
      const rules = { ...before, ...request.change };
      checkRules({ ...rules, customMetadata: {} });
      await upsertConfig(tx, subject.user, rules);
    },
  });
}

function configCrossing({ identity, door, requestId }: Caller, action: SecretAction) {
  const object = { type: 'secret', id: '*', name: '*', owner: identity.user, labels: [] };
  return {
    identity,
    door,
    requestId,
    action,
    object: auditSecret('*'),
    ask: async () => [{ action, resource: 'secret' as const, object }],
  };
}

function checkRules(secret: SecretRules & { customMetadata: Record<string, string> }): void {
  const keys = Object.entries(secret.customMetadata);
  const tooLarge = keys.some(([key, value]) => key.length > 128 || value.length > 512);
  if (keys.length > MAX_METADATA_KEYS || tooLarge) {
    throw new AppError('invalid', 'custom_metadata takes 64 keys of at most 128 characters, values of at most 512.', {
      details: { field: 'custom_metadata' },
    });
  }
}
