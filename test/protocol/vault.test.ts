import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { AppError } from '#kernel/errors.ts';
import { randomIds } from '#kernel/ids.ts';
import { createLog } from '#kernel/log.ts';
import { createVaultDoor } from '#src/doors/vault/vault-door.ts';
import { createIdentify } from '#src/gateway/identify.ts';
import { createListeners } from '#src/gateway/listeners.ts';
import { person, sandboxOf, TEST_STORES } from '#src/gateway/test-gateway.ts';
import { openTestSecrets } from '#src/secrets/test-secrets.ts';
import { pythonWith, runPython } from './python-clients.ts';

async function openVault(url?: string) {
  const world = await openTestSecrets(url);
  const log: string[] = [];
  const door = createVaultDoor({
    ...world,
    identify: createIdentify({
      sandboxIdentity: (id) => (id === 'sb-1' ? sandboxOf('sb-1', 'ada') : undefined),
      authenticateToken: async (token) => {
        if (token !== 'fh-good-token') throw new AppError('unauthenticated', 'This token is not known.');
        return person('ada');
      },
    }),
    issueAccessKey: async ({ sandboxId }) => ({
      accessKeyId: `AK-${sandboxId}`,
      secretAccessKey: 'dynamic-s3-secret',
      endpoint: 'http://localhost:9000',
      expiresAtMs: world.clock.nowMs() + 3_600_000,
    }),
    log: createLog((line) => log.push(line)),
    clusterId: 'c-1',
    version: '1.0.0',
  });
  const listeners = createListeners({
    doors: [door],
    isServed: (id) => id === 'sb-1',
    log: createLog((line) => log.push(line)),
    ids: randomIds,
  });
  const { port } = await listeners.openExternal({ door: 'vault', host: '127.0.0.1', port: 0 });
  // A loopback listener in the place of the driver's: what connects to it is the sandbox.
  const inside = createServer((socket) => listeners.acceptSandbox({ sandboxId: 'sb-1', door: 'vault', socket }));
  inside.listen(0, '127.0.0.1');
  await once(inside, 'listening');
  const address = inside.address();
  const insidePort = typeof address === 'object' && address !== null ? address.port : 0;
  const close = async (): Promise<void> => {
    inside.close();
    await listeners.close();
    await world.close();
  };
  return { ...world, log, port, insidePort, close };
}

for (const store of TEST_STORES) {
  test(`hvac on ${store.name}, outside with a token and in a sandbox with anything: KV v2, lists, tokens, mounts, errors`, async () => {
    const python = await pythonWith('hvac', ['hvac']);
    for (const side of ['external', 'sandbox'] as const) {
      const vault = await openVault(store.url);
      try {
        const port = side === 'external' ? vault.port : vault.insidePort;
        const token = side === 'external' ? 'fh-good-token' : 'anything';
        const { code, output } = await runPython(python, 'vault.py', {
          ADDRESS: `http://127.0.0.1:${port}`,
          TOKEN: token,
          SIDE: side,
        });
        assert.equal(code, 0, output);
        assert.deepEqual(vault.log, []);
        const told = JSON.stringify(vault.entries);
        for (const hidden of ['LIST one', 'fh-good-token', 'dynamic-s3-secret', 'hvs.fh'])
          assert.equal(told.includes(hidden), false);
        assert.ok(vault.entries.some((entry) => entry.action === 'vault.request' && entry.outcome === 'denied'));
      } finally {
        await vault.close();
      }
    }
  });
}

async function ask(port: number, path: string, init: RequestInit = {}) {
  const response = await fetch(`http://127.0.0.1:${port}/v1/${path}`, init);
  const text = await response.text();
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    json: text === '' ? null : JSON.parse(text),
  };
}

test("a token made for one sandbox means nothing in another's hands outside, and an expired one is refused everywhere", async () => {
  const vault = await openVault();
  try {
    const made = await ask(vault.insidePort, 'auth/token/create', { method: 'POST', body: '{"ttl": "60s"}' });
    const headers = { 'x-vault-token': made.json.auth.client_token };
    assert.equal((await ask(vault.insidePort, 'auth/token/lookup-self', { headers })).status, 200);
    assert.equal((await ask(vault.port, 'auth/token/lookup-self', { headers })).status, 403);
    vault.clock.advance(61_000);
    assert.equal((await ask(vault.insidePort, 'auth/token/lookup-self', { headers })).status, 403);
    assert.equal((await ask(vault.insidePort, 'auth/token/lookup-self')).status, 200);
  } finally {
    await vault.close();
  }
});

test('what policy denies is 403 in the exact content type, with the reason', async () => {
  const vault = await openVault();
  try {
    vault.policy.allows = (question) => question.action !== 'secret.read';
    const denied = await ask(vault.insidePort, 'secret/data/s3');
    assert.deepEqual([denied.status, denied.type], [403, 'application/json']);
    assert.deepEqual(denied.json.errors.slice(0, 2), ['permission denied', 'no rule allows secret.read on s3']);
  } finally {
    await vault.close();
  }
});

test('bodies that are not JSON objects, wrapped answers, bad escapes and wrong types are refused, named and audited', async () => {
  const vault = await openVault();
  try {
    const cases: [string, RequestInit, number][] = [
      ['secret/data/a', { method: 'POST', body: '{"data": {"password": "hunter2"' }, 400],
      ['secret/data/a', { method: 'POST', body: '[1]' }, 400],
      ['secret/data/a', { method: 'POST', body: '{"data": "hunter2"}' }, 400],
      ['secret/data/a', { method: 'POST', body: '{}' }, 400],
      ['secret/data/a', { method: 'PATCH', body: '{"data": {}}' }, 400],
      ['secret/data/a?version=x', {}, 400],
      ['secret/data/a', { headers: { 'x-vault-wrap-ttl': '60' } }, 400],
      ['secret/data/%ff', {}, 400],
      ['secret/data/a%2F..%2Fb', {}, 400],
      ['secret/data', {}, 404],
      ['nothing', {}, 404],
      ['sys/seal', { method: 'PUT' }, 404],
      ['secret/data/a', { method: 'POST', body: `{"data": {"a": "${'x'.repeat(1_100_000)}"}}` }, 413],
    ];
    for (const [path, init, status] of cases) {
      const before = vault.entries.length;
      const answer = await ask(vault.insidePort, path, init);
      assert.equal(answer.status, status, path);
      if (status !== 413) assert.ok(vault.entries.length > before, `${path} is audited`);
      assert.equal(JSON.stringify(answer.json).includes('hunter2'), false);
    }
    assert.equal(JSON.stringify([vault.entries, vault.log]).includes('hunter2'), false);
  } finally {
    await vault.close();
  }
});
