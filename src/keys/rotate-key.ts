/** Rotation of the key that wraps data keys: a new version first, then everything under the old ones is wrapped anew, then those are retired. */
import type { Ids } from '#kernel/ids.ts';
import type { KeyFile } from '#kernel/key-file.ts';
import type { KeyContext, WrappedKey } from '#kernel/key-provider.ts';
import type { Database, Reader, Tx } from '#kernel/sql.ts';
import type { Gateway } from '#src/gateway/crossing.ts';

/** One data key as it is stored, and what it is bound to. */
export type StoredKey = { id: string; context: KeyContext; key: WrappedKey };

/** Where data keys of one kind are stored. */
export type KeyStore = {
  kind: string;
  /** Some that are wrapped by a version below `version`. */
  select(reader: Reader, version: number, limit: number): Promise<StoredKey[]>;
  /** Puts the newly wrapped key in the place of the old one; does nothing when that is no longer there. */
  update(tx: Tx, old: StoredKey, wrapped: WrappedKey): Promise<void>;
};

export type RotateDeps = {
  gateway: Gateway;
  database: Database;
  keys: KeyFile;
  stores: readonly KeyStore[];
  ids: Ids;
};

const PAGE = 200;

/** Wraps every data key anew that is not under the newest version. Can be broken off and begun again at any point. */
export async function rewrapAll(deps: RotateDeps): Promise<number> {
  const version = Math.max(...(await deps.keys.versions()));
  let rewrapped = 0;
  for (const store of deps.stores) {
    for (;;) {
      const old = await deps.database.read((reader) => store.select(reader, version, PAGE));
      if (old.length === 0) break;
      await rewrapPage(deps, store, old);
      rewrapped += old.length;
    }
  }
  return rewrapped;
}

async function rewrapPage({ gateway, keys, ids }: RotateDeps, store: KeyStore, old: StoredKey[]): Promise<void> {
  const fresh = await Promise.all(
    old.map(async (one) => ({ one, wrapped: await keys.wrap(await keys.unwrap(one.key, one.context), one.context) })),
  );
  await gateway.system({
    action: 'key.rewrap',
    object: { kind: 'key', id: keys.keyName },
    requestId: ids.next('req'),
    details: { kind: store.kind, count: fresh.length },
    act: async (tx) => {
      for (const { one, wrapped } of fresh) await store.update(tx, one, wrapped);
    },
  });
}

/**
 * At a start, before anything is written: ends a rotation that was broken off, and retires the versions that nothing needs any more. Only
 * here is it certain that no write is on its way whose data key an old version has wrapped.
 */
export async function finishRotation(deps: RotateDeps): Promise<number[]> {
  const versions = await deps.keys.versions();
  if (versions.length < 2) return [];
  await rewrapAll(deps);
  const newest = Math.max(...versions);
  const retired = versions.filter((version) => version < newest);
  await deps.gateway.system({
    action: 'key.retire',
    object: { kind: 'key', id: deps.keys.keyName },
    requestId: deps.ids.next('req'),
    details: { retired: retired.join(','), newest },
    act: async () => undefined,
  });
  await deps.keys.retireBelow(newest);
  return retired;
}
