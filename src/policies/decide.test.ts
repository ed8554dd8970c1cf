import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from '#kernel/sql.ts';
import type { Question, Subject } from './decision.ts';
import { selectDecision } from './decision-store.ts';
import { loadBundle } from './load-bundle.ts';
import { findOpa } from './opa.ts';
import { openGovernance, personOf, STORES } from './test-governance.ts';
import { readUserPolicy } from './user-policy.ts';

const erin: Subject = { ...personOf('erin', 'engineer'), labels: [] };
const run: Question = {
  action: 'run.log',
  resource: 'run',
  object: { type: 'run', id: 'r1', owner: 'erin', labels: [] },
};

for (const store of STORES) {
  describe(`decider on ${store.name}`, () => {
    let world: Awaited<ReturnType<typeof openGovernance>>;
    before(async () => {
      world = await openGovernance(store.url);
    });
    after(() => world.close());
    const decide = (questions: Question[], subject: Subject = erin) =>
      world.database.read((reader) => world.decider.decide(reader, { subject, questions, requestId: 'req-1' }));

    it('allows what the default bundle allows, and names bundle and input', async () => {
      const decision = await decide([run]);
      assert.equal(decision.allowed, true);
      assert.match(decision.id, /^dec-/);
      assert.deepEqual(decision.bundles, [world.registry.default.digest]);
      assert.match(decision.inputDigest, /^sha256:[0-9a-f]{64}$/);
    });

    it('refuses an act that asks nothing', async () => {
      assert.equal((await decide([])).allowed, false);
    });

    it('refuses when any question of several is refused, and says which reason', async () => {
      const gpus: Question = {
        action: 'sandbox.create',
        resource: 'gpu',
        requested: 8,
        object: { type: 'gpu', id: 'gpu', labels: [] },
      };
      const decision = await decide([run, gpus]);
      assert.equal(decision.allowed, false);
      assert.match(decision.reason, /8 GPUs were asked for; a sandbox gets at most 4/);
      assert.equal(decision.approvable, undefined);
    });

    it('asks once per label of a data set, and one refused label refuses it', async () => {
      const data: Question = {
        action: 'data.mount',
        resource: 'data',
        object: { type: 'dataset', id: 'd@1', name: 'd', labels: ['public', 'PHI'] },
      };
      const decision = await decide([data], { ...erin, purpose: 'churn' });
      assert.match(decision.reason, /tagged PHI/);
      assert.equal(decision.approvable, true);
      await world.database.transaction((tx) => world.decider.record(tx, decision));
      const stored = await world.database.read((reader) => selectDecision(reader, decision.id));
      const inputs = JSON.parse(stored?.inputs ?? '[]') as { tag: string }[];
      assert.deepEqual(
        inputs.map((input) => input.tag),
        ['public', 'PHI'],
      );
    });

    it('denies when the store fails while it looks something up', async () => {
      const broken = {
        engine: 'sqlite' as const,
        all: () => Promise.reject(new Error('disk gone')),
        get: () => Promise.reject(new Error('disk gone')),
      };
      const labelled = { ...run, object: { ...run.object, labels: ['PII'] } };
      const decision = await world.decider.decide(broken, { subject: erin, questions: [labelled], requestId: 'r' });
      assert.deepEqual([decision.allowed, decision.reason], [false, 'The decision failed (disk gone).']);
    });

    it('asks every policy bound to the kind, and none that is bound to another', async () => {
      const { bundle } = await readUserPolicy(await findOpa(), 'package p\nallow if input.object.id == "r2"');
      world.registry.put({ name: 'only-r2', version: 1, kinds: ['run'], bundle: await loadBundle(bundle) });
      const decision = await decide([run]);
      assert.match(decision.reason, /^Policy "only-r2": /);
      assert.equal(decision.bundles.length, 2);
      world.registry.put({ name: 'only-r2', version: 2, kinds: ['gpu'], bundle: await loadBundle(bundle) });
      assert.equal((await decide([run])).allowed, true);
      world.registry.remove('only-r2');
    });

    it('keeps a decision under its id only when it is recorded', async () => {
      const decision = await decide([run]);
      const rows = await world.database.read((reader) =>
        reader.all(sql`select id from decisions where id = ${decision.id}`),
      );
      assert.equal(rows.length, 0);
    });
  });
}
