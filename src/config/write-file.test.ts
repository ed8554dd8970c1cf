import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { loadConfig } from './load-config.ts';
import { setInFile, unsetInFile } from './write-file.ts';

describe('a file of configuration that is changed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-config-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'fumehood.yaml');
  const settings = () => loadConfig({ home: folder, env: { HOME: folder }, cwd: folder }).settings;

  it('is made for its owner alone, and holds what was typed', () => {
    setInFile(path, 'sandbox.maxTtl', '1 h 30 min');
    setInFile(path, 'sandbox.defaults.memory', '64 MiB');
    setInFile(path, 'pool.warm', '3');
    setInFile(path, 'metrics.public', 'yes');
    setInFile(path, 'hosts', 'a.example,b.example');
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const { 'sandbox.maxTtl': ttl, 'sandbox.defaults.memory': memory, 'pool.warm': warm, hosts } = settings();
    assert.deepEqual([ttl, memory, warm, hosts], [5_400_000, 64 * 2 ** 20, 3, ['a.example', 'b.example']]);
    assert.match(readFileSync(path, 'utf8'), /maxTtl: 1 h 30 min\n[\s\S]*warm: 3\n[\s\S]*public: true/);
  });

  it('keeps comments, order, dotted keys and its mode', () => {
    writeFileSync(path, '# ours\npool.warm: 1 # few\r\nsandbox:\n  maxTtl: 1h # short\n');
    chmodSync(path, 0o644);
    setInFile(path, 'pool.warm', '2');
    setInFile(path, 'sandbox.maxTtl', '2h');
    const text = readFileSync(path, 'utf8');
    assert.match(text, /^# ours\npool\.warm: 2 # few\nsandbox:\n {2}maxTtl: 2h # short\n$/);
    assert.equal(statSync(path).mode & 0o777, 0o644);
    assert.equal(unsetInFile(path, 'pool.warm'), true);
    assert.equal(unsetInFile(path, 'pool.warm'), false);
    assert.equal(settings()['pool.warm'], 1);
  });

  it('is left alone when the value is none for the key, or the file is not ours to understand', () => {
    const before = readFileSync(path, 'utf8');
    assert.throws(() => setInFile(path, 'sandbox.maxTtl', 'soon'), /sandbox\.maxTtl: "soon" is not a time span/);
    assert.throws(() => setInFile(path, 'pool.warm', 'many'), { code: 'invalid' });
    assert.equal(readFileSync(path, 'utf8'), before);
    for (const text of ['- a\n- b\n', 'a: [1\n', 'pool: 4\n']) {
      writeFileSync(path, text);
      assert.throws(() => setInFile(path, 'pool.warm', '2'), /fumehood\.yaml/, text);
      assert.equal(readFileSync(path, 'utf8'), text);
    }
    mkdirSync(join(folder, 'folder'));
    assert.throws(() => setInFile(join(folder, 'folder'), 'pool.warm', '2'), /cannot be read \(EISDIR\)/);
  });
});
