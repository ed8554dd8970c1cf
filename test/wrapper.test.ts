/** `./fumehood`, the wrapper: finds or installs what is needed, says so, and does nothing twice. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

const ROOT = join(import.meta.dirname, '..');
const TOOLS = 'sh cat chmod cksum cmp cp id ln ls mkdir mv readlink rm rmdir sleep tail touch uname'.split(' ');

let folder = '';
let bin = '';
let checkout = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fumehood wrapper '));
  bin = join(folder, 'bin');
  checkout = join(folder, 'a checkout');
  for (const path of [bin, join(checkout, 'node_modules'), join(folder, 'home')]) mkdirSync(path, { recursive: true });
  for (const file of ['fumehood', 'package.json', 'package-lock.json'])
    copyFileSync(join(ROOT, file), join(checkout, file));
  symlinkSync(join(ROOT, 'src'), join(checkout, 'src'));
  copyFileSync(join(ROOT, 'package-lock.json'), join(checkout, 'node_modules', '.fumehood-lock'));
  for (const tool of TOOLS)
    symlinkSync(execFileSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim(), join(bin, tool));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const script = (name: string, text: string): void => {
  rmSync(join(bin, name), { force: true });
  writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(bin, name), 0o755);
};
const useNode = (): void => symlinkSync(process.execPath, join(bin, 'node'));
/** An npm that notes how it is called and puts this Node where the real one would put its own. */
const useNpm = (): void =>
  script(
    'npm',
    `echo "$@" >>"${folder}/npm-calls"
if [ "$1" = install ]; then sleep 0.5; mkdir -p "$3/node_modules/node/bin"; ln -s "${process.execPath}" "$3/node_modules/node/bin/node"; fi
if [ "$1" = ls ]; then exit 1; fi`,
  );
const npmCalls = (): string[] =>
  existsSync(join(folder, 'npm-calls')) ? readFileSync(join(folder, 'npm-calls'), 'utf8').trim().split('\n') : [];

function run(words: string[] = ['--version'], command = join(checkout, 'fumehood')) {
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve, reject) => {
    const child = spawn(command, words, { env: { PATH: bin, HOME: join(folder, 'home') }, cwd: folder });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        said[name] += text;
      });
    child.once('error', reject).once('close', (code) => resolve({ code, ...said }));
  });
}

test('a Node that is new enough is used as it is, from a path with spaces and through a link, saying nothing', async () => {
  useNode();
  const link = join(folder, 'linked fumehood');
  symlinkSync('a checkout/fumehood', link);
  for (const command of [join(checkout, 'fumehood'), link]) {
    const { code, stdout, stderr } = await run(['--version'], command);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
    assert.match(stdout, /^fumehood \d+\.\d+\.\d+\n$/);
  }
});

test('an old Node is left alone: a pinned one goes into the cache, once, also when two start at the same time', async () => {
  script('node', 'echo v18.0.0');
  useNpm();
  const both = await Promise.all([run(), run()]);
  assert.deepEqual(
    both.map((one) => one.code),
    [0, 0],
    both.map((one) => one.stderr).join(''),
  );
  assert.match(both.map((one) => one.stderr).join(''), /installing Node \d+\.\d+\.\d+ into .*needs Node 24/);
  await run();
  assert.equal(npmCalls().length, 1);
  assert.match(npmCalls()[0] ?? '', /--prefix .*\.cache\/fumehood\/node-.* node@\d+\.\d+\.\d+$/);
});

test('what may not be installed is named with the command that would', async () => {
  script('id', 'echo 1000');
  script('apt-get', 'exit 1');
  const { code, stderr } = await run();
  assert.equal(code, 1);
  assert.match(stderr, /only root may install/);
  assert.match(stderr, /what to do: sudo apt-get install -y npm/);
});

test('the locked packages are installed again only when the lock has changed', async () => {
  useNode();
  useNpm();
  await run();
  assert.deepEqual(npmCalls(), []);
  writeFileSync(join(checkout, 'package-lock.json'), `${readFileSync(join(checkout, 'package-lock.json'), 'utf8')}\n`);
  const { stderr } = await run();
  assert.match(stderr, /installing the locked npm packages/);
  assert.deepEqual(
    npmCalls().map((call) => call.split(' ')[0]),
    ['ls', 'ci'],
  );
  assert.equal((await run()).stderr, '');
  assert.equal(npmCalls().length, 2);
});

test('the lock of an installation that died is taken over', async () => {
  useNode();
  const lock = join(folder, 'home', '.cache', 'fumehood', 'install.lock');
  mkdirSync(lock, { recursive: true });
  writeFileSync(join(lock, 'pid'), '4194303\n');
  assert.equal((await run()).code, 0);
  assert.equal(existsSync(lock), false);
});

test('help installs nothing', async () => {
  useNode();
  const { code, stdout, stderr } = await run(['up', '--help']);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  assert.match(stdout, /^fumehood up/);
});
