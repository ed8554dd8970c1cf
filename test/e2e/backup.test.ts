/** Backups, restores, key rotation and upgrades of a real home. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { padding, TAR_END, tarHead } from '#src/backups/tar.ts';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

const PASSPHRASE = 'a heron stands in the shallows';
const CONTENT = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => (at * 7919) % 251));

let control: TestControlPlane;
let folder = '';
let officer = '';
let engineer = '';
let backup = '';
before(
  async () => {
    folder = mkdtempSync(join(tmpdir(), 'fumehood-backup-'));
    control = await startControlPlane();
    officer = await control.user('olga', 'officer');
    engineer = await control.user('erin', 'engineer');
    mkdirSync(join(folder, 'data'));
    writeFileSync(join(folder, 'data/large.bin'), CONTENT);
    writeFileSync(join(folder, 'data/small.txt'), 'small');
    await control.json(['dataset', 'add', 'stuff', join(folder, 'data'), '--tag', 'public'], { token: engineer });
    await control.json(['secret', 'put', 'team/db', 'password=-'], { token: engineer, input: 'hunter2' });
    await control.json(['sandbox', 'create', '--name', 'here', '--memory', '256m'], { token: engineer });
    backup = join(folder, 'running.tar');
    const made = await control.json<{ keys: string }>(['backup', 'create', backup], { input: PASSPHRASE });
    assert.equal(made.keys, 'sealed');
  },
  { timeout: 180_000 },
);
after(async () => {
  await control.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What a control plane that runs in `home` shows of what was put in. */
async function looksWhole(home: string): Promise<void> {
  const at = { env: { FUMEHOOD_HOME: home } };
  const as = (token: string) => ({ ...at, token });
  const { ok } = await control.json<{ ok: boolean }>(['audit', 'verify'], as(officer));
  assert.ok(ok);
  const secret = await control.run(['secret', 'get', 'team/db', 'password'], as(engineer));
  assert.equal(secret.stdout.trim(), 'hunter2');
  await control.json(['sandbox', 'create', '--name', 'reader', '--memory', '256m', '--mount', 'stuff'], as(engineer));
  const sum = await control.run(
    ['sandbox', 'exec', 'reader', '--', 'sha256sum', '/data/stuff/large.bin'],
    as(engineer),
  );
  assert.equal(sum.stdout.split(' ')[0], createHash('sha256').update(CONTENT).digest('hex'), sum.stderr);
}

test('a backup of a running home is restored elsewhere: log, objects and secrets are there, its sandboxes are not', {
  timeout: 180_000,
}, async () => {
  const home = join(folder, 'elsewhere');
  const restored = await control.json<{ keys: string; entries: number }>(
    ['backup', 'restore', backup, '--home', home],
    { input: PASSPHRASE },
  );
  assert.equal(restored.keys, 'restored');
  const at = { env: { FUMEHOOD_HOME: home } };
  try {
    await control.json(['up', '--detach'], at);
    await looksWhole(home);
    const { items } = await control.json<{ items: { name: string; state: string }[] }>(['sandbox', 'list', '--all'], {
      ...at,
      token: engineer,
    });
    assert.deepEqual(
      items.map(({ name, state }) => [name, state]),
      [
        ['reader', 'running'],
        ['here', 'deleted'],
      ],
    );
    const { items: entries } = await control.json<{ items: unknown[] }>(
      ['audit', 'list', '--action', 'backup.restore'],
      { ...at, token: officer },
    );
    assert.equal(entries.length, 1);
  } finally {
    const down = await control.run(['down', '--yes'], at);
    assert.equal(down.code, 0, down.stderr);
  }
  const here = await control.run(['sandbox', 'exec', 'here', '--', 'true'], { token: engineer });
  assert.equal(here.code, 0, 'the sandbox of the first home was not touched');
});

test('a backup that was changed, cut or forged is refused, and nothing of it is put to use', {
  timeout: 180_000,
}, async () => {
  const whole = await control.json<{ ok: boolean; objects: number }>(['backup', 'verify', backup]);
  assert.ok(whole.ok && whole.objects >= 1);
  const { size } = statSync(backup);
  const evil = join(folder, 'evil.tar');
  const forged = Buffer.concat([tarHead('../../evil', 4, 0), Buffer.from('evil'), padding(4), TAR_END]);
  const harms: [string, () => void][] = [
    ['a byte in the store', () => flip(evil, 512 + 40_000)],
    ['a byte in an object', () => flip(evil, statSync(backup).size - 1_500_000)],
    ['cut in an object', () => truncateSync(evil, size - 1_500_000)],
    ['cut to nothing', () => truncateSync(evil, 0)],
    ['a path that leads out', () => writeFileSync(evil, forged)],
    [
      'the same file twice',
      () => writeFileSync(evil, Buffer.concat([readFileSync(backup).subarray(0, -1024), readFileSync(backup)])),
    ],
  ];
  for (const [what, harm] of harms) {
    copyFileSync(backup, evil);
    harm();
    assert.equal((await control.run(['backup', 'verify', evil])).code, 1, what);
    const home = join(folder, 'never');
    const done = await control.run(['backup', 'restore', evil, '--home', home], { input: PASSPHRASE });
    assert.equal(done.code, 1, what);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('never')),
      [],
      what,
    );
  }
  assert.equal(existsSync(join(folder, '..', 'evil')), false);
});

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
}

test('another passphrase, a home in use and a short passphrase are refused', { timeout: 120_000 }, async () => {
  const home = join(folder, 'refused');
  assert.equal(
    (await control.run(['backup', 'restore', backup, '--home', home], { input: 'another heron entirely' })).code,
    5,
  );
  assert.equal(
    (await control.run(['backup', 'restore', backup, '--home', control.home], { input: PASSPHRASE })).code,
    6,
  );
  assert.equal((await control.run(['backup', 'create', join(folder, 'short.tar')], { input: 'short' })).code, 2);
  assert.equal(
    (await control.run(['backup', 'create', backup], { input: PASSPHRASE })).code,
    6,
    'nothing is written over',
  );
});

test('only an operator makes backups and rotates keys; refusals and acts are in the log', {
  timeout: 120_000,
}, async () => {
  for (const token of [engineer, officer]) {
    assert.equal(
      (await control.run(['backup', 'create', join(folder, 'no.tar'), '--without-keys'], { token })).code,
      5,
    );
    assert.equal((await control.run(['key', 'rotate', '--yes'], { token })).code, 5);
  }
  assert.equal(existsSync(join(folder, 'no.tar')), false);
  const { items } = await control.json<{ items: { action: string; outcome: string }[] }>(
    ['audit', 'list', '--action', 'backup'],
    { token: officer },
  );
  const seen = new Set(items.map(({ action, outcome }) => `${action} ${outcome}`));
  for (const one of ['backup.create ok', 'backup.create denied', 'backup.written ok']) assert.ok(seen.has(one), one);
});

test('no key, token or passphrase stands in a backup in the clear', () => {
  const bytes = readFileSync(backup);
  const key = readFileSync(join(control.home, 'keys/fumehood.key'), 'utf8').split(' ')[1]?.trim() ?? '';
  const token = readFileSync(join(control.home, 'operator.token'), 'utf8').trim();
  const pem = readFileSync(join(control.home, 'keys/audit-log.pem'), 'utf8').split('\n')[1] ?? '';
  for (const secret of [key, token, pem, PASSPHRASE, 'hunter2', CONTENT.subarray(0, 64)])
    assert.equal(bytes.includes(secret), false, String(secret));
});

test('a home that is down is backed up under its lock; a rotated key protects everything anew, and the old one is retired', {
  timeout: 240_000,
}, async () => {
  const keyFile = join(control.home, 'keys/fumehood.key');
  const first = readFileSync(keyFile, 'utf8');
  const rotated = await control.json<{ version: number; rewrapped: number; retiring: number[] }>([
    'key',
    'rotate',
    '--yes',
  ]);
  assert.deepEqual([rotated.version, rotated.retiring], [2, [1]]);
  assert.ok(rotated.rewrapped >= 3, 'two objects and a secret');
  assert.match(readFileSync(keyFile, 'utf8'), /^1 .*\n2 /);
  await stop();
  const cold = join(folder, 'cold');
  mkdirSync(cold);
  const made = await control.json<{ file: string }>(['backup', 'create', cold, '--without-keys']);
  assert.equal((await control.json<{ keys: string }>(['backup', 'verify', made.file])).keys, 'left out');
  await control.json(['up', '--detach']);
  const kept = readFileSync(keyFile, 'utf8');
  assert.match(kept, /^2 [^\n]+\n$/);
  assert.equal(kept.includes(first.split(' ')[1] ?? ''), false);
  await looksWhole(control.home);
});

test('upgrade: nothing to do is said; a store of a newer program is refused by upgrade and by up', {
  timeout: 120_000,
}, async () => {
  assert.equal((await control.run(['upgrade'])).code, 6, 'not while it runs');
  assert.match((await control.run(['upgrade', '--check'])).stdout, /nothing to do/);
  await stop();
  const { DatabaseSync } = await import('node:sqlite');
  const store = new DatabaseSync(join(control.home, 'state.db'));
  store.exec("insert into schema_migrations values (9999, 'from-the-future', 'x')");
  for (const words of [['upgrade', '--check'], ['upgrade'], ['up', '--detach']]) {
    const done = await control.run(words);
    assert.equal(done.code, 6, words.join(' '));
    assert.match(done.stderr, /9999, "from-the-future"(.|\n)*backup restore/);
  }
  store.exec('delete from schema_migrations where version = 9999');
  store.close();
  await control.json(['up', '--detach']);
});

/** Ends the control plane and leaves its sandboxes. */
async function stop(): Promise<void> {
  const pid = await control.pid();
  process.kill(pid, 'SIGTERM');
  while (existsSync(join(control.home, 'control.lock'))) await new Promise((resolve) => setTimeout(resolve, 20));
}
