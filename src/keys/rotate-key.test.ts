import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openKeyFile } from '#kernel/key-file.ts';
import type { Gateway } from '#src/gateway/crossing.ts';
import { finishRotation, type KeyStore, type RotateDeps, rewrapAll, type StoredKey } from './rotate-key.ts';

/** Rows in memory, as a store keeps them; `failAfter` pages the process dies. */
function memory(rows: StoredKey[]): KeyStore & { failAfter: number } {
  const store = {
    kind: 'test',
    failAfter: Number.POSITIVE_INFINITY,
    select: async (_reader: unknown, version: number, limit: number) =>
      rows.filter((row) => row.key.keyVersion < version).slice(0, limit),
    update: async (_tx: unknown, old: StoredKey, wrapped: StoredKey['key']) => {
      const row = rows.find((one) => one.id === old.id && one.key.keyVersion === old.key.keyVersion);
      if (row !== undefined) row.key = wrapped;
    },
  };
  return store;
}

async function world() {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-rotate-'));
  const keys = await openKeyFile({ folder: join(folder, 'keys'), keyName: 'fumehood', hasData: false });
  const secrets = new Map<string, Uint8Array>();
  const rows: StoredKey[] = [];
  for (let at = 0; at < 450; at += 1) {
    const [id, dataKey] = [`row-${at}`, randomBytes(32)];
    secrets.set(id, dataKey);
    rows.push({ id, context: { id }, key: await keys.wrap(dataKey, { id }) });
  }
  const store = memory(rows);
  let pages = 0;
  const gateway = {
    system: async ({ act }: { act: (tx: unknown) => Promise<unknown> }) => {
      pages += 1;
      if (pages > store.failAfter) throw new Error('the process died');
      return act(undefined);
    },
  } as unknown as Gateway;
  const database = { read: (body: (reader: unknown) => Promise<unknown>) => body(undefined) } as never;
  const deps = (): RotateDeps => ({ gateway, database, keys, stores: [store], ids: { next: (prefix) => prefix } });
  const readable = async (): Promise<void> => {
    for (const row of rows) assert.deepEqual(Buffer.from(await keys.unwrap(row.key, row.context)), secrets.get(row.id));
  };
  const versionsOnDisk = (): number[] =>
    readFileSync(join(folder, 'keys/fumehood.key'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => Number(line.split(' ')[0]));
  return {
    folder,
    keys,
    rows,
    store,
    deps,
    readable,
    versionsOnDisk,
    restart: () => {
      pages = 0;
      store.failAfter = Number.POSITIVE_INFINITY;
    },
  };
}

test('everything is readable before, between and after; the old version goes only at a start, when nothing is under it', async () => {
  const { folder, keys, rows, deps, readable, versionsOnDisk } = await world();
  try {
    assert.deepEqual(await finishRotation(deps()), [], 'one version is nothing to do');
    assert.equal(await keys.rotate(), 2);
    await readable();
    assert.equal(await rewrapAll(deps()), 450);
    assert.ok(rows.every((row) => row.key.keyVersion === 2));
    // A write that had begun before: its data key is wrapped by the old version and named only now.
    assert.deepEqual(versionsOnDisk(), [1, 2]);
    assert.deepEqual(await finishRotation(deps()), [1]);
    assert.deepEqual(versionsOnDisk(), [2]);
    await readable();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('broken off after any page it loses nothing, and the next start ends it', async () => {
  for (const failAfter of [0, 1, 2]) {
    const { folder, keys, rows, store, deps, readable, versionsOnDisk, restart } = await world();
    try {
      await keys.rotate();
      store.failAfter = failAfter;
      await assert.rejects(rewrapAll(deps()));
      await readable();
      assert.deepEqual(versionsOnDisk(), [1, 2]);
      restart();
      assert.deepEqual(await finishRotation(deps()), [1]);
      assert.ok(rows.every((row) => row.key.keyVersion === 2));
      await readable();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
});

test('a row that changed meanwhile is left as it is, and a key under which something still is cannot be guessed away', async () => {
  const { folder, keys, rows, deps } = await world();
  try {
    const [row] = rows;
    assert.ok(row !== undefined);
    const old = row.key;
    await keys.rotate();
    await rewrapAll(deps());
    await keys.retireBelow(2);
    await assert.rejects(keys.unwrap(old, row.context), { code: 'unavailable' });
    await assert.rejects(keys.retireBelow(3), { code: 'invalid' });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
