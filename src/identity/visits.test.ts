import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { sql } from '#kernel/sql.ts';
import { openGovernance, personOf, STORES } from '#src/policies/test-governance.ts';
import { changeUser } from './change-user.ts';
import { createToken, revokeToken, TokenRequest } from './create-token.ts';
import { createUser, UserRequest } from './create-user.ts';
import { hashToken } from './token.ts';
import { createVisits, type Visits } from './visits.ts';

const SITE = `sb-${'a'.repeat(32)}`;
const HOUR_MS = 3_600_000;
const saying = (words: RegExp) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, 'unauthenticated');
  assert.match((error as Error).message, words);
  return true;
};

for (const store of STORES) {
  describe(`visits on ${store.name}`, () => {
    let world: Awaited<ReturnType<typeof openGovernance>>;
    let visits: Visits;
    let nowMs = Date.now();
    let names = 0;
    before(async () => {
      world = await openGovernance(store.url);
      visits = createVisits({ database: world.database, clock: { nowMs: () => nowMs } });
    });
    after(() => world.close());

    /** A person of their own for each test, with the hash of their token. */
    const person = async () => {
      names += 1;
      const name = `visitor-${process.pid}-${names}`;
      const otto = { identity: personOf('otto', 'operator'), requestId: 'req-1' };
      const { token } = await createUser(world.identity, otto, UserRequest.parse({ name, role: 'engineer' }));
      return {
        name,
        otto,
        caller: { identity: personOf(name, 'engineer'), requestId: 'req-2' },
        tokenHash: hashToken(token),
      };
    };
    const issue = async (tokenHash: string): Promise<string> => {
      const wanted = { site: SITE, path: '/lab', tokenHash };
      return (await world.database.transaction((tx) => visits.issue(tx, wanted))).ticket;
    };
    const redeem = (ticket: string) => world.database.transaction((tx) => visits.redeem(tx, ticket, nowMs + HOUR_MS));

    it('a ticket becomes a cookie that stands for its person on its site, also for another process', async () => {
      const { name, tokenHash } = await person();
      const ticket = await issue(tokenHash);
      const found = await visits.find(ticket, SITE);
      assert.deepEqual([found.identity.user, found.ticket.path], [name, '/lab']);
      const { cookie, expiresMs } = await redeem(ticket);
      assert.equal(expiresMs, nowMs + HOUR_MS);
      assert.equal((await visits.check(cookie, SITE)).identity.user, name);
      const after = createVisits({ database: world.database, clock: { nowMs: () => nowMs } });
      assert.deepEqual((await after.check(cookie, SITE)).identity.roles, ['engineer']);
      await assert.rejects(visits.check(cookie, `7000--${SITE}`), saying(/somewhere else/));
    });

    it('neither ticket nor cookie is in the store', async () => {
      const ticket = await issue((await person()).tokenHash);
      const { cookie } = await redeem(ticket);
      const rows = await world.database.read(async (reader) => [
        await reader.all(sql`select * from visit_tickets`),
        await reader.all(sql`select * from visits`),
      ]);
      for (const secret of [ticket, cookie]) assert.ok(!JSON.stringify(rows).includes(secret));
    });

    it('a ticket is good once, for a minute, at its own site', async () => {
      const { tokenHash } = await person();
      const used = await issue(tokenHash);
      await redeem(used);
      await assert.rejects(redeem(used), saying(/used already/));
      await assert.rejects(visits.find(used, SITE), saying(/used already/));
      const fresh = await issue(tokenHash);
      await assert.rejects(visits.find(fresh, 'runs'), saying(/another address/));
      nowMs += 59_000;
      assert.ok(await visits.find(fresh, SITE));
      nowMs += 2000;
      await assert.rejects(visits.find(fresh, SITE), saying(/too old/));
      for (const made of ['', 'x', 'A'.repeat(43), '../../etc/passwd'])
        await assert.rejects(visits.find(made, SITE), saying(/ticket/));
    });

    it('two browsers that bring one ticket at once: one is let in', async () => {
      const ticket = await issue((await person()).tokenHash);
      const both = await Promise.allSettled([redeem(ticket), redeem(ticket)]);
      assert.deepEqual(both.map((one) => one.status).sort(), ['fulfilled', 'rejected']);
    });

    it('a visit ends with its time, with its token, and with its user', async () => {
      const first = await person();
      const over = await redeem(await issue(first.tokenHash));
      const narrow = await createToken(world.identity, first.caller, TokenRequest.parse({ scopes: ['port.open'] }));
      const visit = await redeem(await issue(hashToken(narrow.token)));
      assert.deepEqual((await visits.check(visit.cookie, SITE)).identity.scopes, ['port.open']);
      await revokeToken(world.identity, first.caller, narrow.record.id);
      nowMs += 1500;
      await assert.rejects(visits.check(visit.cookie, SITE), saying(/revoked/));
      assert.ok(await visits.check(over.cookie, SITE));
      nowMs += HOUR_MS;
      await assert.rejects(visits.check(over.cookie, SITE), saying(/over|let in/));
      const second = await person();
      const theirs = await redeem(await issue(second.tokenHash));
      await changeUser(world.identity, second.otto, second.name, { disabled: true });
      await assert.rejects(visits.check(theirs.cookie, SITE), saying(/disabled|revoked/));
    });
  });
}
