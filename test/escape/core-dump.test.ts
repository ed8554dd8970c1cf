/** What a crash of the control plane leaves on the disk: a core dump of a process that holds keys and secrets. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { makeHome, type TestHome } from '../control-plane.ts';

const SECRET = 'canary-of-a-core-dump-5b2f90';
const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');

/** Where this kernel writes cores: the test can look at them when that is a file in the folder of the process. */
const PATTERN = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim();
const LANDS_HERE = !/[|/]/.test(PATTERN);

let folder: string;
let home: TestHome;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fumehood-core-'));
  home = await makeHome();
});
after(async () => {
  await home.run(['down', '--yes']);
  for (const path of [folder, home.home]) await rm(path, { recursive: true, force: true });
});

/** Starts a program that may dump as much core as it likes; gives it once it has written a line. */
async function dumpable(argv: string[], env: NodeJS.ProcessEnv = process.env): Promise<ChildProcess> {
  const child = spawn('sh', ['-c', 'ulimit -c unlimited && exec "$@"', 'sh', ...argv], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (child.stdout !== null) await once(createInterface({ input: child.stdout }), 'line');
  return child;
}

/** Whether the words are in what the abort of the process left in the folder; the cores are removed. */
async function abortHolding(child: ChildProcess, words: string[]): Promise<{ cores: number; found: string[] }> {
  const ended = once(child, 'exit');
  child.kill('SIGABRT');
  assert.equal((await ended)[1], 'SIGABRT');
  const cores = readdirSync(folder).map((name) => join(folder, name));
  const found = new Set<string>();
  for (const core of cores) {
    let tail = '';
    for await (const chunk of createReadStream(core, { encoding: 'latin1', highWaterMark: 1 << 20 })) {
      const text: string = tail + chunk;
      for (const word of words) if (text.includes(word)) found.add(word);
      tail = text.slice(-200);
    }
    await rm(core);
  }
  return { cores: cores.length, found: [...found] };
}

/** The keys of a folder, as their files say them and as the bytes that they are. */
function keysIn(path: string): string[] {
  const texts = readdirSync(path).flatMap(
    (name) => readFileSync(join(path, name), 'utf8').match(/[A-Za-z0-9+/=]{40,}/g) ?? [],
  );
  return [...texts, ...texts.map((text) => Buffer.from(text, 'base64').toString('latin1'))];
}

test('a core dump of the control plane holds no secret and no key', { timeout: 300_000 }, async (t) => {
  // The control: the same abort of a process that did nothing about it.
  const other = await dumpable([
    process.execPath,
    '-e',
    'const kept = Buffer.from(process.argv[1] + process.argv[2]); console.log(kept.length); setInterval(() => kept.length, 1e6)',
    ...[SECRET.slice(0, 9), SECRET.slice(9)],
  ]);
  const seen = await abortHolding(other, [SECRET]);
  if (LANDS_HERE) assert.deepEqual(seen, { cores: 1, found: [SECRET] });
  else t.diagnostic(`cores go to ${PATTERN}: only what the kernel is told to leave out is looked at`);

  const { FUMEHOOD_TOKEN: _token, FUMEHOOD_URL: _url, ...env } = process.env;
  const control = await dumpable([process.execPath, MAIN, 'up', '--json'], {
    ...env,
    FUMEHOOD_HOME: home.home,
    FUMEHOOD_LISTEN: '127.0.0.1:0',
  });
  const put = await home.run(['secret', 'put', 'ada/key', 'value=-'], { input: SECRET });
  assert.equal(put.code, 0, put.stderr);
  assert.match((await home.run(['secret', 'get', 'ada/key'])).stdout, new RegExp(SECRET));
  const { pid = 0 } = control;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  assert.ok(children.length > 0);
  for (const one of [String(pid), ...children])
    assert.equal(readFileSync(`/proc/${one}/coredump_filter`, 'utf8').trim(), '00000000');
  const keys = keysIn(join(home.home, 'keys'));
  assert.ok(keys.length >= 4);
  const left = await abortHolding(control, [SECRET, ...keys]);
  assert.deepEqual(left.found, []);
  if (LANDS_HERE) assert.equal(left.cores, 1);
  assert.equal((await home.run(['up', '--detach'])).code, 0);
  assert.match((await home.run(['secret', 'get', 'ada/key'])).stdout, new RegExp(SECRET), 'nothing else was lost');
});
