/** A GPU as a person has it: asked for by the command line, named in the answer and in the log, nobody else's until it is given back. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { findGpus } from '#src/drivers/oci/gpu-host.ts';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

const { gpus } = findGpus();

type Box = { id: string; state: string; gpus: number; gpuDevices: { index: number; uuid: string; model: string }[] };

describe('GPUs on the command line', { skip: gpus.length === 0 ? 'this needs an NVIDIA GPU' : false }, () => {
  let control: TestControlPlane;
  let officer = '';
  let erin = '';
  before(
    async () => {
      control = await startControlPlane({
        FUMEHOOD_SANDBOX_GPUS: 'true',
        FUMEHOOD_QUOTA_DEFAULTS_GPUS: String(2 * gpus.length + 1),
      });
      officer = await control.user('olga', 'officer');
      erin = await control.user('erin', 'engineer');
    },
    { timeout: 120_000 },
  );
  after(() => control.close());

  it('one is handed out, named, used and given back', { timeout: 120_000 }, async () => {
    const size = ['--memory', '4g', '--disk', '64m', '--gpus', '1'];
    const box = await control.json<Box>(['sandbox', 'create', '--name', 'box', ...size], { token: erin });
    assert.deepEqual(box.gpuDevices, [gpus[0]]);
    const again = await control.json<Box>(['sandbox', 'get', 'box'], { token: erin });
    assert.deepEqual(again.gpuDevices, box.gpuDevices);
    const seen = await control.run(['sandbox', 'exec', 'box', '--', 'nvidia-smi', '-L'], { token: erin });
    assert.match(seen.stdout, new RegExp(gpus[0]?.uuid ?? '-'), seen.stderr);
    const { items } = await control.json<{ items: { object: { id: string }; details: Record<string, unknown> }[] }>(
      ['audit', 'list', '--action', 'sandbox.start', '--limit', '10'],
      { token: officer },
    );
    const started = items.find(({ object }) => object.id === box.id);
    assert.equal(started?.details[`gpu${gpus[0]?.index}`], `${gpus[0]?.uuid} ${gpus[0]?.model}`);
    const all = ['--memory', '4g', '--disk', '64m', '--gpus', String(gpus.length)];
    const refused = await control.run(['sandbox', 'create', ...all], { token: erin });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /asked for; of this host's \d+, \d+ can be had now/);
    assert.equal((await control.run(['sandbox', 'delete', 'box', '--yes'], { token: erin })).code, 0);
    const next = await control.json<Box>(['sandbox', 'create', '--name', 'next', ...all], { token: erin });
    assert.equal(next.gpuDevices.length, gpus.length);
    assert.equal((await control.run(['sandbox', 'delete', 'next', '--yes'], { token: erin })).code, 0);
  });

  it('is not handed out under gVisor, nor by more than there are', { timeout: 120_000 }, async () => {
    const more = await control.run(['sandbox', 'create', '--gpus', String(gpus.length + 1)], { token: erin });
    assert.equal(more.code, 1);
    assert.match(more.stderr, /this host has \d+ to hand out/);
    const gvisor = await control.run(['sandbox', 'create', '--gpus', '1', '--runtime', 'runsc'], { token: erin });
    assert.notEqual(gvisor.code, 0);
  });
});
