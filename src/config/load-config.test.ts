import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { loadConfig } from './load-config.ts';
import { KEY_NAMES, variableOf } from './schema.ts';

let cwd = '';
let user = '';
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'fumehood-config-'));
  user = join(cwd, 'xdg', 'fumehood');
  mkdirSync(user, { recursive: true });
});
afterEach(() => rmSync(cwd, { recursive: true }));

const load = (flags = {}, env = {}) =>
  loadConfig({ home: '/h', flags, env: { XDG_CONFIG_HOME: join(cwd, 'xdg'), ...env }, cwd });

test('flag beats environment beats ./fumehood.yaml beats the user file beats the default, each named with its place', () => {
  writeFileSync(join(cwd, 'fumehood.yaml'), 'log:\n  level: debug\nlisten: 127.0.0.1:1\n');
  writeFileSync(join(user, 'config.yaml'), 'listen: 127.0.0.1:2\nsandbox.maxTtl: 2d\n');
  const all = load({ listen: '127.0.0.1:4' }, { FUMEHOOD_LISTEN: '127.0.0.1:3' });
  assert.deepEqual(
    all.candidates.get('listen')?.map(({ value, origin }) => [value, origin.where]),
    [
      ['127.0.0.1:4', '--listen'],
      ['127.0.0.1:3', 'FUMEHOOD_LISTEN'],
      ['127.0.0.1:1', `${join(cwd, 'fumehood.yaml')}:3`],
      ['127.0.0.1:2', `${join(user, 'config.yaml')}:1`],
      ['127.0.0.1:3863', 'default'],
    ],
  );
  assert.equal(all.settings['log.level'], 'debug');
  assert.equal(all.settings['sandbox.maxTtl'], 2 * 86_400_000);
  assert.equal(all.settings['sandbox.defaults.memory'], 2 * 2 ** 30);
});

test('an unknown key stops with file and line, and says what may be meant', () => {
  writeFileSync(join(cwd, 'fumehood.yaml'), 'listen: 127.0.0.1:1\nsandbox:\n  maxttl: 1d\n');
  assert.throws(load, (error: Error & { hint: string }) => {
    assert.equal(error.message, `${join(cwd, 'fumehood.yaml')}:3: there is no key "sandbox.maxttl"`);
    assert.match(error.hint, /sandbox\.maxTtl/);
    return true;
  });
});

test('a wrong value stops with file and line, or the variable, also where a stronger value would win', () => {
  writeFileSync(join(user, 'config.yaml'), 'pool:\n  networks: many\n');
  assert.throws(() => load({ 'pool.networks': '3' }), /config\.yaml:2: pool\.networks/);
  writeFileSync(join(user, 'config.yaml'), '');
  assert.throws(() => load({}, { FUMEHOOD_SANDBOX_MAX_TTL: 'soon' }), /FUMEHOOD_SANDBOX_MAX_TTL: sandbox\.maxTtl/);
});

test('a file that is not YAML, or half of a TLS pair, stops', () => {
  writeFileSync(join(cwd, 'fumehood.yaml'), 'listen: [\n');
  assert.throws(load, /fumehood\.yaml:\d+: is not YAML/);
  writeFileSync(join(cwd, 'fumehood.yaml'), 'tls:\n  cert: a.pem\n');
  assert.throws(load, /belong together/);
});

test('every default fits its own schema, and every key has its own variable', () => {
  assert.equal(Object.keys(load().settings).length, KEY_NAMES.length);
  assert.equal(new Set(KEY_NAMES.map(variableOf)).size, KEY_NAMES.length);
});
