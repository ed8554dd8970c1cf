/** The suite as a user runs it on a machine of their own, and the card that it signs. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');

let folder: string;
let card: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'fumehood-card-'));
  card = join(folder, 'card.json');
});

after(() => rmSync(folder, { recursive: true, force: true }));

const start = (home: string, args: string[]) =>
  spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, FUMEHOOD_HOME: join(folder, home) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });

async function run(home: string, ...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = start(home, args);
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code, out, err };
}

test('doctor --escape attacks, prints what held and writes a card that verifies offline', async () => {
  const done = await run('home', 'doctor', '--escape', '--only', 'namespaces', '--out', card, '--json');
  assert.equal(done.code, 0, done.err);
  const said = JSON.parse(done.out) as {
    held: number;
    broken: number;
    publicKey: string;
    machine: { runtime: string };
  };
  assert.ok(said.held > 10);
  assert.equal(said.broken, 0);
  assert.equal(said.machine.runtime, 'runc');
  const key = join(folder, 'key');
  writeFileSync(key, said.publicKey);
  for (const checked of [
    await run('home', 'audit', 'verify', '--scorecard', card),
    await run('elsewhere', 'audit', 'verify', '--scorecard', card, '--public-key', key),
  ]) {
    assert.equal(checked.code, 0, checked.err);
    assert.match(checked.out, /^verified: \d+ held, \d+ not shown, 0 BROKEN/);
  }
});

test('a card that was changed, or that another home signed, is refused by name', async () => {
  const foreign = await run('other', 'audit', 'verify', '--scorecard', card);
  assert.notEqual(foreign.code, 0);
  assert.match(foreign.err, /another key/);
  const changed = join(folder, 'changed.json');
  writeFileSync(changed, readFileSync(card, 'utf8').replace('"why": "EPERM"', '"why": "EPERN"'));
  const refused = await run('home', 'audit', 'verify', '--scorecard', changed);
  assert.notEqual(refused.code, 0);
  assert.match(refused.err, /attack namespaces\/unshare-user/);
});

test('a runtime that cannot be used and a family that is not there are refused before anything is attacked', async () => {
  const runtime = await run('home', 'doctor', '--escape', '--runtime', 'no-such-runtime', '--out', card);
  assert.notEqual(runtime.code, 0);
  assert.match(runtime.err, /"no-such-runtime" cannot be used on this host/);
  const family = await run('home', 'doctor', '--escape', '--only', 'no-such-family', '--out', card);
  assert.equal(family.code, 2);
  assert.match(family.err, /It is one of mounts/);
});

test('an interrupt ends it after the attack under way, writes no card and leaves nothing', async () => {
  const late = join(folder, 'late.json');
  const child = start('home', ['doctor', '--escape', '--only', 'mounts', '--out', late]);
  const said = text(child.stdout);
  await new Promise<void>((resolve) => {
    child.stderr.on('data', (line) => String(line).includes('Attacking') && resolve());
  });
  child.kill('SIGINT');
  const [code] = await once(child, 'close');
  assert.equal(code, 130, await said);
  assert.throws(() => readFileSync(late));
});

test('a reader of its messages that goes away ends nothing: the suite goes to its end, cleans up and writes its card', async () => {
  const unread = join(folder, 'unread.json');
  const child = start('home', ['doctor', '--escape', '--only', 'namespaces', '--out', unread, '--json']);
  const said = text(child.stdout);
  await once(child.stderr, 'data');
  child.stderr.destroy();
  const [code] = await once(child, 'close');
  // What a suite leaves on the host is an error of its own.
  assert.equal(code, 0, await said);
  assert.equal((await run('home', 'audit', 'verify', '--scorecard', unread)).code, 0);
});
