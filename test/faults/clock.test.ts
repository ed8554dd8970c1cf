/** The clock of the host is set forward and back under a control plane: lives are of time that passes, and what had ended does not come back. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeHome, startIn, type TestControlPlane } from '../control-plane.ts';
import { until } from './until.ts';

const HOUR_MS = 3_600_000;
const NEAR_MS = 300_000;
const SMALL = ['--memory', '64m', '--disk', '32m'];

type Entry = { seq: number; action: string; time: string };

describe('a control plane whose clock is set', { skip: process.getuid?.() !== 0 }, () => {
  let folder: string;
  let control: TestControlPlane;
  let engineer: string;
  let officer: string;
  let short: string;
  let request: string;
  let shiftMs = 0;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fumehood-clock-'));
    const file = join(folder, 'shift');
    writeFileSync(file, '0');
    const shim = join(import.meta.dirname, 'shifted-clock.ts');
    control = await startIn(
      await makeHome({
        NODE_OPTIONS: `--disable-warning=ExperimentalWarning --import=${shim}`,
        SHIFTED_CLOCK_FILE: file,
        FUMEHOOD_SANDBOX_MAX_TTL: '24h',
      }),
    );
    engineer = await control.user('erin', 'engineer');
    officer = await control.user('olga', 'officer');
    await control.run(['dataset', 'add', 'customers', file, '--tag', 'PII'], { token: engineer });
    short = String((await ask('POST', '/tokens', { name: 'short', until: '1h' })).body.token);
    const asked = await ask('POST', '/access-requests', { dataset: 'customers', purpose: 'clock', until: '1h' });
    request = String(asked.body.id);
    const approved = await ask('POST', `/access-requests/${request}/approve`, { reason: 'a test' }, officer);
    assert.equal(approved.status, 200, JSON.stringify([asked.body, approved.body]));
    await control.json(['sandbox', 'create', '--name', 'long', '--ttl', '2h', ...SMALL], { token: engineer });
  });
  after(async () => {
    await control?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const ask = async (method: string, path: string, body?: unknown, token = engineer) => {
    const answer = await fetch(`${control.url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  const sets = async (): Promise<Entry[]> =>
    (await control.json<{ items: Entry[] }>(['audit', 'list', '--action', 'clock.set'], { token: officer })).items;
  const set = async (toMs: number): Promise<void> => {
    const before = (await sets()).length;
    shiftMs = toMs;
    writeFileSync(join(folder, 'shift'), String(toMs));
    await until('it has followed the clock', async () => (await sets()).length > before);
  };
  const isApproved = async (): Promise<boolean> =>
    (await ask('GET', `/access-requests/${request}`)).body.state === 'approved';
  const shortWorks = async (): Promise<boolean> => (await ask('GET', '/sandboxes', undefined, short)).status === 200;
  const longHasTwoHours = async (): Promise<void> => {
    const found = await control.json<{ state: string; expiresAt: string }>(['sandbox', 'get', 'long'], {
      token: engineer,
    });
    assert.equal(found.state, 'running');
    const leftMs = Date.parse(found.expiresAt) - (Date.now() + shiftMs);
    assert.ok(Math.abs(leftMs - 2 * HOUR_MS) < NEAR_MS, `${leftMs} ms are left of its life`);
    const done = await control.run(['sandbox', 'exec', 'long', '--', 'echo', 'works'], { token: engineer });
    assert.equal(done.stdout, 'works\n', done.stderr);
  };

  /** Asks for a life that ends so long after now; gives the status. */
  const keep = async (ttl: string): Promise<number> => (await ask('POST', '/sandboxes/long/keepalive', { ttl })).status;
  /** The longest life is a day from its begin, whatever the clock says. */
  const livesADayAtMost = async (): Promise<void> => {
    assert.equal(await keep('25h'), 400);
    assert.equal(await keep('23h'), 200);
    assert.equal(await keep('2h'), 200);
  };

  it('forward: rights end by their date, sandboxes keep what is left of their lives', async () => {
    assert.deepEqual([await shortWorks(), await isApproved()], [true, true]);
    await set(3 * HOUR_MS);
    assert.deepEqual([await shortWorks(), await isApproved()], [false, false]);
    await longHasTwoHours();
    await livesADayAtMost();
  });

  it('back again: what had ended does not come back', async () => {
    await set(0);
    assert.deepEqual([await shortWorks(), await isApproved()], [false, false]);
    await longHasTwoHours();
  });

  it('back by a day: a short life ends when its time has passed', async () => {
    const { id } = await control.json<{ id: string }>(['sandbox', 'create', '--ttl', '20s', ...SMALL], {
      token: engineer,
    });
    await set(-24 * HOUR_MS);
    const state = async (): Promise<unknown> => (await ask('GET', `/sandboxes/${id}`)).body.state;
    await until('it is ended', async () => (await state()) === 'deleted');
    await longHasTwoHours();
    await livesADayAtMost();
  });

  it('back while nothing ran: the start goes by the newest entry, and all holds', async () => {
    process.kill(await control.pid(), 'SIGKILL');
    shiftMs = -72 * HOUR_MS;
    writeFileSync(join(folder, 'shift'), String(shiftMs));
    const before = 3;
    const { url } = await control.json<{ url: string }>(['up', '--detach']);
    control.url = url;
    assert.equal((await sets()).length, before + 1);
    assert.deepEqual([await shortWorks(), await isApproved()], [false, false]);
    await longHasTwoHours();
  });

  it('the log stays in the order in which things happened, and whole', async () => {
    const verified = await control.run(['audit', 'verify'], { token: officer });
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    const seqs = (await sets()).map(({ seq }) => seq);
    assert.deepEqual(
      seqs,
      [...seqs].sort((one, other) => other - one),
    );
    assert.equal(seqs.length, 4, 'each setting of the clock is an entry, once');
  });
});
