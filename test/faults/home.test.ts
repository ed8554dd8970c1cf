/** A home that a control plane cannot be started on: it says which part, why and what to do, leaves all as it is, and starts once it is mended. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sql } from '#kernel/sql.ts';
import { isAlive } from '#src/cli/home.ts';
import { openSqlite } from '#src/database/sqlite.ts';
import { makeHome, startIn, type TestControlPlane } from '../control-plane.ts';
import { openOwnMounts } from './own-mounts.ts';
import { until } from './until.ts';

describe('a home with something wrong', () => {
  let control: TestControlPlane;
  let other: TestControlPlane;
  before(async () => {
    control = await startIn(await makeHome());
    await control.json(['secret', 'put', 'kept', 'value=-'], { input: 'of-old' });
    await stop(control);
    other = await startIn(await makeHome());
    await other.json(['secret', 'put', 'kept', 'value=-'], { input: 'of-another' });
    await stop(other);
  });
  after(async () => {
    for (const one of [control, other]) await one?.close();
  });

  const at = (...parts: string[]): string => join(control.home, ...parts);
  const upFails = async (reason: RegExp, words: string[] = []): Promise<void> => {
    const up = await control.run(['up', '--detach', ...words]);
    assert.notEqual(up.code, 0, 'it does not start');
    assert.match(up.stderr, reason);
    assert.match(up.stderr, /what to do: \S{2,}/);
    assert.doesNotMatch(up.stderr, /Something went wrong inside/);
  };
  /** Starts, and has what was stored before. */
  const worksAgain = async (): Promise<void> => {
    await control.json(['up', '--detach']);
    const { data } = await control.json<{ data: Record<string, string> }>(['secret', 'get', 'kept']);
    assert.equal(data.value, 'of-old');
    await stop(control);
  };
  /** Does `spoil`, sees the start refused, undoes it, and sees the start work. */
  const refusesWhile = async (spoil: () => () => void, reason: RegExp): Promise<void> => {
    const mend = spoil();
    try {
      await upFails(reason);
    } finally {
      mend();
    }
    await worksAgain();
  };
  const aside = (path: string): (() => void) => {
    renameSync(path, `${path}.aside`);
    return () => renameSync(`${path}.aside`, path);
  };
  const replaced = (path: string, by: string): (() => void) => {
    const back = aside(path);
    copyFileSync(by, path);
    chmodSync(path, 0o600);
    return back;
  };
  const opened = (path: string): (() => void) => {
    chmodSync(path, 0o644);
    return () => chmodSync(path, 0o600);
  };

  it('key of the data missing', () => refusesWhile(() => aside(at('keys/fumehood.key')), /key "fumehood" is not in/));
  it('key of the data of another home', () =>
    refusesWhile(
      () => replaced(at('keys/fumehood.key'), join(other.home, 'keys/fumehood.key')),
      /not the one under which this store was encrypted/,
    ));
  it('key of the data readable by others', () =>
    refusesWhile(() => opened(at('keys/fumehood.key')), /not safe: mode 0644/));
  it('key of the log missing', () =>
    refusesWhile(() => aside(at('keys/audit-log.pem')), /key .*audit-log.pem is missing/));
  it('key of the log of another home', () =>
    refusesWhile(
      () => replaced(at('keys/audit-log.pem'), join(other.home, 'keys/audit-log.pem')),
      /does not fit its newest checkpoint/,
    ));
  it('key of the log readable by others', () =>
    refusesWhile(() => opened(at('keys/audit-log.pem')), /can be read by others/));
  it('store of another home', () =>
    refusesWhile(() => replaced(at('state.db'), join(other.home, 'state.db')), /does not fit its newest checkpoint/));
  it('store gone: none is made anew over a log that was published', () =>
    refusesWhile(() => {
      const back = aside(at('state.db'));
      return () => {
        for (const end of ['', '-wal', '-shm']) rmSync(at(`state.db${end}`), { force: true });
        back();
      };
    }, /older store, or a new one/));
  it('store cut off', () =>
    refusesWhile(() => {
      const whole = readFileSync(at('state.db'));
      truncateSync(at('state.db'), whole.length - 20_000);
      return () => writeFileSync(at('state.db'), whole);
    }, /is cut off/));
  it('store of a newer version', async () => {
    const raw = openSqlite({ path: at('state.db') });
    await raw.transaction((tx) =>
      tx.run(sql`insert into schema_migrations (version, name, digest) values (999, 'later', 'x')`),
    );
    await raw.close();
    await upFails(/made by a newer Fumehood/);
    const again = openSqlite({ path: at('state.db') });
    await again.transaction((tx) => tx.run(sql`delete from schema_migrations where version = 999`));
    await again.close();
    await worksAgain();
  });

  it('store locked by another process', async () => {
    const program = `const { DatabaseSync } = require('node:sqlite');
      const database = new DatabaseSync(${JSON.stringify(at('state.db'))});
      database.exec('begin immediate'); process.stdout.write('locked'); process.stdin.resume();`;
    const holder = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'inherit'] });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    const closed = new Promise((resolve) => holder.once('close', resolve));
    try {
      await upFails(/locked by another process/);
    } finally {
      holder.kill('SIGKILL');
      await closed;
    }
    await worksAgain();
  });

  it('port taken', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await upFails(/Port \d+ on 127.0.0.1 is taken/, ['--listen', `127.0.0.1:${port}`]);
    await new Promise((resolve) => server.close(resolve));
    await worksAgain();
  });

  it('read-only file system', { skip: process.getuid?.() !== 0 }, async () => {
    const mounts = await openOwnMounts();
    try {
      const home = await makeHome({}, mounts.within);
      mounts.shell('mount -t tmpfs none "$1" && mount -o remount,bind,ro "$1"', home.home);
      const refused = await home.run(['up', '--detach']);
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, /file system is read-only/);
      mounts.shell('mount -o remount,bind,rw "$1"', home.home);
      await (await startIn(home)).close();
    } finally {
      mounts.close();
    }
  });

  it('token of the operator lost: says so, and gives a new one when asked to, in the place of the old', async () => {
    await control.json(['up', '--detach']);
    const old = readFileSync(at('operator.token'), 'utf8').trim();
    rmSync(at('operator.token'));
    const refused = await control.run(['sandbox', 'list']);
    assert.equal(refused.code, 4);
    assert.match(refused.stderr, /operator.token is not in/);
    await stop(control);
    await control.json(['up', '--detach', '--new-operator-token']);
    assert.equal((await control.run(['sandbox', 'list'])).code, 0);
    assert.equal((await control.run(['sandbox', 'list'], { token: old })).code, 4, 'the lost one ended');
    assert.equal(statSync(at('operator.token')).mode & 0o777, 0o600);
    const verified = await control.run(['audit', 'verify']);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    await stop(control);
    await worksAgain();
  });
});

/** Ends the control plane as an operator's init would, and waits for that. */
async function stop(control: TestControlPlane): Promise<void> {
  const { pid } = JSON.parse(readFileSync(join(control.home, 'control.json'), 'utf8')) as { pid: number };
  process.kill(pid, 'SIGTERM');
  await until('it has ended', async () => !isAlive(pid));
}
