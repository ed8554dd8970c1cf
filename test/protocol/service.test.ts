/** The systemd unit: systemd understands it, and a control plane with only the rights that it leaves still does its work. */
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { havePackages } from '#src/cli/debian-package.ts';

const ROOT = join(import.meta.dirname, '../..');
const UNIT = readFileSync(join(ROOT, 'deploy/systemd/fumehood.service'), 'utf8');
const MAIN = join(ROOT, 'src/cli/main.ts');

test('systemd finds no fault in the unit', () => {
  havePackages({
    packages: ['systemd'],
    find: () => existsSync('/usr/bin/systemd-analyze'),
    need: 'The test of the unit needs systemd-analyze',
  });
  const folder = mkdtempSync(join(tmpdir(), 'fumehood-unit-'));
  try {
    const path = join(folder, 'fumehood.service');
    writeFileSync(path, UNIT.replace('/opt/fumehood/fumehood', join(ROOT, 'fumehood')));
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' });
    const own = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('fumehood'));
    assert.deepEqual(own, []);
    assert.equal(status, 0, stderr);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

const settingOf = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(UNIT)?.[1] ?? '';

test('with the capabilities that the unit leaves a sandbox starts; SIGTERM ends the control plane, not the sandbox', async () => {
  const dropped = settingOf('CapabilityBoundingSet').slice(1).split(' ');
  assert.ok(dropped.length >= 10);
  const bounding = dropped.map((name) => `-${name.replace(/^CAP_/, '').toLowerCase()}`).join(',');
  const home = mkdtempSync(join(tmpdir(), 'fumehood-service-'));
  const { FUMEHOOD_TOKEN: _token, FUMEHOOD_URL: _url, ...inherited } = process.env;
  const env = { ...inherited, FUMEHOOD_HOME: home, FUMEHOOD_LISTEN: '127.0.0.1:0' };
  const cli = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)(process.execPath, [MAIN, ...args], { env })).stdout;
  const up = async () => {
    const restricted = ['--no-new-privs', `--bounding-set=${bounding}`, process.execPath, MAIN, 'up'];
    const child = spawn('setpriv', restricted, { env, stdio: 'ignore' });
    const deadline = Date.now() + 60_000;
    while (!existsSync(join(home, 'control.json')) && Date.now() < deadline && child.exitCode === null) await sleep(50);
    const left = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    assert.match(left, /^NoNewPrivs:\s+1$/m);
    return child;
  };
  try {
    const first = await up();
    const { id } = JSON.parse(await cli('sandbox', 'create', '--json'));
    assert.equal(await cli('sandbox', 'exec', id, '--', 'sh', '-c', 'echo kept > /workspace/x; echo in'), 'in\n');
    first.kill('SIGTERM');
    assert.deepEqual(await once(first, 'exit'), [0, null]);
    const second = await up();
    assert.equal(await cli('sandbox', 'exec', id, '--', 'cat', '/workspace/x'), 'kept\n');
    second.kill('SIGTERM');
    assert.deepEqual(await once(second, 'exit'), [0, null]);
    assert.match(await cli('down', '--yes'), /1 sandbox\(es\) deleted/, '"down" ends them after a stop too');
  } finally {
    execFileSync(process.execPath, [MAIN, 'down', '--yes'], { env, stdio: 'pipe' });
    rmSync(home, { recursive: true, force: true });
  }
});
