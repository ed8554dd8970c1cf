import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openKeyFile } from '#kernel/key-file.ts';
import { sql } from '#kernel/sql.ts';
import { type AccessKeys, createAccessKeys } from './access-keys.ts';
import { issueSandboxKey } from './issue-sandbox-key.ts';
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
      const identityOf = async (id: string) => sandbox(id, 'ada');
      const deps = { accessKeys, gateway: world.gateway, identityOf, endpoint: 'http://localhost:9000', ttlMs: 1000 };
      const issued = await issueSandboxKey(deps, { sandboxId: 'sb-1' });
      const found = await accessKeys.find(issued.accessKeyId);
      assert.equal(found?.secretAccessKey, issued.secretAccessKey);
      assert.deepEqual(
        [found?.key.identity.id, found?.key.sandboxId, found?.key.readOnly, found?.key.expiresMs],
        ['sb-1', 'sb-1', false, issued.expiresAtMs],
      );
      const row = await world.database.read((reader) => reader.get(sql`select * from access_keys`));
      assert.equal(JSON.stringify(row).includes(issued.secretAccessKey), false);
      assert.equal(Buffer.from(row?.sealed as Uint8Array).includes(issued.secretAccessKey), false);
      assert.equal(JSON.stringify(world.entries).includes(issued.secretAccessKey), false);
      assert.equal(await world.database.transaction((tx) => accessKeys.revokeOf(tx, 'sb-1')), 1);
      assert.equal(await accessKeys.find(issued.accessKeyId), undefined);
    });
  });
}
