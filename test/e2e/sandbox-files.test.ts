/** Files of a sandbox from the command line: through pipes, and as they change. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');

let control: TestControlPlane;
let folder = '';
let officer = '';
before(
  async () => {
    folder = mkdtempSync(join(tmpdir(), 'fumehood-files-'));
    control = await startControlPlane();
    officer = await control.user('olga', 'officer');
    await control.json(['sandbox', 'create', '--name', 'box', '--memory', '128m', '--disk', '64m']);
  },
  { timeout: 120_000 },
);
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await control.close();
});

const inBox = async (...argv: string[]): Promise<string> => {
  const done = await control.run(['sandbox', 'exec', 'box', '--', ...argv]);
  assert.equal(done.code, 0, done.stderr);
  return done.stdout;
};

test('cp: standard input becomes a file, a file goes to standard output, byte by byte', {
  timeout: 120_000,
}, async () => {
  const input = `first\n${'0123456789abcdef'.repeat(200_000)}\nlast`;
  const sent = await control.run(['sandbox', 'cp', '-', 'box:data/in.txt'], { input });
  assert.notEqual(sent.code, 0, 'the folder is not there');
  await inBox('mkdir', 'data');
  const again = await control.run(['sandbox', 'cp', '-', 'box:data/in.txt'], { input });
  assert.equal(again.code, 0, again.stderr);
  assert.equal(await inBox('sh', '-c', 'wc -c < data/in.txt'), `${input.length}\n`);
  const back = await control.run(['sandbox', 'cp', 'box:data/in.txt', '-']);
  assert.equal(back.code, 0, back.stderr);
  assert.ok(back.stdout === input, `${back.stdout.length} of ${input.length} bytes, and nothing else`);
  assert.ok(!readdirSync('.').includes('-'));
});

test('each use of a file is in the audit log, with what was done and its path', { timeout: 120_000 }, async () => {
  await control.json(['sandbox', 'create', '--name', 'seen', '--memory', '128m', '--disk', '64m']);
  await control.run(['sandbox', 'cp', '-', 'seen:note.txt'], { input: 'written' });
  await control.run(['sandbox', 'cp', 'seen:note.txt', '-']);
  const { items } = await control.json<{ items: { outcome: string; details: Record<string, unknown> }[] }>(
    ['audit', 'list', '--action', 'sandbox.files', '--limit', '100'],
    { token: officer },
  );
  const uses = items.filter(({ outcome, details }) => outcome === 'ok' && details.path === '/workspace/note.txt');
  assert.deepEqual([...new Set(uses.map(({ details }) => details.use))].sort(), ['list', 'read', 'write']);
});

test('cp: a wrong pair of ends is refused with what to do', { timeout: 120_000 }, async () => {
  const wrong: [args: string[], says: RegExp][] = [
    [['a.txt', 'b.txt'], /Neither "a\.txt" nor "b\.txt" is in a sandbox\.[\s\S]*ID:PATH/],
    [['-', '-'], /Neither "-" nor "-"/],
    [['box:a', 'box:b'], /Both [\s\S]*through a pipe/],
    [['box:/workspace', '-'], /is a folder; only one file[\s\S]*tar -c/],
    [['-', 'box:/workspace'], /standard input has no name[\s\S]*box:\/workspace\/NAME/],
    [['-', 'box:new/'], /standard input has no name/],
    [['box:nothing', '-'], /no such file/i],
    [['nothing.txt', 'box:'], /"nothing\.txt" cannot be read \(ENOENT\)/],
    [['box:/etc/passwd', join(folder, 'no/such/folder')], /cannot be written \(ENOENT\)/],
    [['box:/etc/passwd', '-', '--json'], /--json/],
  ];
  for (const [args, says] of wrong) {
    const done = await control.run(['sandbox', 'cp', ...args], { input: 'x' });
    assert.match(done.stderr, says, args.join(' '));
    assert.equal(done.stdout, '');
    assert.ok([2, 3].includes(done.code ?? 0), `${args.join(' ')}: ${done.code}`);
  }
});

test('watch: tells changes below a folder as they happen, and ends with the sandbox', {
  timeout: 120_000,
}, async () => {
  const made = await control.json<{ id: string }>(['sandbox', 'create', '--memory', '128m', '--disk', '64m']);
  const { FUMEHOOD_TOKEN: _token, FUMEHOOD_URL: _url, ...env } = process.env;
  const watcher = spawn(process.execPath, [MAIN, 'sandbox', 'watch', made.id, '--json'], {
    env: { ...env, FUMEHOOD_HOME: control.home },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(watcher, 'exit');
  const lines = createInterface({ input: watcher.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<{ kind: string; path: string }> => JSON.parse((await lines.next()).value ?? 'null');
  assert.equal((await next()).kind, 'ready');
  const sent = await control.run(['sandbox', 'cp', '-', `${made.id}:seen.txt`], { input: 'x' });
  assert.equal(sent.code, 0, sent.stderr);
  for (let line = await next(); line.path !== '/workspace/seen.txt'; line = await next());
  await control.json(['sandbox', 'delete', made.id, '--yes']);
  for (let line = await next(); line.kind !== 'ended'; line = await next());
  assert.deepEqual(await ended, [0, null]);
});

test('watch: one crossing is one entry, others may not watch, and no more than some at a time', {
  timeout: 120_000,
}, async () => {
  const stranger = await control.user('eve', 'engineer');
  const ask = (token: string, query = 'path=/workspace') =>
    fetch(`${control.url}/api/v1/sandboxes/${id}/files/watch?${query}`, {
      headers: { authorization: `Bearer ${token}` },
    });
  const { id } = await control.json<{ id: string }>(['sandbox', 'get', 'box']);
  assert.equal((await ask(stranger)).status, 403);
  const own = await control.json<{ token: string }>(['token', 'create', '--until', '1h']);
  assert.equal((await ask(own.token, 'path=/workspace/none')).status, 404);
  const watches = await Promise.all(Array.from({ length: 16 }, () => ask(own.token)));
  assert.deepEqual([...new Set(watches.map(({ status }) => status))], [200]);
  assert.equal((await ask(own.token)).status, 429);
  for (const watch of watches) await watch.body?.cancel();
  let brief = await ask(own.token, 'path=/workspace&forMs=1');
  while (brief.status === 429) brief = await ask(own.token, 'path=/workspace&forMs=1');
  assert.match(await brief.text(), /"kind":"ready"[\s\S]*"kind":"ended"/);
  type Entry = { details: Record<string, string>; outcome: string };
  const { items } = await control.json<{ items: Entry[] }>(
    ['audit', 'list', '--action', 'sandbox.files', '--all-pages'],
    { token: officer },
  );
  const outcomes = new Set(items.filter(({ details }) => details.use === 'watch').map(({ outcome }) => outcome));
  assert.deepEqual(outcomes, new Set(['ok']));
  assert.ok(items.some(({ outcome }) => outcome === 'denied'));
});
