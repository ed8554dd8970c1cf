import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createKeyedMutex } from '#kernel/keyed-mutex.ts';
import { ROOT_FILES, ROOT_FOLDERS } from '#src/drivers/driver.ts';
import { createImageFiles, type ImageFiles, type ImageFilesDeps } from './image-files.ts';
import {
  type LayoutOptions,
  layoutOf,
  pythonLink,
  pythonStub,
  streamOf,
  type TestEntry,
  tarOf,
} from './test-layout.ts';

describe('unpacked images', () => {
  let home = '';
  let folder = '';
  let used: Set<string>;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'fumehood-images-'));
    folder = join(home, 'images');
    used = new Set();
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  const open = (change: Partial<ImageFilesDeps> = {}): ImageFiles =>
    createImageFiles({
      folder,
      mutex: createKeyedMutex(),
      arch: process.arch,
      interpreter: '/usr/bin/python3.12',
      largestBytes: 2_000_000,
      cacheBytes: 4_000_000,
      inUse: async (digest) => used.has(digest),
      ...change,
    });
  const withPython = (...more: TestEntry[]): Buffer => tarOf([pythonStub, pythonLink, ...more]);
  const by = { owner: 'ada', name: 'test', nowMs: 1 };
  const add = (files: ImageFiles, layers: Buffer[], options: LayoutOptions = {}) =>
    files.add(streamOf(layoutOf(layers, options).tar), by);
  const left = (): string[] => (existsSync(folder) ? readdirSync(folder) : []);

  for (const compression of ['none', 'gzip', 'zstd'] as const)
    for (const docker of [false, true])
      it(`takes ${docker ? "Docker's" : "OCI's"} media types, layers packed by ${compression}`, async () => {
        const files = open();
        const lower = withPython({ name: 'a', content: '1' }, { name: 'b', content: '1' });
        const { image, added } = await add(files, [lower, tarOf([{ name: '.wh.a' }, { name: 'b', content: '2' }])], {
          compression,
          docker,
        });
        assert.equal(added, true);
        const root = files.rootOf(image.digest);
        assert.deepEqual([existsSync(join(root, 'a')), readFileSync(join(root, 'b'), 'utf8')], [false, '2']);
        assert.deepEqual([image.layers, image.python], [2, '/usr/bin/python3']);
      });

  it('is known by the digest of its manifest, and unpacked once', async () => {
    const { tar, digest } = layoutOf([withPython()]);
    const files = open();
    assert.deepEqual((await files.add(streamOf(tar), by)).image.digest, digest);
    const again = await files.add(streamOf(tar), { ...by, owner: 'eve', name: 'other' });
    assert.deepEqual([again.added, again.image.owner], [false, 'ada']);
    assert.deepEqual(left(), [digest.slice('sha256:'.length)]);
    assert.deepEqual(open().list(), files.list());
  });

  it('gives a root plain places to mount on, whatever the image has there', async () => {
    const files = open();
    const { image } = await add(files, [
      withPython(
        { name: 'etc', type: '2', linkName: '/usr' },
        { name: 'opt', type: '2', linkName: '../../..' },
        { name: 'var/tmp', type: '2', linkName: '/etc' },
      ),
      tarOf([
        { name: 'etc', type: '5' },
        { name: 'etc/hosts', type: '2', linkName: '/etc/shadow' },
        { name: 'etc/passwd/x', content: 'x' },
      ]),
    ]);
    const root = files.rootOf(image.digest);
    for (const path of ROOT_FOLDERS) assert.equal(lstatSync(join(root, path)).isDirectory(), true, path);
    for (const path of ROOT_FILES) assert.equal(lstatSync(join(root, path)).isFile(), true, path);
    assert.equal(files.fitsEnvironments(image.digest), true);
  });

  it('keeps of the variables what a shell could set, apart from the search path', async () => {
    const env = [
      'PATH=/opt/bin:relative:/usr/bin',
      'LD_PRELOAD=/evil.so',
      'A=1=2',
      'B-C=1',
      '=x',
      'FUMEHOOD_AGENT={}',
      'novalue',
    ];
    const { image } = await add(open(), [withPython()], { env, workingDir: '/srv' });
    assert.deepEqual(image.env, { LD_PRELOAD: '/evil.so', A: '1=2' });
    assert.deepEqual([image.searchPath, image.workingDir], [['/opt/bin', '/usr/bin'], '/srv']);
  });

  const lie = (pick: RegExp) => (files: Map<string, Buffer>) => {
    for (const [name, bytes] of files)
      if (pick.test(name) && bytes.length > 0 && bytes[0] === 0x1f)
        files.set(name, Buffer.concat([bytes.subarray(0, -1), Buffer.from([bytes.at(-1) === 0 ? 1 : 0])]));
  };
  const refused: [string, Buffer[], LayoutOptions, RegExp][] = [
    ['a layer whose bytes were changed', [withPython()], { change: lie(/^blobs/) }, /has another digest/],
    [
      'a layer whose content is not what the configuration says',
      [withPython()],
      { diffIds: [`sha256:${'0'.repeat(64)}`] },
      /not what the configuration says/,
    ],
    ['other numbers of layers in configuration and manifest', [withPython()], { diffIds: [] }, /different numbers/],
    [
      'a missing blob',
      [withPython()],
      { change: (files) => void files.delete([...files.keys()][1] ?? '') },
      /is not in it/,
    ],
    ['an image for another machine', [withPython()], { architecture: 'riscv64' }, /made for linux\/riscv64/],
    ['an image without Python', [tarOf([{ name: 'a', content: '1' }])], {}, /no Python/],
    [
      'a Python that is a script',
      [tarOf([{ name: 'usr/bin/python3', content: '#!/bin/sh', mode: 0o755 }])],
      {},
      /no Python/,
    ],
    [
      'a Python that is a link to the host',
      [tarOf([{ name: 'usr/bin/python3', type: '2', linkName: process.execPath }])],
      {},
      /no Python/,
    ],
    [
      'a Python that is too old',
      [
        tarOf([
          { ...pythonStub, name: 'usr/bin/python3.8' },
          { ...pythonLink, linkName: 'python3.8' },
        ]),
      ],
      {},
      /no Python/,
    ],
    [
      'a layer that is too large unpacked',
      [withPython({ name: 'zeros', content: Buffer.alloc(3_000_000) })],
      {},
      /too large/,
    ],
    [
      'a layout without an index',
      [withPython()],
      { change: (files) => void files.delete('index.json') },
      /no index\.json/,
    ],
    [
      'an index that is no JSON',
      [withPython()],
      { change: (files) => void files.set('index.json', Buffer.from('{')) },
      /not JSON/,
    ],
    [
      'a digest that climbs',
      [withPython()],
      {
        change: (files) =>
          void files.set('index.json', Buffer.from('{"manifests":[{"digest":"sha256:../../../etc/passwd","size":1}]}')),
      },
      /sha256 digest/,
    ],
    [
      'a blob that is no digest',
      [withPython()],
      { change: (files) => void files.set('blobs/sha256/evil', Buffer.from('x')) },
      /not named by a sha256/,
    ],
    ['too many layers', Array.from({ length: 129 }, () => withPython()), {}, /128 layers/],
  ];
  for (const [what, layers, options, reason] of refused) {
    it(`refuses ${what}, and leaves nothing of it`, async () => {
      await assert.rejects(add(open(), layers, options), reason);
      assert.deepEqual(left(), []);
    });
  }

  it('refuses a layout of several images, naming them, and takes the one for this machine out of many', async () => {
    const two = (platform: string) => (files: Map<string, Buffer>) => {
      const index = JSON.parse(String(files.get('index.json')));
      const [one] = index.manifests;
      const text = JSON.stringify({
        ...JSON.parse(String(files.get(`blobs/sha256/${one.digest.slice(7)}`))),
        annotations: {},
      });
      const other = layoutOf([withPython({ name: 'other', content: text })]);
      index.manifests.push({
        ...one,
        digest: other.digest,
        ...(platform === '' ? {} : { platform: { os: 'linux', architecture: platform } }),
      });
      files.set('index.json', Buffer.from(JSON.stringify(index)));
    };
    await assert.rejects(add(open(), [withPython()], { change: two('') }), /several images/);
    assert.equal((await add(open(), [withPython()], { change: two('riscv64') })).added, true);
  });

  it('refuses an upload that is larger than an image may be while it comes, also one without an end', async () => {
    const endless = (async function* () {
      yield tarOf([{ name: 'junk', size: 8 ** 11 - 1 }]).subarray(0, 512);
      for (;;) yield Buffer.alloc(100_000);
    })();
    await assert.rejects(open().add(endless, by), /larger than/);
    assert.deepEqual(left(), []);
  });

  it('never uses what a killed control plane left half done', async () => {
    mkdirSync(join(folder, '.staging-dead', 'image', 'root'), { recursive: true });
    mkdirSync(join(folder, 'a'.repeat(64), 'root'), { recursive: true });
    const files = open();
    assert.deepEqual([files.list(), files.find(`sha256:${'a'.repeat(64)}`)], [[], undefined]);
    await files.sweep();
    assert.deepEqual(left(), []);
  });

  it('frees the least recently used that no sandbox has; when all are used it refuses', async () => {
    const files = open({ cacheBytes: 3_000_000 });
    const big = (name: string): Buffer[] => [withPython({ name, content: Buffer.alloc(900_000, name) })];
    const digests: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      digests.push((await add(files, big(name))).image.digest);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const [a = '', b = '', c = ''] = digests;
    used.add(a);
    files.rootOf(b);
    const { image } = await add(files, big('d'));
    assert.deepEqual(
      files
        .list()
        .map((one) => one.digest)
        .sort(),
      [a, b, image.digest].sort(),
    );
    for (const digest of [b, image.digest]) used.add(digest);
    await assert.rejects(add(files, big('e')), /leave no room/);
    assert.equal(files.find(c), undefined);
    assert.equal(files.list().length, 3);
  });
});
