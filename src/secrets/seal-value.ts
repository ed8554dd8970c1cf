import { openEnvelope, sealEnvelope } from '#kernel/envelope.ts';
import type { KeyProvider } from '#kernel/key-provider.ts';
import type { SecretValue } from './secret.ts';
import type { SealedValue } from './secret-store.ts';

/** What the data key of a value is bound to. */
export const secretKeyContext = (path: string, valueId: string) => ({ use: 'secret', path, value: valueId });

/** Encrypts a value under a data key of its own, bound to its path and id. */
export async function sealValue(
  keys: KeyProvider,
  path: string,
  valueId: string,
  value: SecretValue,
): Promise<SealedValue> {
  const envelope = await sealEnvelope(keys, Buffer.from(JSON.stringify(value)), secretKeyContext(path, valueId));
  return { valueId, envelope };
}

/** Decrypts a value; throws `integrity` when its bytes were changed or belong to another secret. */
export async function openValue(keys: KeyProvider, path: string, sealed: SealedValue): Promise<SecretValue> {
  const bytes = await openEnvelope(keys, sealed.envelope, secretKeyContext(path, sealed.valueId));
  return JSON.parse(Buffer.from(bytes).toString('utf8'));
}
