/** A control plane whose PostgreSQL hangs, stops and is killed under it, seen from outside. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type PrivatePostgres, startPostgres } from '#src/cli/private-postgres.ts';
import { openCore } from '#src/composition/core.ts';
import { loadConfig } from '#src/config/load-config.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { makeHome, startIn, type TestControlPlane } from '../control-plane.ts';
import { backendsOf } from './backends.ts';
import { until } from './until.ts';

/** Twice the longest answer of the store, a commit that is looked up, and the load of the machine. */
const BOUND_MS = 60_000;

describe('a control plane on a PostgreSQL that fails', () => {
  let folder: string;
  let postgres: PrivatePostgres;
  let control: TestControlPlane;
  let engineer: string;
  let next = 0;
  const acknowledged: string[] = [];
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fumehood-faults-'));
    postgres = await startPostgres({ folder, say: console.log });
    control = await startIn(await makeHome({ FUMEHOOD_DATABASE_URL: postgres.url, FUMEHOOD_DATABASE_TIMEOUT: '2s' }));
    engineer = await control.user('erin', 'engineer');
  });
  after(async () => {
    try {
      await control?.close();
    } finally {
      await postgres?.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  const ask = async (method: string, name: string, body?: unknown): Promise<{ status: number; text: string }> => {
    const answer = await fetch(`${control.doors.vault}/v1/secret/data/${name}`, {
      method,
      headers: { 'x-vault-token': engineer, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(BOUND_MS),
    });
    return { status: answer.status, text: await answer.text() };
  };
  const put = async (): Promise<{ status: number; text: string }> => {
    next += 1;
    const name = `fault-${next}`;
    const answer = await ask('POST', name, { data: { value: name } });
    if (answer.status === 200) acknowledged.push(name);
    return answer;
  };
  const assertWorks = async (): Promise<void> => {
    await until('it works again', async () => (await put()).status === 200);
    for (const name of acknowledged) assert.equal((await ask('GET', name)).status, 200, name);
    const verified = await control.run(['audit', 'verify']);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  };
  const assertRefused = async (): Promise<void> => {
    for (const answer of await Promise.all([put(), put(), ask('GET', 'fault-1')])) {
      assert.equal(answer.status, 503, answer.text);
      assert.match(answer.text, /state store|not known whether/);
    }
  };

  it('holds no connection any longer when a start on the store is refused', async () => {
    const home = join(folder, 'foreign');
    const env = { FUMEHOOD_DATABASE_URL: postgres.url };
    const { settings } = loadConfig({ home, env, cwd: folder });
    const connections = (): number => process.getActiveResourcesInfo().filter((one) => one === 'TCPSocketWrap').length;
    const before = connections();
    const store = await openDatabase(postgres.url);
    assert.ok(connections() > before, 'a connection is seen');
    await store.close();
    await assert.rejects(openCore({ home, settings, env, version: 'test' }), { name: 'AppError' });
    // Much sooner than an idle connection would end by itself.
    for (let look = 0; connections() > before && look < 500; look += 1) await sleep(10);
    assert.equal(connections(), before);
  });

  it('answers 503 in time while it hangs, and goes on when it wakes', async () => {
    assert.equal((await put()).status, 200);
    const pids = [postgres.pid(), ...backendsOf(postgres)];
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    try {
      await assertRefused();
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
    await assertWorks();
  });

  it('answers 503 while it is stopped, and goes on when it is back', async () => {
    await postgres.stop();
    await assertRefused();
    await postgres.start();
    await assertWorks();
  });

  it('loses nothing that it acknowledged when its backends are killed under load', async () => {
    let going = true;
    const load = [1, 2, 3].map(async () => {
      while (going) await put();
    });
    for (let kill = 0; kill < 3; kill += 1) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const [pid] = backendsOf(postgres);
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    }
    going = false;
    await Promise.all(load);
    await assertWorks();
  });
});
