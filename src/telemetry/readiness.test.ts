import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createReadiness } from './readiness.ts';

function world(checks: Parameters<typeof createReadiness>[0]['checks'], timeoutMs = 5000) {
  const logged: string[] = [];
  let nowMs = 0;
  const ready = createReadiness({
    checks,
    clock: { nowMs: () => nowMs },
    log: (_level, message, fields) => void logged.push(`${message} ${fields?.check}`),
    timeoutMs,
  });
  return {
    ready,
    logged,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

test('the answer names the check that failed, the log says why, once until it mends', async () => {
  let broken = true;
  const { ready, logged, pass } = world({
    store: () => undefined,
    driver: async () => {
      if (broken) throw new Error('the disk is full at /secret/path');
    },
  });
  for (let at = 0; at < 3; at += 1) {
    const answer = await ready();
    assert.deepEqual(answer, { ready: false, checks: { store: 'ok', driver: 'failed' } });
    assert.doesNotMatch(JSON.stringify(answer), /secret/);
    pass(2000);
  }
  assert.deepEqual(logged, ['not ready driver']);
  broken = false;
  assert.equal((await ready()).ready, true);
});

test('whoever asks without end causes one look a second', async () => {
  let looks = 0;
  const { ready, pass } = world({
    store: () => {
      looks += 1;
    },
  });
  await Promise.all(Array.from({ length: 100 }, () => ready()));
  assert.equal(looks, 1);
  pass(1000);
  await ready();
  assert.equal(looks, 2);
});

test('a check that never ends has failed', async () => {
  const { ready } = world({ store: () => new Promise<void>(() => undefined) }, 20);
  assert.deepEqual(await ready(), { ready: false, checks: { store: 'failed' } });
});
