import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openKeyFile } from '#kernel/key-file.ts';
import { sql } from '#kernel/sql.ts';
import { type AccessKeys, createAccessKeys } from './access-keys.ts';
import { openWorld, sandbox, TEST_STORES, type World } from './test-objects.ts';

for (const store of TEST_STORES) {
  describe(`access keys on ${store.name}`, () => {
    let world: World;
    let accessKeys: AccessKeys;
    before(async () => {
      world = await openWorld({ url: store.url });
      const keys = await openKeyFile({ folder: `${world.home}/keys`, keyName: 'objects', hasData: true });
      accessKeys = createAccessKeys({ keys, database: world.database, clock: world.clock });
    });
    after(() => world.close());

    it('are found with their secret, which lies sealed in the store, and die with their sandbox', async () => {
      const request = { identity: sandbox('sb-1', 'ada'), sandboxId: 'sb-1', readOnly: false, ttlMs: 1000 };
      const issued = await accessKeys.issue(request);
      assert.equal(await accessKeys.find(issued.accessKeyId), undefined);
      await world.database.transaction((tx) => issued.save(tx));
      const found = await accessKeys.find(issued.accessKeyId);
      assert.equal(found?.secretAccessKey, issued.secretAccessKey);
      assert.deepEqual(
        [found?.key.identity.id, found?.key.sandboxId, found?.key.readOnly, found?.key.expiresMs],
        ['sb-1', 'sb-1', false, issued.expiresMs],
      );
      const row = await world.database.read((reader) => reader.get(sql`select * from access_keys`));
      assert.equal(JSON.stringify(row).includes(issued.secretAccessKey), false);
      assert.equal(Buffer.from(row?.sealed as Uint8Array).includes(issued.secretAccessKey), false);
      assert.equal(await world.database.transaction((tx) => accessKeys.revokeOf(tx, 'sb-1')), 1);
      assert.equal(await accessKeys.find(issued.accessKeyId), undefined);
    });
  });
}
