/** A package that comes as source only is built in a sandbox whose only way out is the index. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');

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
  const done = await control.run(['environment', 'create', 'cli', '--package', 'docopt==0.6.2', '--log', '--json']);
  assert.equal(done.code, 0, done.stderr);
  const made = JSON.parse(done.stdout) as { packages: number; digest: string };
  assert.equal(made.packages, 1);
  const phases = [...done.stderr.matchAll(/^ {2}(\w+).*: done \(/gm)].map(([, word]) => word);
  assert.deepEqual(
    phases.filter((word) => word !== 'install'),
    ['resolve', 'build', 'resolve', 'fetch', 'compile', 'measure', 'store'],
  );
  assert.match(done.stderr, /^ {4}.*Building wheel for docopt/m);
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
  assert.match(done.stderr, /^ {2}resolve the versions: failed/m);
  assert.match(done.stderr, /In the phase "resolve"/);
  assert.doesNotMatch(done.stderr, /: done/);
});

/** All lines of a watch; `ready` when it is one, `lines` when it has ended or is ended. */
async function watchBuild(name: string, token: string) {
  const ending = new AbortController();
  const answer = await fetch(`${control.url}/api/v1/environments/${name}/build`, {
    headers: { authorization: `Bearer ${token}` },
    signal: ending.signal,
  });
  assert.equal(answer.status, 200);
  const lines = (async () => {
    let text = '';
    try {
      for await (const chunk of answer.body ?? []) text += Buffer.from(chunk).toString();
    } catch (error) {
      if (!ending.signal.aborted) throw error;
    }
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { build: string; kind: string; phase: string; text: string });
  })();
  return { lines, end: () => ending.abort() };
}

test('a build goes on after Ctrl-C, is heard by who asked for it, and by nobody else', {
  timeout: 180_000,
}, async () => {
  const [ann, bob] = [await control.user('ann', 'engineer'), await control.user('bob', 'engineer')];
  const own = await watchBuild('left', ann);
  const foreign = await watchBuild('left', bob);
  const env = { ...process.env, FUMEHOOD_HOME: control.home, FUMEHOOD_URL: control.url, FUMEHOOD_TOKEN: ann };
  const words = ['environment', 'create', 'left', '--package', 'docopt==0.6.1'];
  const child = spawn(process.execPath, [MAIN, ...words], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    if (stderr.includes('resolve the versions: done') && !child.killed) child.kill('SIGINT');
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(code, 130, stderr);
  assert.match(stderr, /goes on building/);

  const heard = await own.lines;
  assert.deepEqual(
    [heard[0]?.kind, heard.at(-2)?.kind, heard.at(-1)?.kind],
    ['ready', 'done', 'ended'],
    JSON.stringify(heard),
  );
  assert.ok(heard.some(({ kind, phase, text }) => kind === 'log' && phase === 'build' && text.includes('docopt')));
  const made = await control.json<{ requirements: string[] }>(['environment', 'get', 'left'], { token: ann });
  assert.deepEqual(made.requirements, ['docopt==0.6.1']);
  await delay(200);
  foreign.end();
  assert.deepEqual(
    (await foreign.lines).map(({ kind, build }) => [kind, build]),
    [['ready', '']],
  );
});
