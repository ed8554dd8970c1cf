import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { randomIds } from '#kernel/ids.ts';
import { sql } from '#kernel/sql.ts';
import { openGovernance, personOf, STORES } from '#src/policies/test-governance.ts';
import { changeUser, deleteUser } from './change-user.ts';
import { createToken, revokeToken, TokenRequest } from './create-token.ts';
import { createUser, ensureFirstOperator, FIRST_OPERATOR, UserRequest } from './create-user.ts';
import { hashToken, makeToken } from './token.ts';

const otto = { identity: personOf('otto', 'operator'), requestId: 'req-1' };
const refused = (code: string) => (error: unknown) => (error as { code?: string }).code === code;

for (const store of STORES) {
  describe(`identity on ${store.name}`, () => {
    let world: Awaited<ReturnType<typeof openGovernance>>;
    before(async () => {
      world = await openGovernance(store.url);
    });
    after(() => world.close());
    const add = (name: string, role: string) => createUser(world.identity, otto, UserRequest.parse({ name, role }));

    it('makes the first operator once, whose token works and is not in the store', async () => {
      const token = await world.database.transaction((tx) =>
        ensureFirstOperator({ clock: world.clock, ids: randomIds }, tx, { attest: () => undefined }),
      );
      assert.match(token ?? '', /^fh_[\w-]{43}$/);
      const identity = await world.authenticator.authenticateToken(token);
      assert.deepEqual([identity.user, identity.roles], [FIRST_OPERATOR, ['operator', 'engineer']]);
      assert.equal(
        await world.database.transaction((tx) =>
          ensureFirstOperator({ clock: world.clock, ids: randomIds }, tx, { attest: () => undefined }),
        ),
        undefined,
      );
      const rows = await world.database.read((reader) => reader.all(sql`select * from tokens`));
      assert.ok(!JSON.stringify(rows).includes(token ?? '?'));
      assert.equal(rows[0]?.hash, hashToken(token ?? ''));
    });

    it('adds a user whose token stands for name and role, and refuses the name twice', async () => {
      const { token } = await add('erin', 'engineer');
      assert.deepEqual(await world.authenticator.authenticateToken(token), personOf('erin', 'engineer'));
      await assert.rejects(add('erin', 'officer'), refused('conflict'));
    });

    it('lets only operators add users', async () => {
      const caller = { identity: personOf('erin', 'engineer'), requestId: 'req-2' };
      await assert.rejects(
        createUser(world.identity, caller, UserRequest.parse({ name: 'eve', role: 'officer' })),
        refused('denied'),
      );
    });

    it('refuses no token, a malformed and an unknown one alike', async () => {
      for (const token of [undefined, '', 'x', 'fh_short', makeToken()])
        await assert.rejects(world.authenticator.authenticateToken(token), refused('unauthenticated'));
    });

    it('revokes at once, also what was just used', async () => {
      const caller = { identity: personOf('erin', 'engineer'), requestId: 'req-3' };
      const { token, record } = await createToken(world.identity, caller, TokenRequest.parse({ scopes: ['run.read'] }));
      assert.deepEqual((await world.authenticator.authenticateToken(token)).scopes, ['run.read']);
      await revokeToken(world.identity, caller, record.id);
      await assert.rejects(world.authenticator.authenticateToken(token), refused('unauthenticated'));
    });

    it('never lets a narrowed token make a wider one', async () => {
      const narrowed = {
        identity: { ...personOf('erin', 'engineer'), scopes: ['token.create', 'run.read'] },
        requestId: 'r',
      };
      await createToken(world.identity, narrowed, TokenRequest.parse({ scopes: ['run.read'] }));
      await assert.rejects(createToken(world.identity, narrowed, TokenRequest.parse({})), refused('denied'));
    });

    it("refuses to revoke somebody else's token", async () => {
      await add('otto', 'operator');
      const { record } = await createToken(world.identity, otto, TokenRequest.parse({}));
      const erin = { identity: personOf('erin', 'engineer'), requestId: 'r' };
      await assert.rejects(revokeToken(world.identity, erin, record.id), refused('denied'));
    });

    it('stops a disabled user at once and lets an enabled one in again', async () => {
      const { token } = await add('dora', 'engineer');
      await world.authenticator.authenticateToken(token);
      await changeUser(world.identity, otto, 'dora', { disabled: true });
      await assert.rejects(world.authenticator.authenticateToken(token), refused('unauthenticated'));
      await changeUser(world.identity, otto, 'dora', { disabled: false });
      assert.equal((await world.authenticator.authenticateToken(token)).user, 'dora');
    });

    it('deletes a user with its tokens, and keeps the name taken', async () => {
      const { token } = await add('gone', 'engineer');
      await deleteUser(world.identity, otto, 'gone');
      await assert.rejects(world.authenticator.authenticateToken(token), refused('unauthenticated'));
      await assert.rejects(add('gone', 'engineer'), refused('conflict'));
    });

    it('lets nobody change their own roles', async () => {
      await assert.rejects(changeUser(world.identity, otto, 'otto', { roles: ['officer'] }), refused('denied'));
    });

    it('keeps the last operator', async () => {
      const other = { identity: personOf('zed', 'operator'), requestId: 'r' };
      await deleteUser(world.identity, other, 'otto');
      await assert.rejects(deleteUser(world.identity, other, FIRST_OPERATOR), refused('conflict'));
    });

    it('refuses an expired token and writes down the last use', async () => {
      const { token } = await add('late', 'engineer');
      await world.authenticator.authenticateToken(token);
      await world.authenticator.flushLastUsed();
      const rows = await world.database.read((reader) =>
        reader.all(sql`select last_used_ms from tokens where user_name = 'late'`),
      );
      assert.ok(Number(rows[0]?.last_used_ms) > 0);
      world.clock.advance(91 * 86_400_000);
      await assert.rejects(world.authenticator.authenticateToken(token), refused('unauthenticated'));
    });
  });
}
