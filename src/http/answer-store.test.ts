import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openDatabase } from '#src/database/open-database.ts';
import { claimAnswer, findAnswer, forgetAnswers, keepAnswer, releaseAnswer } from './answer-store.ts';

const urls = ['sqlite::memory:', process.env.FUMEHOOD_TEST_POSTGRES].filter((url) => url !== undefined);
for (const url of urls) {
  const engine = url.split(':')[0];
  const database = await openDatabase(url);
  after(() => database.close());
  const at = { user: `u-${process.pid}`, route: 'POST /x', key: `k-${Date.now()}` };

  test(`${engine}: a key is claimed once, keeps its answer, and is free again when released or forgotten`, async () => {
    const claim = () => database.transaction((tx) => claimAnswer(tx, at, 'd', 1000));
    const find = () => database.read((reader) => findAnswer(reader, at));
    assert.equal(await claim(), true);
    assert.equal(await claim(), false);
    assert.deepEqual(await find(), { bodyDigest: 'd', status: null, body: null });
    await database.transaction((tx) => keepAnswer(tx, at, { status: 201, body: '{}' }));
    assert.deepEqual(await find(), { bodyDigest: 'd', status: 201, body: '{}' });
    await database.transaction((tx) => releaseAnswer(tx, at));
    assert.equal(await claim(), true);
    await database.transaction((tx) => forgetAnswers(tx, 1001));
    assert.equal(await find(), undefined);
  });
}
