import { randomBytes, randomInt } from 'node:crypto';
import type { Clock } from '#kernel/clock.ts';
import { sealEnvelope } from '#kernel/envelope.ts';
import type { KeyProvider } from '#kernel/key-provider.ts';
import type { Database, Tx } from '#kernel/sql.ts';
import type { Identity } from '#src/gateway/crossing.ts';
import type { AccessKey } from './access-key.ts';
import {
  accessKeyContext,
  deleteAccessKey,
  deleteAccessKeysOf,
  insertAccessKey,
  selectAccessKey,
} from './access-key-store.ts';
import { createOpenedSecrets } from './opened-secrets.ts';

type Deps = { keys: KeyProvider; database: Pick<Database, 'peek'>; clock: Clock };

/** A fresh key pair. It is one only when `save` has run in a transaction that was committed. */
export type IssuedKey = {
  accessKeyId: string;
  secretAccessKey: string;
  expiresMs: number;
  save(tx: Tx): Promise<void>;
};

export type AccessKeys = {
  /** Makes a key pair for an identity (of a sandbox: `sandboxId`, whose end revokes it). */
  issue(request: { identity: Identity; sandboxId?: string; readOnly: boolean; ttlMs: number }): Promise<IssuedKey>;
  /** The key pair of this id, with its secret, also when it has expired. */
  find(accessKeyId: string): Promise<{ key: AccessKey; secretAccessKey: string } | undefined>;
  /** Revokes all key pairs of a sandbox. */
  revokeOf(tx: Tx, sandboxId: string): Promise<number>;
  revoke(tx: Tx, accessKeyId: string): Promise<number>;
};

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** Issues and finds S3 key pairs; secrets lie sealed in the store. */
export function createAccessKeys(deps: Deps): AccessKeys {
  const secretOf = createOpenedSecrets(deps.keys);
  return {
    issue: async (request) => {
      const letters = Array.from({ length: 16 }, () => LETTERS.charAt(randomInt(LETTERS.length)));
      const accessKeyId = `FUME${letters.join('')}`;
      const secretAccessKey = randomBytes(30).toString('base64url');
      const secret = await sealEnvelope(deps.keys, Buffer.from(secretAccessKey), accessKeyContext(accessKeyId));
      const createdMs = deps.clock.nowMs();
      const expiresMs = createdMs + request.ttlMs;
      const { identity, sandboxId, readOnly } = request;
      const key: AccessKey = { accessKeyId, identity, sandboxId, readOnly, createdMs, expiresMs };
      return { accessKeyId, secretAccessKey, expiresMs, save: (tx) => insertAccessKey(tx, key, secret) };
    },
    find: async (accessKeyId) => {
      const found = await deps.database.peek((reader) => selectAccessKey(reader, accessKeyId));
      if (found === undefined) return undefined;
      return { key: found.key, secretAccessKey: await secretOf(accessKeyId, found.secret) };
    },
    revokeOf: (tx, sandboxId) => deleteAccessKeysOf(tx, sandboxId),
    revoke: (tx, accessKeyId) => deleteAccessKey(tx, accessKeyId),
  };
}
