/** Envelope encryption: a fresh AES-256-GCM data key a message, wrapped by the key provider. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import { AppError } from './errors.ts';
import type { KeyContext, KeyProvider, WrappedKey } from './key-provider.ts';

export const DATA_KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The wrapped data key and the sealed bytes; both are needed, with the same context, to open it. */
export type Envelope = WrappedKey & { sealed: Uint8Array };

/** The additional data that binds a context: its canonical JSON. */
export const contextBytes = (context: KeyContext): Uint8Array => Buffer.from(canonicalJson(context));

/** AES-256-GCM under a random nonce: nonce (12 bytes), ciphertext, tag (16 bytes). A key must not seal more than 2^32 messages (NIST SP 800-38D 8.3). */
export function sealBytes(key: Uint8Array, plaintext: Uint8Array, additionalData: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(additionalData);
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** Opens what `sealBytes` made; throws `integrity` when a bit of it, its key or its additional data differs. */
export function openBytes(key: Uint8Array, sealed: Uint8Array, additionalData: Uint8Array): Uint8Array {
  try {
    const tagAt = sealed.length - TAG_BYTES;
    if (tagAt < NONCE_BYTES) throw new RangeError('sealed bytes are too short');
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(additionalData);
    decipher.setAuthTag(sealed.subarray(tagAt));
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, tagAt)), decipher.final()]);
  } catch (error) {
    throw new AppError('integrity', 'Encrypted bytes do not match their key: they were changed or belong elsewhere.', {
      cause: error,
    });
  }
}

/** Seals a message under a data key of its own. */
export async function sealEnvelope(
  provider: KeyProvider,
  plaintext: Uint8Array,
  context: KeyContext,
): Promise<Envelope> {
  const dataKey = randomBytes(DATA_KEY_BYTES);
  const wrapped = await provider.wrap(dataKey, context);
  return { ...wrapped, sealed: sealBytes(dataKey, plaintext, contextBytes(context)) };
}

/** Opens a sealed message; throws `integrity` when anything of it or its context differs. */
export async function openEnvelope(
  provider: KeyProvider,
  envelope: Envelope,
  context: KeyContext,
): Promise<Uint8Array> {
  const dataKey = await provider.unwrap(envelope, context);
  return openBytes(dataKey, envelope.sealed, contextBytes(context));
}
