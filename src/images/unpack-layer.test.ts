import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createBudget } from './budget.ts';
import { readTar } from './tar.ts';
import { streamOf, type TestEntry, tarOf } from './test-layout.ts';
import { unpackLayer } from './unpack-layer.ts';

describe('layers of an image', () => {
  let folder = '';
  let root = '';
  let outside = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fumehood-layer-'));
    [root, outside] = [join(folder, 'root'), join(folder, 'outside')];
    for (const path of [root, outside]) mkdirSync(path);
    writeFileSync(join(outside, 'secret'), 'secret');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const unpack = (entries: readonly TestEntry[], most = 10_000_000) =>
    unpackLayer(root, readTar(streamOf(tarOf(entries))), createBudget({ bytes: most, entries: 1000 }));
  const at = (path: string): string => join(root, path);
  const untouched = (): void => {
    assert.deepEqual(readdirSync(outside), ['secret']);
    assert.equal(readFileSync(join(outside, 'secret'), 'utf8'), 'secret');
    assert.deepEqual(readdirSync(folder).sort(), ['outside', 'root']);
  };

  it('gives files with their content, times and whether they are programs, and nothing else of their mode', async () => {
    await unpack([
      { name: './usr/', type: '5', mode: 0o700 },
      { name: './usr/data', content: 'x'.repeat(3000), mode: 0o600, mtime: 1_000_000 },
      { name: './usr/sudo', content: 'root', mode: 0o6755 },
      { name: './usr/also-data', type: '1', linkName: 'usr/data' },
      { name: './usr/link', type: '2', linkName: 'data' },
    ]);
    assert.equal(readFileSync(at('usr/link'), 'utf8').length, 3000);
    assert.equal(statSync(at('usr/data')).mtimeMs, 1_000_000_000);
    const modes = ['usr', 'usr/data', 'usr/sudo'].map((path) => statSync(at(path)).mode & 0o7777);
    assert.deepEqual(modes, [0o755, 0o644, 0o755]);
    assert.equal(statSync(at('usr/also-data')).ino, statSync(at('usr/data')).ino);
  });

  it('takes over no device, FIFO, owner or extended attribute', async () => {
    await unpack([
      { name: 'dev/sda', type: '4' },
      { name: 'dev/mem', type: '3' },
      { name: 'pipe', type: '6' },
      { name: 'cap', content: 'x', mode: 0o755, pax: { 'SCHILY.xattr.security.capability': 'raw', uid: '4242' } },
    ]);
    assert.deepEqual(readdirSync(at('dev')), []);
    assert.equal(existsSync(at('pipe')), false);
    assert.equal(statSync(at('cap')).uid, process.getuid?.());
  });

  it('takes long names as pax and as GNU tar write them', async () => {
    const long = `${'deep/'.repeat(30)}file`;
    await unpack([
      { name: 'short', content: '1', pax: { path: `${long}-pax` } },
      { name: '././@LongLink', type: 'L', content: `${long}-gnu\0` },
      { name: 'short', content: '2' },
    ]);
    assert.deepEqual([readFileSync(at(`${long}-pax`), 'utf8'), readFileSync(at(`${long}-gnu`), 'utf8')], ['1', '2']);
  });

  it('hides what lower layers have by whiteouts, and nothing of its own layer', async () => {
    await unpack([
      { name: 'a/old', content: '1' },
      { name: 'a/kept', content: '1' },
      { name: 'b/old', content: '1' },
      { name: 'c', content: '1' },
    ]);
    await unpack([
      { name: 'b/new', content: '2' },
      { name: 'b/sub/new', content: '2' },
      { name: 'b/.wh..wh..opq' },
      { name: 'a/.wh.old' },
      { name: '.wh.c' },
      { name: 'd', content: '2' },
      { name: '.wh.d' },
      { name: '.wh..wh.plnk', type: '5' },
    ]);
    assert.deepEqual(readdirSync(root).sort(), ['a', 'b', 'd']);
    assert.deepEqual(readdirSync(at('a')), ['kept']);
    assert.deepEqual(readdirSync(at('b')).sort(), ['new', 'sub']);
  });

  it('lets a later entry take the place of an earlier one of any kind', async () => {
    await unpack([
      { name: 'x/y', content: '1' },
      { name: 'l', type: '2', linkName: 'x' },
    ]);
    await unpack([
      { name: 'x', content: 'file now' },
      { name: 'l', type: '5' },
    ]);
    assert.equal(readFileSync(at('x'), 'utf8'), 'file now');
    assert.equal(lstatSync(at('l')).isDirectory(), true);
  });

  it('keeps what is written through links inside of the root', async () => {
    await unpack([
      { name: 'abs', type: '2', linkName: outside },
      { name: 'up', type: '2', linkName: '../../../../../../..' },
      { name: 'abs/planted', content: 'x' },
      { name: 'up/planted', content: 'x' },
      { name: 'final', type: '2', linkName: join(outside, 'secret') },
      { name: 'final', content: 'over' },
    ]);
    untouched();
    assert.equal(readFileSync(join(root, outside, 'planted'), 'utf8'), 'x');
    assert.equal(readFileSync(at('planted'), 'utf8'), 'x');
    assert.equal(lstatSync(at('final')).isFile(), true);
  });

  const refused: [string, TestEntry[], RegExp][] = [
    ['a name that climbs', [{ name: '../outside/x', content: 'x' }], /climbs/],
    ['a name that climbs in the middle', [{ name: 'a/../../outside/x', content: 'x' }], /climbs/],
    ['an absolute name', [{ name: '/tmp/x', content: 'x' }], /absolute/],
    [
      'a name that climbs in an extended header',
      [{ name: 'x', content: 'x', pax: { path: '../outside/x' } }],
      /climbs/,
    ],
    ['a name with a NUL', [{ name: 'x', content: 'x', pax: { path: 'a\0b' } }], /NUL/],
    ['a hard link to a file outside', [{ name: 'x', type: '1', linkName: '../outside/secret' }], /climbs/],
    ['a hard link by an absolute name', [{ name: 'x', type: '1', linkName: '/etc/passwd' }], /nothing that is in it/],
    [
      'a hard link through a link',
      [
        { name: 'l', type: '2', linkName: '../outside' },
        { name: 'x', type: '1', linkName: 'l/secret' },
      ],
      /nothing that is in it/,
    ],
    ['a whiteout of the folder above', [{ name: 'a/.wh...', content: '' }], /names no file/],
    ['a whiteout of nothing', [{ name: 'a/.wh.', content: '' }], /names no file/],
    ['a sparse file of GNU tar', [{ name: 'x', type: 'S', size: 0 }], /type "S"/],
    ['a sparse file of pax', [{ name: 'x', content: 'x', pax: { 'GNU.sparse.major': '1' } }], /sparse/],
    ['an entry that announces more than may be', [{ name: 'x', size: 8 ** 11 - 1 }], /too large/],
    ['a size that is no number', [{ name: 'x', pax: { size: '1e30' } }], /size/],
    ['an archive that ends in a file', [{ name: 'x', content: 'x', size: 100_000 }], /too early/],
    ['a link to nowhere', [{ name: 'x', type: '2' }], /points nowhere/],
    [
      'a folder below a file',
      [
        { name: 'x', content: 'x' },
        { name: 'x/y', content: 'x' },
      ],
      /file where a folder/,
    ],
    [
      'links in a circle',
      [
        { name: 'a', type: '2', linkName: 'b' },
        { name: 'b', type: '2', linkName: 'a' },
        { name: 'a/x', content: 'x' },
      ],
      /circle/,
    ],
    ['names that are too deep', [{ name: 'x', content: 'x', pax: { path: 'a/'.repeat(500) } }], /too deep/],
    ['more entries than may be', Array.from({ length: 1001 }, (_, n) => ({ name: `f${n}` })), /more than 1000 files/],
  ];
  for (const [what, entries, reason] of refused) {
    it(`refuses ${what}, and touches nothing outside`, async () => {
      await assert.rejects(unpack(entries), reason);
      untouched();
    });
  }

  it('refuses an archive whose header was changed', async () => {
    const bytes = tarOf([{ name: 'x', content: 'x' }]);
    bytes[0] = 0x79;
    await assert.rejects(unpackLayer(root, readTar(streamOf(bytes)), createBudget({ bytes: 1e6 })), /checksum/);
  });

  it('does not follow a link of the archive when it sets times', async () => {
    const before = statSync(join(outside, 'secret')).mtimeMs;
    await unpack([{ name: 'x', type: '2', linkName: join(outside, 'secret'), mtime: 5 }]);
    assert.equal(statSync(join(outside, 'secret')).mtimeMs, before);
    assert.equal(readlinkSync(at('x')), join(outside, 'secret'));
  });
});
