/** What a key is used for, bound to the wrapped key as additional data (Vault transit `context`/`associated_data`, AWS KMS encryption context). */
export type KeyContext = Readonly<Record<string, string>>;

/** A data key as it is stored: opaque bytes, with the name and the version of the key that wrapped it. */
export type WrappedKey = { keyName: string; keyVersion: number; wrapped: Uint8Array };

/** Wraps data keys under a named key that never leaves the provider: a key file, Vault transit, AWS KMS. */
export type KeyProvider = {
  /** The name of the key that `wrap` uses; `unwrap` takes any key that the provider still holds. */
  readonly keyName: string;
  /** Encrypts a data key (32 bytes) under the newest version of the named key. */
  wrap(dataKey: Uint8Array, context: KeyContext): Promise<WrappedKey>;
  /** Gives the data key back. Throws `integrity` when bytes or context are not those that were wrapped, `unavailable` when the key is not there. */
  unwrap(key: WrappedKey, context: KeyContext): Promise<Uint8Array>;
};
