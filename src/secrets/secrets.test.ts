import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { rawSql, sql } from '#kernel/sql.ts';
import { person, sandboxOf, TEST_STORES } from '#src/gateway/test-gateway.ts';
import { mergePatch } from './patch-secret.ts';
import { openTestSecrets } from './test-secrets.ts';

const ada = { identity: person('ada'), door: 'api', requestId: 'req-1' };
const box = { identity: sandboxOf('sb-1', 'ada'), door: 'vault', requestId: 'req-2' };
const MARKER = 'hunter2-is-never-stored';

for (const store of TEST_STORES) {
  test(`${store.name}: versions, check-and-set, deletion, its undoing and destruction`, async () => {
    const world = await openTestSecrets(store.url);
    try {
      const { secrets } = world;
      assert.equal((await secrets.write({ ...ada, path: 'team/a', value: { k: 1 }, cas: 0 })).version, 1);
      await assert.rejects(secrets.write({ ...ada, path: 'team/a', value: { k: 2 }, cas: 0 }), {
        code: 'precondition_failed',
        message: 'check-and-set parameter did not match the current version',
      });
      assert.equal((await secrets.write({ ...ada, path: 'team/a', value: { k: 2 }, cas: 1 })).version, 2);
      assert.deepEqual((await secrets.read({ ...ada, path: 'team/a' })).value, { k: 2 });
      assert.deepEqual((await secrets.read({ ...ada, path: 'team/a', version: 1 })).value, { k: 1 });
      await secrets.removeVersions({ ...ada, path: 'team/a', how: 'delete' });
      assert.equal((await secrets.read({ ...ada, path: 'team/a' })).value, undefined);
      await secrets.removeVersions({ ...ada, path: 'team/a', how: 'undelete', versions: [2] });
      assert.deepEqual((await secrets.read({ ...ada, path: 'team/a' })).value, { k: 2 });
      await secrets.removeVersions({ ...ada, path: 'team/a', how: 'destroy', versions: [2] });
      await secrets.removeVersions({ ...ada, path: 'team/a', how: 'undelete', versions: [2] });
      const read = await secrets.read({ ...ada, path: 'team/a' });
      assert.deepEqual([read.value, read.destroyed], [undefined, true]);
      const row = await world.database.read((reader) =>
        reader.get(sql`select sealed, wrapped from secret_versions where version = 2`),
      );
      assert.deepEqual([row?.sealed, row?.wrapped], [null, null]);
    } finally {
      await world.close();
    }
  });

  test(`${store.name}: only the newest versions are kept, and a version is gone when its time is over`, async () => {
    const world = await openTestSecrets(store.url);
    try {
      const { secrets } = world;
      await secrets.writeMetadata({
        ...ada,
        path: 'a',
        mustExist: false,
        change: () => ({ maxVersions: 2, deleteAfterMs: 60_000, customMetadata: { team: 'x' } }),
      });
      for (const n of [1, 2, 3]) await secrets.write({ ...ada, path: 'a', value: { n } });
      const { versions, secret } = await secrets.readMetadata({ ...ada, path: 'a' });
      assert.deepEqual(
        versions.map((one) => one.version),
        [2, 3],
      );
      assert.deepEqual(secret.customMetadata, { team: 'x' });
      await assert.rejects(secrets.read({ ...ada, path: 'a', version: 1 }), { code: 'not_found' });
      world.clock.advance(61_000);
      assert.equal((await secrets.read({ ...ada, path: 'a' })).value, undefined);
    } finally {
      await world.close();
    }
  });

  test(`${store.name}: a list shows one level, folders with a slash, in order`, async () => {
    const world = await openTestSecrets(store.url);
    try {
      const { secrets } = world;
      for (const path of ['b', 'a', 'team/x', 'team/sub/y', 'team', 'team-2/z', 'Z', 'te%am'])
        await secrets.write({ ...ada, path, value: {} });
      assert.deepEqual(await secrets.list({ ...ada, prefix: '' }), [
        'Z',
        'a',
        'b',
        'te%am',
        'team',
        'team-2/',
        'team/',
      ]);
      assert.deepEqual(await secrets.list({ ...ada, prefix: 'team' }), ['sub/', 'x']);
      assert.deepEqual(await secrets.list({ ...ada, prefix: 'none/' }), []);
      await secrets.remove({ ...ada, path: 'team/x' });
      assert.deepEqual(await secrets.list({ ...ada, prefix: 'team/' }), ['sub/']);
    } finally {
      await world.close();
    }
  });
}

test('what others own is not listed, not even as a folder', async () => {
  const world = await openTestSecrets();
  try {
    const { secrets } = world;
    await secrets.write({ ...ada, path: 'team/mine', value: {} });
    await secrets.write({ ...ada, identity: person('bob'), path: 'team/other', value: {} });
    await secrets.write({ ...ada, identity: person('bob'), path: 'bob/secret', value: {} });
    assert.deepEqual(await secrets.list({ ...ada, prefix: '' }), ['team/']);
    assert.deepEqual(await secrets.list({ ...box, prefix: 'team' }), ['mine']);
  } finally {
    await world.close();
  }
});

test('cas_required, on a secret or for all, refuses a blind write', async () => {
  const world = await openTestSecrets();
  try {
    const { secrets } = world;
    await secrets.writeConfig({ ...ada, change: { casRequired: true } });
    await assert.rejects(secrets.write({ ...ada, path: 'a', value: {} }), { code: 'precondition_failed' });
    await secrets.write({ ...ada, path: 'a', value: {}, cas: 0 });
    assert.deepEqual(await secrets.readConfig(ada), { maxVersions: 0, casRequired: true, deleteAfterMs: 0 });
  } finally {
    await world.close();
  }
});

test('a value is in the store only encrypted, and never in the audit log', async () => {
  const world = await openTestSecrets();
  try {
    const { secrets } = world;
    await secrets.write({ ...ada, path: 'a', value: { password: MARKER } });
    await secrets.patch({ ...ada, path: 'a', value: { second: MARKER } });
    assert.deepEqual((await secrets.read({ ...box, path: 'a' })).value, { password: MARKER, second: MARKER });
    const rows = await world.database.read((reader) => reader.all(rawSql('select * from secret_versions')));
    const stored = rows
      .flatMap((row) => Object.values(row))
      .map((cell) => (cell instanceof Uint8Array ? Buffer.from(cell).toString('latin1') : String(cell)));
    assert.equal(
      stored.some((cell) => cell.includes(MARKER)),
      false,
    );
    assert.equal(JSON.stringify([world.entries, world.asked]).includes(MARKER), false);
    assert.deepEqual(
      world.entries.map((entry) => [entry.action, entry.outcome]),
      [
        ['secret.write', 'ok'],
        ['secret.write', 'ok'],
        ['secret.read', 'ok'],
      ],
    );
  } finally {
    await world.close();
  }
});

test('ciphertext that was moved to another path, or changed, is an error and never data', async () => {
  const world = await openTestSecrets();
  try {
    const { secrets } = world;
    await secrets.write({ ...ada, path: 'a', value: { n: 1 } });
    await secrets.write({ ...ada, path: 'b', value: { n: 2 } });
    await world.database.transaction((tx) =>
      tx.run(
        rawSql(`update secret_versions set value_id = (select value_id from secret_versions where path = 'a'),
        sealed = (select sealed from secret_versions where path = 'a'),
        wrapped = (select wrapped from secret_versions where path = 'a') where path = 'b'`),
      ),
    );
    await assert.rejects(secrets.read({ ...ada, path: 'b' }), { code: 'integrity' });
  } finally {
    await world.close();
  }
});

test('what policy denies is not done, and is in the log', async () => {
  const world = await openTestSecrets();
  try {
    const { secrets } = world;
    await secrets.write({ ...ada, path: 'a', value: { n: 1 } });
    world.policy.allows = (question) => question.object.owner === 'bob';
    const calls = [
      () => secrets.read({ ...ada, path: 'a' }),
      () => secrets.write({ ...ada, path: 'a', value: {} }),
      () => secrets.patch({ ...ada, path: 'a', value: {} }),
      () => secrets.list({ ...ada, prefix: '' }),
      () => secrets.remove({ ...ada, path: 'a' }),
      () => secrets.removeVersions({ ...ada, path: 'a', how: 'destroy' }),
      () => secrets.readMetadata({ ...ada, path: 'a' }),
      () => secrets.writeMetadata({ ...ada, path: 'a', mustExist: false, change: () => ({ maxVersions: 1 }) }),
      () => secrets.readConfig(ada),
      () => secrets.writeConfig({ ...ada, change: { maxVersions: 1 } }),
    ];
    for (const call of calls) await assert.rejects(call(), { code: 'denied' });
    assert.equal(world.entries.filter((entry) => entry.outcome === 'denied').length, calls.length);
    world.policy.allows = () => true;
    assert.deepEqual((await secrets.read({ ...ada, path: 'a' })).value, { n: 1 });
  } finally {
    await world.close();
  }
});

test("a labelled sandbox's secret labels whoever reads it or is told its name", async () => {
  const world = await openTestSecrets();
  try {
    const { secrets, lineage, database } = world;
    await database.transaction((tx) => lineage.addLabels(tx, { kind: 'sandbox', id: 'sb-1' }, ['PHI']));
    await secrets.write({ ...box, path: 'team/a', value: {} });
    const labelsOf = (id: string) => database.read((reader) => lineage.labelsOf(reader, [{ kind: 'sandbox', id }]));
    await secrets.read({ ...box, identity: sandboxOf('sb-2', 'ada'), path: 'team/a' });
    assert.deepEqual(await labelsOf('sb-2'), ['PHI']);
    await secrets.list({ ...box, identity: sandboxOf('sb-3', 'ada'), prefix: '' });
    assert.deepEqual(await labelsOf('sb-3'), ['PHI']);
  } finally {
    await world.close();
  }
});

test('paths with empty, dot or unprintable segments are refused', async () => {
  const world = await openTestSecrets();
  try {
    for (const path of ['', '/', 'a//b', '../a', 'a/..', 'a/./b', 'a\0b', 'a\nb', '/a', 'a/', 'x'.repeat(513)])
      await assert.rejects(world.secrets.write({ ...ada, path, value: {} }), { code: 'invalid' }, JSON.stringify(path));
  } finally {
    await world.close();
  }
});

test('a merge patch follows RFC 7396: its result merged again is itself', () => {
  assert.deepEqual(mergePatch({ a: 'b', c: { d: 'e', f: 'g' } }, { a: 'z', c: { f: null } }), {
    a: 'z',
    c: { d: 'e' },
  });
  assert.deepEqual(mergePatch({ a: [1] }, { a: { b: null, c: 1 } }), { a: { c: 1 } });
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.dictionary(fc.string(), fc.jsonValue()),
      (target, patch) => {
        const once = mergePatch(target, patch);
        assert.deepEqual(mergePatch(once, patch), once);
      },
    ),
  );
  const polluted = mergePatch({}, JSON.parse('{"__proto__": {"x": 1}}'));
  assert.equal((polluted as { x?: number }).x, undefined);
});
