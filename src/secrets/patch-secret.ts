import { AppError } from '#kernel/errors.ts';
import { askAboutSecret } from './ask-about-secret.ts';
import { openValue } from './seal-value.ts';
import { auditSecret, checkPath, isGone, noSecret, type SecretValue, type VersionInfo } from './secret.ts';
import { selectSecret, selectVersion } from './secret-store.ts';
import type { SecretsDeps } from './secrets-deps.ts';
import { type WriteSecret, writeSecret } from './write-secret.ts';

const MAX_ATTEMPTS = 5;

/** Merges into the current version (RFC 7396) and adds the result as a new one. Throws `not_found` when there is nothing to merge into. */
export async function patchSecret(deps: SecretsDeps, request: WriteSecret): Promise<VersionInfo> {
  const path = checkPath(request.path);
  // Whoever may not write learns nothing about what is there.
  await deps.gateway.check({
    identity: request.identity,
    door: request.door,
    requestId: request.requestId,
    action: 'secret.write',
    object: auditSecret(path),
    ask: async (reader, subject) =>
      (await askAboutSecret(deps, reader, { action: 'secret.write', path, subject })).questions,
  });
  for (let attempt = 1; ; attempt += 1) {
    const current = await currentValue(deps, path);
    const value = mergePatch(current.value, request.value) as SecretValue;
    try {
      return await writeSecret(deps, { ...request, value, cas: request.cas ?? current.version });
    } catch (error) {
      const overtaken = error instanceof AppError && error.code === 'precondition_failed' && request.cas === undefined;
      if (!overtaken || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

async function currentValue(deps: SecretsDeps, path: string): Promise<{ version: number; value: SecretValue }> {
  const stored = await deps.database.read(async (reader) => {
    const secret = await selectSecret(reader, path);
    return secret === undefined ? undefined : selectVersion(reader, path, secret.currentVersion);
  });
  if (stored?.value === undefined || isGone(stored, deps.clock.nowMs())) throw noSecret(path);
  return { version: stored.version, value: await openValue(deps.keys, path, stored.value) };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** JSON Merge Patch, RFC 7396 section 2: null removes, objects merge, all else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged = new Map(Object.entries(isObject(target) ? target : {}));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key), value));
  }
  return Object.fromEntries(merged);
}
