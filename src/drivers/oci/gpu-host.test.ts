/** What is found of GPUs, and what mends what is not, in a tree that is not the machine's. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { gpuChecks } from './gpu-checks.ts';
import { HARMLESS, makeGpuHost, uuidOf, VERSION } from './gpu-fixture.ts';
import { findGpus, numbersOf } from './gpu-host.ts';

describe('the GPUs of a host', () => {
  let root = '';
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'fumehood-gpu-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const two = (): void => makeGpuHost(root, [HARMLESS.full, HARMLESS.urandom]);
  const lacking = (): string[] =>
    gpuChecks(findGpus(root), true, root)
      .filter(({ state }) => state !== 'ok')
      .map(({ id, found, fix }) => `${id}: ${found}; ${fix}`);

  it('are listed by their nodes, with what the driver says of them and where its files are', () => {
    two();
    const host = findGpus(root);
    assert.deepEqual(
      host.gpus,
      [0, 1].map((index) => ({ index, uuid: uuidOf(index), model: 'NVIDIA H200' })),
    );
    assert.equal(host.version, VERSION);
    assert.deepEqual(
      host.nodes.map(({ path, major, minor }) => [path, major, minor]),
      [
        ['/dev/nvidiactl', 1, 3],
        ['/dev/nvidia-uvm', 1, 5],
        ['/dev/nvidia0', 1, 7],
        ['/dev/nvidia1', 1, 9],
      ],
    );
    assert.equal(host.libraries[0]?.source, join(root, `usr/local/nvidia/lib64/libcuda.so.${VERSION}`));
    assert.equal(host.tool?.source, join(root, 'usr/bin/nvidia-smi'));
    assert.deepEqual(
      lacking().filter((line) => !line.startsWith('gpu-control')),
      [],
    );
  });

  it('are not handed out until that is switched on', () => {
    two();
    const [, off] = gpuChecks(findGpus(root), false, root);
    assert.deepEqual(
      [off?.id, off?.state, off?.fix],
      ['gpu-switch', 'missing', 'fumehood config set sandbox.gpus true'],
    );
  });

  it('are none where there is no driver, and that is one line', () => {
    assert.deepEqual(lacking(), ['gpu: none; ']);
    two();
    rmSync(join(root, 'proc'), { recursive: true });
    assert.deepEqual(lacking(), ['gpu: the driver is not loaded; modprobe nvidia-uvm']);
  });

  it('are not handed out without their nodes, or with nodes that not all users may open', () => {
    two();
    chmodSync(join(root, 'dev/nvidia1'), 0o660);
    assert.match(lacking().join(), /^gpu-nodes: \/dev\/nvidia1: .*; chmod 0666 \/dev\/nvidia1$/);
    rmSync(join(root, 'dev/nvidia-uvm'));
    assert.match(lacking().join(), /^gpu-nodes: \/dev\/nvidia-uvm, \/dev\/nvidia1: .*; nvidia-modprobe -u -c 0$/);
    writeFileSync(join(root, 'dev/nvidia-uvm'), '', { mode: 0o666 });
    assert.deepEqual(findGpus(root).missingNodes, ['/dev/nvidia-uvm', '/dev/nvidia1'], 'a file is no device');
  });

  it('need the libraries of the very version of the driver, wherever the loader is told to look', () => {
    two();
    const folder = join(root, 'usr/local/nvidia/lib64');
    renameSync(join(folder, `libcuda.so.${VERSION}`), join(folder, 'libcuda.so.570.1'));
    assert.match(lacking().join(), /^gpu-libraries: libcuda.so.1: .*; apt-get install -y libnvidia-compute-580$/);
    renameSync(join(folder, 'libcuda.so.570.1'), join(folder, `libcuda.so.${VERSION}`));
    mkdirSync(join(root, 'opt/driver'), { recursive: true });
    renameSync(folder, join(root, 'opt/driver/lib'));
    assert.equal(findGpus(root).missingLibraries.length, 4);
    mkdirSync(join(root, 'etc/ld.so.conf.d'), { recursive: true });
    writeFileSync(join(root, 'etc/ld.so.conf.d/driver.conf'), '# of the driver\n/opt/driver/lib\n');
    assert.deepEqual(findGpus(root).missingLibraries, []);
  });

  it('need the tool itself, and not a script around it', () => {
    two();
    writeFileSync(join(root, 'usr/bin/nvidia-smi'), '#!/bin/sh\nexec /opt/nvidia-smi "$@"\n', { mode: 0o755 });
    assert.match(lacking().join(), /^gpu-tool: .*; apt-get install -y nvidia-utils-580$/);
  });

  it('are left out while they are divided, or were never started; the others are handed out', () => {
    two();
    mkdirSync(join(root, 'proc/driver/nvidia/capabilities/gpu0/mig/gi3'));
    assert.deepEqual(
      findGpus(root).gpus.map(({ index }) => index),
      [1],
    );
    const information = join(root, 'proc/driver/nvidia/gpus/0000:00:07.0/information');
    writeFileSync(
      information,
      'Model: \t\t Unknown\nGPU UUID: \t GPU-????????-????-????-????-????????????\nDevice Minor: \t 1\n',
    );
    const [check] = gpuChecks(findGpus(root), true, root);
    assert.equal(check?.state, 'missing');
    assert.equal(check?.found, 'GPU 0 is divided into instances (MIG), GPU 1 was not started yet');
    assert.equal(check?.fix, 'nvidia-smi -pm 1');
  });

  it('have their numbers read as the kernel packs them', () => {
    assert.deepEqual(numbersOf(0xc3ff), { major: 195, minor: 255 });
    assert.deepEqual(numbersOf(0x10ee02), { major: 238, minor: 258 });
  });
});
