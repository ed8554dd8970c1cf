import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Identity } from '#src/gateway/crossing.ts';
import { openGovernance, personOf, STORES } from '#src/policies/test-governance.ts';
import { decideApproval } from './decide-approval.ts';
import { AccessRequest, requestAccess } from './request-access.ts';

const erin = { identity: personOf('erin', 'engineer', 'officer'), requestId: 'req-1' };
const olga = { identity: personOf('olga', 'officer'), requestId: 'req-2' };
const refused = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

for (const store of STORES) {
  describe(`approvals on ${store.name}`, () => {
    let world: Awaited<ReturnType<typeof openGovernance>>;
    before(async () => {
      world = await openGovernance(store.url);
    });
    after(() => world.close());

    const ask = (until = '1d') =>
      requestAccess(world.approvals, erin, AccessRequest.parse({ dataset: 'customers', purpose: 'churn', until }));
    const mount = (identity: Identity) =>
      world.gateway.cross({
        identity: { ...identity, purpose: 'churn' },
        door: 'test',
        requestId: 'r',
        action: 'data.mount',
        object: { kind: 'dataset', id: 'customers@1' },
        ask: async () => [
          {
            action: 'data.mount',
            resource: 'data',
            object: { type: 'dataset', id: 'customers@1', name: 'customers', labels: ['PII'] },
          },
        ],
        act: async () => 'mounted',
      });

    it('a mount without approval is refused with the command that asks for one', async () => {
      await assert.rejects(mount(erin.identity), (error: { code: string; hint: string }) => {
        assert.equal(error.code, 'approval_required');
        assert.equal(error.hint, 'fumehood access request dataset customers --purpose "churn" --until 1d');
        return true;
      });
    });

    it('nobody approves their own request, officer or not', async () => {
      const { id } = await ask();
      await assert.rejects(
        decideApproval(world.approvals, erin, { verb: 'approve', id, reason: 'mine' }),
        refused('denied'),
      );
    });

    it('an approval by somebody else opens this data set for this person until its end, and not after it', async () => {
      const { id, state, labels } = await ask();
      assert.deepEqual([state, labels], ['pending', ['PII']]);
      await decideApproval(world.approvals, olga, { verb: 'approve', id, reason: 'bounded' });
      assert.equal(await mount(erin.identity), 'mounted');
      await assert.rejects(mount(personOf('eve', 'engineer')), refused('approval_required'));
      world.clock.advance(86_400_001);
      await assert.rejects(mount(erin.identity), refused('approval_required'));
    });

    it('a running sandbox that holds the data is stopped at its next crossing when the approval ends', async () => {
      const { id } = await ask('1h');
      await decideApproval(world.approvals, olga, { verb: 'approve', id, reason: 'bounded' });
      world.labels.set('sandbox:sb-1', ['PII']);
      const sandbox: Identity = { ...personOf('erin', 'engineer'), type: 'sandbox', id: 'sb-1', purpose: 'churn' };
      const log = () =>
        world.gateway.cross({
          identity: sandbox,
          door: 'test',
          requestId: 'r',
          action: 'run.log',
          object: { kind: 'run', id: 'r1' },
          ask: async () => [
            { action: 'run.log', resource: 'run', object: { type: 'run', id: 'r1', owner: 'erin', labels: [] } },
          ],
          act: async () => 'logged',
        });
      assert.equal(await log(), 'logged');
      world.clock.advance(3_600_001);
      await assert.rejects(log(), refused('approval_required'));
    });

    it('revoking ends it at once', async () => {
      const { id } = await ask();
      await decideApproval(world.approvals, olga, { verb: 'approve', id, reason: 'bounded' });
      assert.equal(await mount(erin.identity), 'mounted');
      await decideApproval(world.approvals, olga, { verb: 'revoke', id, reason: 'enough' });
      await assert.rejects(mount(erin.identity), refused('approval_required'));
    });

    it('is decided once, and not when it has expired', async () => {
      const { id } = await ask();
      await decideApproval(world.approvals, olga, { verb: 'deny', id, reason: 'no need' });
      await assert.rejects(
        decideApproval(world.approvals, olga, { verb: 'approve', id, reason: 'yes' }),
        refused('conflict'),
      );
      const late = await ask('1h');
      world.clock.advance(3_600_001);
      await assert.rejects(
        decideApproval(world.approvals, olga, { verb: 'approve', id: late.id, reason: 'yes' }),
        refused('conflict'),
      );
    });

    it('refuses an unknown data set and an end that is past or far away', async () => {
      const other = AccessRequest.parse({ dataset: 'nothing', purpose: 'churn' });
      await assert.rejects(requestAccess(world.approvals, erin, other), refused('not_found'));
      for (const until of ['2001-01-01', '400d', 'soon'])
        await assert.rejects(async () => ask(until), refused('invalid'));
    });
  });
}
