import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { randomIds } from '#kernel/ids.ts';
import { createLog } from '#kernel/log.ts';
import { approvalRoutes } from '#src/approvals/approval-routes.ts';
import { type Api, createApi } from '#src/http/server.ts';
import { watchCrossings } from '#src/http/watch-crossings.ts';
import { createUser, UserRequest } from '#src/identity/create-user.ts';
import { tokenRoutes } from '#src/identity/token-routes.ts';
import { userRoutes } from '#src/identity/user-routes.ts';
import { selectUser } from '#src/identity/user-store.ts';
import { QUOTA_DEFAULTS } from '#src/usage/quota.ts';
import { quotaRoutes } from '#src/usage/quota-routes.ts';
import { policyRoutes } from './policy-routes.ts';
import { openGovernance, personOf } from './test-governance.ts';

type Answer = { status: number; body: Record<string, unknown> };

describe('routes of identity, policies, approvals and quotas', () => {
  let world: Awaited<ReturnType<typeof openGovernance>>;
  let api: Api | undefined;
  let url: string;
  const tokens = new Map<string, string>();

  before(async () => {
    world = await openGovernance();
    const by = { identity: personOf('root', 'operator'), requestId: 'r' };
    for (const [name, role] of [
      ['otto', 'operator'],
      ['erin', 'engineer'],
      ['olga', 'officer'],
    ]) {
      tokens.set(String(name), (await createUser(world.identity, by, UserRequest.parse({ name, role }))).token);
    }
    const userExists = async (reader: Parameters<typeof selectUser>[0], name: string): Promise<boolean> =>
      (await selectUser(reader, name)) !== undefined;
    const { gateway, crossings } = watchCrossings(world.gateway);
    api = createApi({
      crossings,
      routes: [
        ...userRoutes({ ...world.identity, gateway }),
        ...tokenRoutes({ ...world.identity, gateway }),
        ...approvalRoutes({ ...world.approvals, gateway }),
        ...policyRoutes({ ...world.policies, gateway }),
        ...quotaRoutes({ clock: world.clock, defaults: QUOTA_DEFAULTS, userExists }),
      ],
      gateway,
      authenticate: (token) => world.authenticator.authenticateToken(token),
      database: world.database,
      clock: world.clock,
      ids: randomIds,
      log: createLog(() => undefined),
      version: '0.0.0',
    });
    ({ url } = await api.listen({ host: '127.0.0.1', port: 0 }));
  });
  after(async () => {
    await api?.close({ graceMs: 100 });
    await world.close();
  });

  const call = async (as: string, method: string, path: string, body?: unknown): Promise<Answer> => {
    const answer = await fetch(`${url}/api/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${tokens.get(as) ?? as}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };

  it('200: whoami, own quota, policies, tokens and requests of anybody', async () => {
    for (const who of ['otto', 'erin', 'olga']) {
      assert.equal((await call(who, 'GET', 'whoami')).body.user, who);
      for (const path of ['quotas', 'policies', 'tokens'])
        assert.equal((await call(who, 'GET', path)).status, 200, `${who} ${path}`);
    }
    assert.deepEqual((await call('olga', 'GET', 'access-requests')).body, { items: [], next: null });
  });

  it('201: user create gives name, roles and a token that works', async () => {
    const { status, body } = await call('otto', 'POST', 'users', { name: 'nina', roles: ['engineer'] });
    assert.deepEqual([status, body.name, body.roles], [201, 'nina', ['engineer']]);
    assert.equal((await call(String(body.token), 'GET', 'whoami')).body.user, 'nina');
  });

  const BAD: [string, string, string, unknown][] = [
    ['otto', 'POST', 'users', { name: 'No Such', role: 'engineer' }],
    ['otto', 'POST', 'users', { name: 'x', role: 'king' }],
    ['otto', 'PATCH', 'users/erin', {}],
    ['erin', 'POST', 'tokens', { scopes: ['not a scope'] }],
    ['erin', 'POST', 'access-requests', { dataset: 'customers' }],
    ['olga', 'POST', 'access-requests/apr-1/approve', {}],
    ['olga', 'POST', 'policies', { name: 'default', for: ['gpu'], source: 'package p' }],
    ['olga', 'POST', 'policies', { name: 'p', for: ['everything'], source: 'package p' }],
    ['olga', 'POST', 'policies', { name: 'p', for: ['gpu'], source: 'package p\nallow if {' }],
    ['otto', 'PUT', 'quotas/erin', { cpus: 1 }],
    ['otto', 'PUT', 'quotas/user:erin', { cpus: -1 }],
    ['otto', 'PUT', 'quotas/user:erin', { memory: 'much' }],
  ];
  for (const [who, method, path, body] of BAD) {
    it(`400: ${method} ${path} ${JSON.stringify(body)}`, async () => {
      const answer = await call(who, method, path, body);
      assert.equal(answer.status, 400, JSON.stringify(answer.body));
    });
  }

  it('401: every route without a valid token', async () => {
    for (const path of ['whoami', 'users', 'tokens', 'policies', 'quotas', 'access-requests'])
      assert.equal((await call('fh_wrong', 'GET', path)).status, 401, path);
  });

  const FORBIDDEN: [string, string, string, unknown?][] = [
    ['erin', 'POST', 'users', { name: 'x1', role: 'officer' }],
    ['erin', 'GET', 'users'],
    ['erin', 'GET', 'users/olga'],
    ['olga', 'DELETE', 'users/erin'],
    ['otto', 'PATCH', 'users/otto', { roles: ['officer'] }],
    ['erin', 'GET', 'tokens?all=true'],
    ['erin', 'GET', 'quotas/user:olga'],
    ['erin', 'PUT', 'quotas/user:erin', { gpus: 9 }],
    ['erin', 'POST', 'policies', { name: 'p', for: ['gpu'], source: 'package p\nallow if true' }],
    ['otto', 'POST', 'policies/p/rollback', {}],
    ['otto', 'DELETE', 'policies/p'],
    ['otto', 'GET', 'access-requests'],
  ];
  for (const [who, method, path, body] of FORBIDDEN) {
    it(`403: ${who} ${method} ${path}`, async () => {
      const answer = await call(who, method, path, body);
      assert.equal(answer.status, 403, JSON.stringify(answer.body));
      assert.match(JSON.stringify(answer.body), /dec-/);
    });
  }

  it('404: what is not there', async () => {
    for (const [who, method, path] of [
      ['otto', 'GET', 'users/nobody'],
      ['erin', 'DELETE', 'tokens/tok-none'],
      ['erin', 'GET', 'access-requests/apr-none'],
      ['erin', 'GET', 'policies/none'],
      ['erin', 'GET', 'policies/decisions/dec-none/explain'],
    ] as const)
      assert.equal((await call(who, method, path)).status, 404, path);
  });

  it('an access request goes from pending to approved, by an officer who is somebody else', async () => {
    const asked = await call('erin', 'POST', 'access-requests', {
      dataset: 'customers',
      purpose: 'churn',
      until: '1d',
    });
    assert.deepEqual([asked.status, asked.body.state], [201, 'pending']);
    const path = `access-requests/${String(asked.body.id)}/approve`;
    assert.equal((await call('erin', 'POST', path, { reason: 'please' })).status, 403);
    assert.equal((await call('olga', 'POST', path, { reason: 'bounded' })).body.state, 'approved');
    assert.equal((await call('olga', 'POST', path, { reason: 'again' })).status, 409);
  });

  it('a refused route is explained by its decision, to who was refused and to an officer', async () => {
    const denied = await call('erin', 'PUT', 'quotas/user:erin', { gpus: 9 });
    const id = /dec-[0-9a-f]+/.exec(JSON.stringify(denied.body))?.[0] ?? '';
    for (const who of ['erin', 'olga']) {
      const { status, body } = await call(who, 'GET', `policies/decisions/${id}/explain`);
      assert.equal(status, 200);
      assert.match(String((body.summary as string[])[0]), /engineer may not do quota\.set/);
    }
    assert.equal((await call('otto', 'GET', `policies/decisions/${id}/explain`)).status, 403);
  });

  it('a policy is applied in the older syntax and listed with its digest', async () => {
    const source = 'package play\nallow { input.requested <= 4 }';
    const applied = await call('olga', 'POST', 'policies', { name: 'gpu-limit', for: ['gpu'], source });
    assert.deepEqual([applied.status, applied.body.version, applied.body.converted], [201, 1, true]);
    const { items } = (await call('erin', 'GET', 'policies')).body as { items: { name: string; for: string[] }[] };
    assert.deepEqual(
      items.map((one) => [one.name, one.for]),
      [['gpu-limit', ['gpu']]],
    );
  });

  it('quota set changes what is named and leaves the rest', async () => {
    const { body } = await call('otto', 'PUT', 'quotas/user:erin', { memory: '8g', cpus: 3 });
    assert.deepEqual(body.limits, { ...QUOTA_DEFAULTS.user, memoryBytes: 8 * 2 ** 30, cpus: 3 });
  });
});
