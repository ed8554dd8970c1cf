import { signingKey } from './signature.ts';

const MOST_REMEMBERED = 256;

/** Derives signing keys, each once: a client signs with the same one for a day (`scope`). */
export function createSigningKeys(): (secretAccessKey: string, scope: string) => Buffer {
  const derived = new Map<string, Buffer>();
  return (secretAccessKey, scope) => {
    const name = `${secretAccessKey}\n${scope}`;
    const known = derived.get(name);
    if (known !== undefined) return known;
    if (derived.size >= MOST_REMEMBERED) derived.clear();
    const key = signingKey(secretAccessKey, scope);
    derived.set(name, key);
    return key;
  };
}
