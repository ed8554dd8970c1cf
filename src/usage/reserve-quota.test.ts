import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { AppError } from '#kernel/errors.ts';
import { openGovernance, STORES } from '#src/policies/test-governance.ts';
import { QUOTA_DEFAULTS } from './quota.ts';
import { upsertLimits } from './quota-store.ts';

const GIB = 2 ** 30;
const amounts = { sandboxes: 1, cpus: 2, memoryBytes: 2 * GIB, diskBytes: GIB, gpus: 0 };

for (const store of STORES) {
  describe(`quotas on ${store.name}`, () => {
    let world: Awaited<ReturnType<typeof openGovernance>>;
    before(async () => {
      world = await openGovernance(store.url);
    });
    after(() => world.close());
    const reserve = (user: string, sandboxId: string, more: Partial<typeof amounts> = {}, team = 'default') =>
      world.database.transaction((tx) =>
        world.quotas.reserve(tx, { user, team, sandboxId, amounts: { ...amounts, ...more } }),
      );

    it('takes up to the limit, names limit, use and ask beyond it, and takes nothing then', async () => {
      for (let i = 0; i < 4; i += 1) await reserve('erin', `sb-e${i}`);
      await assert.rejects(reserve('erin', 'sb-e4'), (error: unknown) => {
        assert.ok(error instanceof AppError);
        assert.equal(error.code, 'quota_exceeded');
        assert.match(error.message, /user "erin" may hold CPUs up to 8; 8 are in use and 2 were asked for/);
        assert.match(error.hint, /quota set user:erin --cpus/);
        return true;
      });
      assert.equal((await world.database.read((reader) => world.quotas.usageOf(reader, 'erin'))).sandboxes, 4);
    });

    it('gives back once', async () => {
      for (let i = 0; i < 2; i += 1) await world.database.transaction((tx) => world.quotas.release(tx, 'sb-e0'));
      assert.equal((await world.database.read((reader) => world.quotas.usageOf(reader, 'erin'))).cpus, 6);
      await reserve('erin', 'sb-e5');
    });

    it('counts the same sandbox once', async () => {
      await reserve('ada', 'sb-a');
      await reserve('ada', 'sb-a');
      assert.deepEqual(await world.database.read((reader) => world.quotas.usageOf(reader, 'ada')), amounts);
    });

    it('keeps the team within its limit too', async () => {
      await world.database.transaction((tx) =>
        upsertLimits(tx, { scope: 'team', name: 'lab', limits: { gpus: 3 }, by: 'otto', atMs: 1 }),
      );
      await reserve('t1', 'sb-t1', { gpus: 2 }, 'lab');
      await assert.rejects(reserve('t2', 'sb-t2', { gpus: 2 }, 'lab'), /team "lab" may hold GPUs up to 3/);
    });

    it('never gives out more than the limit to admissions that come together', async () => {
      const asked = Array.from({ length: 20 }, (_, i) => reserve('race', `sb-r${i}`, { cpus: 1 }));
      const done = (await Promise.allSettled(asked)).filter((one) => one.status === 'fulfilled');
      assert.equal(done.length, QUOTA_DEFAULTS.user.cpus);
    });
  });
}
