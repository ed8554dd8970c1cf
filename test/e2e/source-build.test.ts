/** A package that comes as source only is built in a sandbox whose only way out is the index. */
import assert from 'node:assert/strict';
import { lookup } from 'node:dns/promises';
import { after, before, test } from 'node:test';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

let control: TestControlPlane;

before(async () => {
  // Where the index is a mirror on a private address the operator excepts it; on the public internet this changes nothing.
  const addresses: string[] = [];
  for (const host of ['pypi.org', 'files.pythonhosted.org'])
    for (const { address } of await lookup(host, { all: true }))
      addresses.push(address.includes(':') ? `[${address}]:443` : `${address}:443`);
  control = await startControlPlane({ FUMEHOOD_EGRESS_ALLOW_PRIVATE: [...new Set(addresses)].join(',') });
});

after(async () => control?.close());

test('the environment is built, works, and nothing of the build sandbox is left', { timeout: 180_000 }, async () => {
  const made = await control.json<{ packages: number; digest: string }>([
    'environment',
    'create',
    'cli',
    '--package',
    'docopt==0.6.2',
  ]);
  assert.equal(made.packages, 1);
  assert.deepEqual((await control.json<{ items: unknown[] }>(['sandbox', 'list'])).items, []);
  await control.json([
    'sandbox',
    'create',
    '--name',
    'user',
    '--environment',
    'cli',
    '--memory',
    '128m',
    '--disk',
    '64m',
  ]);
  const used = await control.run([
    'sandbox',
    'exec',
    'user',
    '--',
    'python',
    '-c',
    'import docopt; print(docopt.__version__)',
  ]);
  assert.equal(used.stdout.trim(), '0.6.2', used.stderr);
  const officer = await control.user('olga', 'officer');
  const { items } = await control.json<{ items: { action: string; object: { id: string } }[] }>(
    ['audit', 'list', '--limit', '200'],
    { token: officer },
  );
  const reached = new Set(items.filter((entry) => entry.action === 'egress.connect').map((entry) => entry.object.id));
  assert.ok(reached.size > 0);
  for (const target of reached) assert.match(target, /^(pypi\.org|files\.pythonhosted\.org):443$/);
});

test('a package that is not there gives the reason of uv, and builds nothing', async () => {
  const done = await control.run(['environment', 'create', 'none', '--package', 'fumehood-no-such-package']);
  assert.notEqual(done.code, 0);
  assert.match(done.stderr, /fumehood-no-such-package/);
});
