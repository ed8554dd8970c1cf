/** The program that clears a GPU, on a real one. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { createClearGpu } from './clear-gpu.ts';
import { findGpus } from './gpu-host.ts';

const { gpus, libraries } = findGpus();

test('nearly all memory of a GPU is overwritten, of the one that was meant; anything else is a failure', {
  skip: gpus.length === 0 ? 'this needs an NVIDIA GPU' : false,
}, async () => {
  const [gpu, library] = [gpus[0], libraries[0]?.source];
  assert.ok(gpu !== undefined && library !== undefined);
  const clear = createClearGpu({
    python: '/usr/bin/python3',
    pythonDir: join(import.meta.dirname, '../../../python'),
    timeoutMs: 60_000,
  });
  const query = ['-i', gpu.uuid, '--query-gpu=memory.total', '--format=csv,noheader,nounits'];
  const total = Number(execFileSync('nvidia-smi', query, { encoding: 'utf8' })) * 2 ** 20;
  const bytes = await clear(gpu, library);
  assert.ok(bytes > 0.95 * total && bytes <= total, `${bytes} of ${total}`);
  const other = { ...gpu, uuid: 'GPU-00000000-0000-0000-0000-000000000000' };
  await assert.rejects(clear(other, library), { code: 'unavailable', message: /could not be cleared/ });
  await assert.rejects(clear(gpu, '/usr/lib/no-such-library.so'), { code: 'unavailable' });
});
