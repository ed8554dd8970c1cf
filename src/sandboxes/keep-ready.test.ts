import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StartOptions, Template } from '#src/drivers/driver.ts';
import { createKeepReady, type ReadyLimits } from './keep-ready.ts';

const usual: Template = {
  runtime: 'runc',
  memoryBytes: 1,
  cpus: 1,
  pids: 1,
  diskBytes: 1,
  gpus: 0,
  env: {},
  mounts: [],
  doors: {},
};
let serial = 0;
const withEnvironment = (name: string, change: Partial<Template> = {}): StartOptions => ({
  ...usual,
  sandboxId: `sb-${++serial}`,
  hostname: 'any',
  ownEnv: { ID: String(serial) },
  environmentDir: `/environments/${name}`,
  ...change,
});

function keeping(limits: Partial<ReadyLimits> = {}) {
  const told: string[][] = [];
  const clock = { nowMs: 0 };
  const ready = createKeepReady(
    {
      driver: {
        prepare: async ({ warm }) =>
          void told.push(
            warm.map(({ count, template }) => `${count} ${template.environmentDir?.split('/').at(-1) ?? 'usual'}`),
          ),
      },
      nowMs: () => clock.nowMs,
      onError: assert.ifError,
    },
    usual,
    { networks: 1, workspaces: 1, each: 2, total: 5, forgetMs: 1000, ...limits },
  );
  return { ready, told, clock };
}

test('the usual kind comes first, then what was asked for last, and never more than the total', async () => {
  const { ready, told, clock } = keeping();
  await ready.fill();
  for (const name of ['a', 'b', 'c']) {
    clock.nowMs += 1;
    ready.asked(withEnvironment(name));
  }
  assert.deepEqual(told, [['2 usual'], ['2 usual', '2 a'], ['2 usual', '2 b', '1 a'], ['2 usual', '2 c', '1 b']]);
});

test('what is asked for again does not tell the driver again, and what nobody asks for is let go', async () => {
  const { ready, told, clock } = keeping();
  await ready.fill();
  ready.asked(withEnvironment('a'));
  ready.asked(withEnvironment('a'));
  ready.look();
  assert.equal(told.length, 2);
  clock.nowMs = 1001;
  ready.look();
  ready.look();
  assert.deepEqual(told.slice(2), [['2 usual']]);
});

test('what mounts data, has an image or no environment is not remembered, and nothing is when nothing is to be kept', async () => {
  const { ready, told } = keeping();
  await ready.fill();
  ready.asked({ ...usual, sandboxId: 'sb-x', hostname: 'x', memoryBytes: 7 });
  ready.asked(withEnvironment('a', { mounts: [{ source: '/x', target: '/data/x' }] }));
  assert.equal(told.length, 1);
  const none = keeping({ each: 0 });
  await none.ready.fill();
  none.ready.asked(withEnvironment('a'));
  assert.deepEqual(none.told, [['0 usual']]);
});
