import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Check } from '#src/drivers/driver.ts';
import { HOMES, pathsOf } from '#src/drivers/oci/paths.ts';
import { deadHomes } from './dead-homes.ts';
import { mendsFor } from './mends.ts';
import { redact } from './redact.ts';

const MAIN = join(import.meta.dirname, 'main.ts');
const PEM = [
  '-----BEGIN PRIVATE KEY-----',
  'MC4CAQAwBQYDK2VwBCIEIPlantedPlantedPlanted',
  '-----END PRIVATE KEY-----',
].join('\n');
const SECRETS = {
  operator: `fh_${'o'.repeat(43)}`,
  login: 'a-login-token-of-no-known-form',
  key: 'cGxhbnRlZCBrZXkgcGxhbnRlZCBrZXkgcGxhbnRlZCE=',
  database: 'hunter2-database',
  environment: 'environment-s3cret',
  logged: `fh_${'l'.repeat(43)}`,
  bearer: 'b'.repeat(40),
  password: 'typed-into-a-log',
};

let folder = '';
let home = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'fumehood-doctor-'));
  home = join(folder, 'home');
  mkdirSync(join(home, 'keys'), { recursive: true, mode: 0o700 });
  chmodSync(home, 0o700);
});
after(() => rmSync(folder, { recursive: true, force: true }));

const CACHE = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
const env = (): NodeJS.ProcessEnv => ({
  PATH: `${join(CACHE, 'fumehood/bin')}:${process.env.PATH}`,
  XDG_CACHE_HOME: CACHE,
  HOME: folder,
  FUMEHOOD_HOME: home,
  FUMEHOOD_LISTEN: '127.0.0.1:0',
  LANG: 'C.UTF-8',
});
const doctor = (words: string[], more: NodeJS.ProcessEnv = {}) =>
  spawnSync(process.execPath, [MAIN, 'doctor', ...words], { env: { ...env(), ...more }, encoding: 'utf8' });

test('a bundle holds versions, checks, configuration and the log, and none of the secrets that were planted', () => {
  writeFileSync(join(home, 'operator.token'), SECRETS.operator, { mode: 0o600 });
  writeFileSync(join(home, 'keys/fumehood.key'), `1 ${SECRETS.key}\n`, { mode: 0o600 });
  writeFileSync(join(home, 'keys/audit-log.pem'), PEM, { mode: 0o600 });
  mkdirSync(join(folder, '.config/fumehood'), { recursive: true });
  writeFileSync(join(folder, '.config/fumehood/login.json'), JSON.stringify({ url: 'http://x', token: SECRETS.login }));
  const logged = [
    'an ordinary line that helps',
    `{"authorization":"Bearer ${SECRETS.bearer}","password":"${SECRETS.password}"}`,
    `token ${SECRETS.logged} and ${SECRETS.login} and ${SECRETS.operator} and ${SECRETS.key} and ${SECRETS.environment}`,
    `postgres://user:${SECRETS.database}@host/db`,
    PEM,
  ];
  writeFileSync(join(home, 'control.log'), logged.join('\n'));
  const file = join(folder, 'bundle.tar.gz');
  const done = doctor(['--bundle', file, '--plain'], {
    FUMEHOOD_DATABASE_URL: `postgres://user:${SECRETS.database}@127.0.0.1:1/db`,
    FUMEHOOD_TOKEN: SECRETS.environment,
    FUMEHOOD_URL: 'http://127.0.0.1:9',
  });
  assert.ok(existsSync(file), done.stderr);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const text = execFileSync('tar', ['xzOf', file], { encoding: 'utf8' });
  for (const [name, secret] of Object.entries(SECRETS)) assert.equal(text.includes(secret), false, name);
  assert.equal(text.includes('Planted'), false);
  for (const kept of [
    'an ordinary line that helps',
    process.version,
    '"database.url"',
    '"(set)"',
    '"id": "clock"',
    'cannot be reached',
  ])
    assert.ok(text.includes(kept), kept);
  assert.notEqual(doctor(['--bundle', file]).status, 0, 'nothing is written over');
});

test('what is no secret stays readable: ids, digests, paths, addresses', () => {
  const text = 'sb-0123456789abcdef0123456789abcdef sha256:ab http://127.0.0.1:3863/api /home/x 192.0.2.1 tokens: 3';
  assert.equal(redact(text, []), text.replace('tokens: 3', 'tokens: "(removed)"'));
});

test('keys and a home that others may read are closed after asking, and what was done is told', () => {
  chmodSync(home, 0o755);
  chmodSync(join(home, 'keys/fumehood.key'), 0o644);
  const asked = doctor(['--fix', '--no-input']);
  assert.equal(asked.status, 2);
  assert.match(asked.stderr, /Close .*\? Nobody can be asked here/);
  assert.equal(statSync(join(home, 'keys/fumehood.key')).mode & 0o777, 0o644, 'nothing is done unasked');
  const done = doctor(['--fix', '--yes']);
  assert.match(done.stdout, /mended: closed .* to others/);
  assert.match(done.stdout, /mended: closed the keys; .*key rotate/);
  assert.equal(statSync(home).mode & 0o777, 0o700);
  assert.equal(statSync(join(home, 'keys/fumehood.key')).mode & 0o777, 0o600);
});

test('missing packages and tools are installed by the steps of the wrapper; what only the owner decides is left alone', () => {
  const missing = (id: string, fix: string): Check => ({
    id,
    title: id,
    state: 'missing',
    found: '',
    consequence: '',
    fix,
    required: true,
  });
  const questions = (checks: Check[]): string[] => mendsFor(checks, { home, env: {} }).map((one) => one.question);
  assert.match(questions([missing('runc', 'apt-get install -y runc')])[0] ?? '', /system packages for runc/);
  assert.match(questions([missing('uv', 'fumehood up (installs it)')])[0] ?? '', /uv/);
  assert.deepEqual(questions([missing('swap', 'swapoff -a, or boot with swapaccount=1')]), []);
  assert.deepEqual(questions([{ ...missing('uv', ''), state: 'ok' }]), []);
});

test('a home counts as dead only when its own folder is gone', () => {
  const list = join(folder, 'homes');
  const run = pathsOf(join(folder, 'gone/driver')).runDir;
  mkdirSync(run, { recursive: true });
  writeFileSync(join(run, 'left'), '');
  mkdirSync(list);
  const note = (stateDir: string): void => writeFileSync(join(list, pathsOf(stateDir).homeId), stateDir);
  note(join(home, 'driver'));
  note(join(folder, 'gone/driver'));
  writeFileSync(join(list, '0123456789ab'), join(folder, 'forged/driver'));
  writeFileSync(join(list, 'no-id'), '/');
  const dead = deadHomes(list).map((one) => one.stateDir);
  rmSync(run, { recursive: true });
  assert.deepEqual(dead, [join(folder, 'gone/driver')]);
  assert.deepEqual(deadHomes(list), [], 'empty folders are nothing');
  assert.equal(HOMES, '/run/fumehood/homes');
});
