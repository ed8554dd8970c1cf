import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { runDriverContract, smallSandbox } from '../contract.ts';
import type { Driver } from '../driver.ts';
import { ociDriver } from './oci-driver.ts';

const home = mkdtempSync(join(tmpdir(), 'fumehood-oci-'));
after(() => rmSync(home, { recursive: true, force: true }));

const driverIn = (name: string): Driver =>
  ociDriver.create({
    stateDir: join(home, name),
    pythonDir: join(import.meta.dirname, '../../../python'),
    log: () => undefined,
    nowMs: Date.now,
    config: {},
  });

runDriverContract('oci', { create: () => driverIn('driver'), real: true });

/** Loop devices whose image lies in this home. */
const loopsOf = (name: string): string[] =>
  readdirSync('/sys/block').filter((device) => {
    try {
      return readFileSync(`/sys/block/${device}/loop/backing_file`, 'utf8').startsWith(join(home, name));
    } catch {
      return false;
    }
  });

test('a loop device that frees itself a moment later is waited for, and one that does not is reported', async () => {
  const driver = driverIn('loops');
  try {
    const [one, other] = [await driver.start(smallSandbox()), await driver.start(smallSandbox())];
    const [first = ''] = loopsOf('loops');
    const held = openSync(`/dev/${first}`, 'r');
    setTimeout(() => closeSync(held), 600);
    const remains = [await driver.destroy(one), await driver.destroy(other)];
    assert.deepEqual(remains, [[], []]);
    const kept = await driver.start(smallSandbox());
    const stuck = openSync(`/dev/${loopsOf('loops')[0]}`, 'r');
    assert.deepEqual(
      (await driver.destroy(kept)).map((one) => one.kind),
      ['loop'],
    );
    closeSync(stuck);
    assert.deepEqual(await driver.destroy(kept), []);
  } finally {
    await driver.inventory({ keep: [], remove: true });
    await driver.close();
  }
});

test('when memory runs out a command is ended before the agent, and so is whatever it starts, from its first moment', async () => {
  const driver = driverIn('scores');
  try {
    const session = await driver.session(await driver.start(smallSandbox()));
    const scores = new Set<string>();
    for (let times = 0; times < 100; times++) {
      const exec = await session.exec({
        argv: ['sh', '-c', 'cat /proc/self/oom_score_adj; true'],
      });
      exec.stdin.end();
      exec.stderr.resume();
      scores.add(await text(exec.stdout));
    }
    const [own = '', ...others] = [...scores];
    assert.deepEqual(others, []);
    // While it starts a command the agent has the command's own.
    const lower =
      'for try in $(seq 100); do [ "$(cat /proc/1/oom_score_adj)" -lt "$1" ] && exit; sleep 0.02; done; exit 1';
    const exec = await session.exec({ argv: ['sh', '-c', lower, 'sh', own.trim()] });
    assert.equal((await exec.result).exitCode, 0, own);
  } finally {
    await driver.inventory({ keep: [], remove: true });
    await driver.close();
  }
});
