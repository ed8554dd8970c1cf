/** The noun: a compiled policy. A bundle never changes; its digest names it in every decision. */
import { createHash } from 'node:crypto';

export type Bundle = {
  /** `sha256:…` over the compiled module, its data and its entry points. */
  digest: string;
  /** `default`: gives reasons. `user`: `allow` and `deny` rules as people write them. */
  kind: 'default' | 'user';
  /** Rego, in the syntax of version 1; of the default bundle the names of its files. */
  source: string;
  wasm: Uint8Array;
  /** JSON of the data that the module reads. */
  data: string;
  /** Entry points by meaning: `allow`, and `deny` or `reasons` where there are such rules. */
  entrypoints: Record<string, string>;
};

/** The digest of a bundle's parts. */
export function bundleDigest(parts: Pick<Bundle, 'wasm' | 'data' | 'entrypoints'>): string {
  const wasm = createHash('sha256').update(parts.wasm).digest();
  const data = createHash('sha256').update(parts.data).digest();
  const entrypoints = Object.entries(parts.entrypoints)
    .map(([meaning, path]) => `${meaning} ${path}\n`)
    .sort()
    .join('');
  return `sha256:${createHash('sha256').update(wasm).update(data).update(entrypoints).digest('hex')}`;
}
