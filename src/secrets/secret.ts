/** The noun: a secret is a path with numbered versions of a JSON object, as in Vault's KV version 2. */
import { AppError } from '#kernel/errors.ts';
import type { NodeRef } from '#src/lineage/node.ts';

export const DEFAULT_MAX_VERSIONS = 10;
export const MAX_PATH_BYTES = 512;

/** Rules of one secret, or the configured ones; 0 leaves it to the next level. */
export type SecretRules = { maxVersions: number; casRequired: boolean; deleteAfterMs: number };

export type Secret = SecretRules & {
  path: string;
  owner: string;
  /** 0 while there is only metadata. */
  currentVersion: number;
  customMetadata: Record<string, string>;
  createdMs: number;
  updatedMs: number;
};

/** One version without its value. `deletedMs` may lie ahead: it is deleted from then on. */
export type SecretVersion = { version: number; createdMs: number; deletedMs: number | null; destroyed: boolean };

export type SecretValue = Record<string, unknown>;

/** What a write answers, and what stands beside a value that was read. */
export type VersionInfo = SecretVersion & { customMetadata: Record<string, string> };

/** True when the value may not be read: deleted (and not brought back) or destroyed. */
export const isGone = (version: SecretVersion, nowMs: number): boolean =>
  version.destroyed || (version.deletedMs !== null && version.deletedMs <= nowMs);

/** A secret in lineage: by name, never by a digest of its value. */
export const nodeOfSecret = (path: string): NodeRef => ({ kind: 'secret', id: path, name: path });

/** A secret in the audit log. */
export const auditSecret = (path: string) => ({ kind: 'secret', id: path, name: path });

/** Refuses paths that are empty, too long, or have empty, dot or unprintable segments. Throws `invalid`. */
export function checkPath(path: string): string {
  const bad = path
    .split('/')
    .some((part) => part === '' || part === '.' || part === '..' || /[\u0000-\u001f\u007f]/.test(part));
  if (bad || Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new AppError('invalid', 'This is not a path of a secret.', {
      details: { field: 'path', hint: 'Write it like team/service, at most 512 bytes, without empty or dot segments.' },
    });
  }
  return path;
}

/** A prefix to list: empty, or ending in a slash. Throws `invalid`. */
export function checkPrefix(prefix: string): string {
  const bare = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix;
  return bare === '' ? '' : `${checkPath(bare)}/`;
}

export const noSecret = (path: string): AppError =>
  new AppError('not_found', `There is no secret at "${path}".`, { details: { hint: 'See "fumehood secret list".' } });
