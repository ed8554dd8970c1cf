/** Who gets a GPU, and who does not, on a host that is a tree of files; processes, claims and the helper are real. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { AppError } from '#kernel/errors.ts';
import type { Gpu } from '../driver.ts';
import { HARMLESS, makeGpuHost, uuidOf } from './gpu-fixture.ts';
import { findGpus } from './gpu-host.ts';
import { createGpus, type Gpus, type Holder } from './gpus.ts';
import { createHelper, type Helper } from './helper-client.ts';

const PYTHON_DIR = join(import.meta.dirname, '../../../python');

describe('GPUs', () => {
  let root = '';
  let helper: Helper;
  let cleared: number[] = [];
  let clear = async (gpu: Gpu): Promise<void> => void cleared.push(gpu.index);
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'fumehood-gpus-'));
    makeGpuHost(root, [HARMLESS.full, HARMLESS.urandom]);
    helper = createHelper({ pythonDir: PYTHON_DIR, python: '/usr/bin/python3', log: () => undefined });
    cleared = [];
    clear = async (gpu) => void cleared.push(gpu.index);
  });
  afterEach(() => {
    helper.close();
    rmSync(root, { recursive: true, force: true });
  });
  /** Of one home; what other processes of the machine have open of the harmless devices is nobody's business. */
  const home = (homeId: string, ours: () => number[] = () => []): Gpus =>
    createGpus({
      homeId,
      folder: join(root, 'claims'),
      find: () => findGpus(root),
      holders: async ({ major, minor }) =>
        ((await helper.ask('holders', { major, minor })).ok as Holder[]).filter(({ pid }) => ours().includes(pid)),
      clear: (gpu) => clear(gpu),
      log: () => undefined,
    });
  const indexes = async (taking: ReturnType<Gpus['take']>): Promise<number[]> =>
    (await taking).gpus.map(({ index }) => index);
  const refused = (code: string, message: RegExp) => (error: unknown) =>
    error instanceof AppError && error.code === code && message.test(error.message);

  it('are handed out whole, one sandbox at a time, whatever home it is of, and cleared before', async () => {
    const [one, other] = [home('aaaaaaaaaaaa'), home('bbbbbbbbbbbb')];
    const granted = await one.take('sb-1', 1);
    assert.deepEqual(
      granted.nodes.map(({ path }) => path),
      ['/dev/nvidiactl', '/dev/nvidia-uvm', '/dev/nvidia0'],
    );
    assert.deepEqual(await indexes(other.take('sb-2', 1)), [1]);
    assert.deepEqual(cleared, [0, 1]);
    assert.deepEqual(one.count(), { total: 2, used: 2 });
    await assert.rejects(one.take('sb-3', 1), refused('unavailable', /^1 GPU was asked for; of this host's 2, 0 can/));
    one.free('sb-2');
    await assert.rejects(one.take('sb-3', 1), AppError, "a home frees nothing of another's");
    other.free('sb-2');
    other.free('sb-2');
    assert.deepEqual(await indexes(one.take('sb-3', 1)), [1]);
  });

  it('are all there or none: what was taken before the last one was missing is free again', async () => {
    const gpus = home('aaaaaaaaaaaa');
    await gpus.take('sb-1', 1);
    await assert.rejects(gpus.take('sb-2', 2), refused('unavailable', /^2 GPUs were asked for; .* 1 can be had now/));
    await assert.rejects(gpus.take('sb-2', 3), refused('capability_missing', /this host has 2 to hand out/));
    assert.deepEqual(readdirSync(join(root, 'claims')), [uuidOf(0)]);
    assert.deepEqual(cleared, [0], 'nothing is touched for a refusal');
    gpus.free('sb-1');
    const both = await Promise.allSettled([gpus.take('sb-3', 2), gpus.take('sb-4', 2)]);
    assert.deepEqual(
      both.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
  });

  it('stay whose they are when the control plane is started anew, and are found when nobody keeps them', async () => {
    const before = home('aaaaaaaaaaaa');
    await before.take('sb-1', 1);
    await before.take('sb-2', 1);
    assert.deepEqual(before.inventory({ keep: new Set(), remove: true }), [], 'of those that it starts none is lost');
    const after = home('aaaaaaaaaaaa');
    await assert.rejects(after.take('sb-3', 1), AppError);
    assert.deepEqual(home('bbbbbbbbbbbb').inventory({ keep: new Set(), remove: true }), []);
    const keep = new Set(['sb-1']);
    assert.deepEqual(after.inventory({ keep, remove: false }), [{ kind: 'gpu', what: uuidOf(1) }]);
    assert.deepEqual(after.inventory({ keep, remove: true }), []);
    assert.deepEqual(await indexes(after.take('sb-3', 1)), [1]);
  });

  it('that a process of the host has open are passed over, and refused when there is no other', async () => {
    const holding = spawn('sh', ['-c', 'exec 5<>/dev/full; echo open; exec sleep 60']);
    await once(holding.stdout, 'data');
    const gpus = home('aaaaaaaaaaaa', () => [holding.pid ?? 0]);
    try {
      assert.deepEqual(await indexes(gpus.take('sb-1', 1)), [1]);
      await assert.rejects(gpus.take('sb-2', 1), refused('unavailable', /0 can be had now/));
    } finally {
      holding.kill();
      await once(holding, 'exit');
    }
    assert.deepEqual(await indexes(gpus.take('sb-2', 1)), [0]);
  });

  it('that cannot be cleared are given to nobody', async () => {
    const gpus = home('aaaaaaaaaaaa');
    clear = async () => {
      throw new AppError('unavailable', 'The memory of GPU 0 could not be cleared.');
    };
    await assert.rejects(gpus.take('sb-1', 2), refused('unavailable', /could not be cleared/));
    assert.deepEqual(readdirSync(join(root, 'claims')), []);
  });

  it('are free again when nobody could tell who has them open', async () => {
    const gpus = home('aaaaaaaaaaaa');
    helper.close();
    await assert.rejects(gpus.take('sb-1', 1), AppError);
    assert.deepEqual(readdirSync(join(root, 'claims')), []);
  });

  it('are refused when a node or a library went after the host was looked at', async () => {
    rmSync(join(root, 'dev/nvidia-uvm'));
    await assert.rejects(home('aaaaaaaaaaaa').take('sb-1', 1), refused('capability_missing', /not all there/));
    assert.deepEqual(readdirSync(join(root, 'claims')), []);
  });
});
