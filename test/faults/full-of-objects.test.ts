/** Somebody writes objects until the disk is full, on which the store lies too: it goes on for everybody, since objects leave it room. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeHome, startIn, type TestControlPlane } from '../control-plane.ts';
import { type OwnMounts, openOwnMounts } from './own-mounts.ts';

const MEBIBYTE = 2 ** 20;
const DISK = 256 * MEBIBYTE;

describe('a disk that somebody fills with objects', { skip: process.getuid?.() !== 0 }, () => {
  let mounts: OwnMounts;
  const kept: (() => unknown)[] = [];
  before(async () => {
    mounts = await openOwnMounts();
  });
  after(async () => {
    for (const close of kept.reverse()) await close();
    mounts?.close();
  });

  /** A control plane whose home is one small disk, and a person of it. */
  async function onOneDisk(settings: Record<string, string>): Promise<{ control: TestControlPlane; token: string }> {
    const home = await makeHome(settings, mounts.within);
    const driver = mkdtempSync(join(tmpdir(), 'fumehood-driver-'));
    kept.push(() => rmSync(driver, { recursive: true, force: true }));
    const script = 'mount -t tmpfs -o size="$3",mode=700 none "$1"; mkdir "$1/driver"; mount --bind "$2" "$1/driver"';
    mounts.shell(script, home.home, driver, String(DISK));
    const control = await startIn(home);
    kept.push(() => control.close());
    return { control, token: await control.user('erin', 'engineer') };
  }

  const put = (control: TestControlPlane, token: string, path: string, bytes: number): Promise<Response> =>
    fetch(`${control.doors.mlflow}/api/2.0/mlflow-artifacts/artifacts/${path}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}` },
      body: Buffer.alloc(bytes, 'x'),
    });
  const secret = (control: TestControlPlane, token: string, name: string): Promise<Response> =>
    fetch(`${control.doors.vault}/v1/secret/data/${name}`, {
      method: 'POST',
      headers: { 'x-vault-token': token, 'content-type': 'application/json' },
      body: JSON.stringify({ data: { value: 'y'.repeat(2000) } }),
    });

  /** Writes objects of one size, then smaller ones, until even the smallest is refused. Gives the last refusal. */
  async function fillWithObjects(control: TestControlPlane, token: string, run: string): Promise<string> {
    let refusal = '';
    for (let bytes = 16 * MEBIBYTE; bytes >= 8 * 1024; bytes /= 2)
      for (let number = 0, full = false; !full; number += 1) {
        const answer = await put(control, token, `0/${run}/artifacts/${bytes}-${number}`, bytes);
        refusal = await answer.text();
        full = answer.status !== 200;
        if (full) assert.equal(answer.status, 503, refusal);
      }
    return refusal;
  }
  const makeRun = async (control: TestControlPlane, token: string): Promise<string> => {
    const answer = await fetch(`${control.doors.mlflow}/api/2.0/mlflow/runs/create`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ experiment_id: '0' }),
    });
    return ((await answer.json()) as { run: { info: { run_id: string } } }).run.info.run_id;
  };

  it('refuses objects, large and small, and everything else goes on', async () => {
    const { control, token } = await onOneDisk({});
    const refusal = await fillWithObjects(control, token, await makeRun(control, token));
    assert.match(refusal, /for objects: there is no space left/);
    for (let number = 0; number < 50; number += 1) {
      const answer = await secret(control, token, `after-${number}`);
      assert.equal(answer.status, 200, await answer.text());
    }
    const verified = await control.run(['audit', 'verify']);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  });

  it('stops the store where nothing is kept free: what the setting is for', async () => {
    const { control, token } = await onOneDisk({ FUMEHOOD_OBJECTS_KEEP_FREE: '0' });
    await fillWithObjects(control, token, await makeRun(control, token));
    const answers = [];
    for (let number = 0; number < 50; number += 1)
      answers.push((await secret(control, token, `after-${number}`)).status);
    assert.ok(answers.includes(503), answers.join(' '));
    mounts.shell('find "$1/objects" -type f -size +100k -delete', control.home);
  });
});
