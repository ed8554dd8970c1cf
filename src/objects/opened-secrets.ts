import { type Envelope, openEnvelope } from '#kernel/envelope.ts';
import type { KeyProvider } from '#kernel/key-provider.ts';
import { accessKeyContext } from './access-key-store.ts';

const MOST_REMEMBERED = 256;

/** Opens the secrets of key pairs, each once: as long as the store holds the same sealed bytes, the secret is the same. */
export function createOpenedSecrets(keys: KeyProvider): (accessKeyId: string, sealed: Envelope) => Promise<string> {
  const opened = new Map<string, { sealed: Envelope; secret: string }>();
  return async (accessKeyId, sealed) => {
    const known = opened.get(accessKeyId);
    if (known !== undefined && isSame(known.sealed, sealed)) return known.secret;
    const secret = Buffer.from(await openEnvelope(keys, sealed, accessKeyContext(accessKeyId))).toString();
    if (opened.size >= MOST_REMEMBERED) opened.clear();
    opened.set(accessKeyId, { sealed, secret });
    return secret;
  };
}

const isSame = (a: Envelope, b: Envelope): boolean =>
  a.keyName === b.keyName &&
  a.keyVersion === b.keyVersion &&
  Buffer.compare(a.wrapped, b.wrapped) === 0 &&
  Buffer.compare(a.sealed, b.sealed) === 0;
