/** What a sandbox does to outlive its end, and whether two sandboxes have anything in common. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { Handle } from '#src/drivers/driver.ts';
import { openSealedWorld, type SealedWorld } from '#src/escape/sealed-world.ts';

let world: SealedWorld;

before(async () => {
  world = await openSealedWorld();
});

after(async () => {
  assert.deepEqual(await world.close(), [], 'something was left on the host');
});

/** Host pids whose command line has a mark. */
const marked = (mark: string): string[] =>
  readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark);
    } catch {
      return false;
    }
  });

const DAEMONS = (mark: string): string => `
import os, signal, subprocess
for _ in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            os.closerange(0, 100)
            os.environ.clear()
            os.execv("/usr/bin/python3", ["${mark}", "-I", "-S", "-c", "import time; time.sleep(600)"])
        os._exit(0)
    os.wait()
`;

test('daemons that left their session, their parents and their environment behind end with the sandbox', async () => {
  const mark = `outlives-${process.pid}`;
  const handle = await world.start('daemons');
  const ended = await world.python(handle, DAEMONS(mark));
  assert.equal(ended.exitCode, 0, ended.stderr);
  assert.equal(marked(mark).length, 5, 'they outlive the command that made them');
  assert.deepEqual(await world.driver.destroy(handle), []);
  assert.deepEqual(marked(mark), []);
});

test('a stopped sandbox runs nothing, even what ignores being asked to end', async () => {
  const mark = `ignores-${process.pid}`;
  const handle = await world.start('stopped');
  await world.python(handle, DAEMONS(mark));
  assert.equal(marked(mark).length, 5);
  await world.driver.stop(handle, { graceMs: 100 });
  assert.deepEqual(marked(mark), []);
  assert.deepEqual(await world.driver.destroy(handle), []);
});

test('two sandboxes share no user id, no namespace and no control group', async () => {
  const [one, other] = await Promise.all([world.start('one'), world.start('other')]);
  const pidOf = (handle: Handle): number => (handle.data as { pid: number }).pid;
  const of = (handle: Handle, file: string): string => readFileSync(`/proc/${pidOf(handle)}/${file}`, 'utf8');
  const uid = (handle: Handle): string | undefined => /^Uid:\t(\d+)/m.exec(of(handle, 'status'))?.[1];
  assert.notEqual(uid(one), uid(other));
  assert.ok(Number(uid(one)) > 65_536 && Number(uid(other)) > 65_536);
  assert.notEqual(of(one, 'uid_map'), of(other, 'uid_map'));
  assert.notEqual(of(one, 'cgroup'), of(other, 'cgroup'));
  for (const kind of ['user', 'pid', 'net', 'mnt', 'ipc', 'uts', 'cgroup']) {
    const namespaces = [`/proc/${pidOf(one)}`, `/proc/${pidOf(other)}`, '/proc/self'].map((path) =>
      readlinkSync(`${path}/ns/${kind}`),
    );
    assert.equal(new Set(namespaces).size, 3, `the ${kind} namespace is shared`);
  }
  assert.equal(readlinkSync(`/proc/${process.pid}/ns/net`), readlinkSync('/proc/self/ns/net'));
});

test('output that nobody reads is held back in the sandbox, not gathered on the host', async () => {
  const handle = await world.start('unread');
  const session = await world.driver.session(handle);
  const before = process.memoryUsage().rss;
  const flood = 'head -c 268435456 /dev/zero; echo ended >&2';
  const exec = await session.exec({ argv: ['/bin/sh', '-c', flood] });
  exec.stdin.end();
  let ended = false;
  exec.stderr.on('data', () => {
    ended = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.equal(ended, false, 'the command has written all of it');
  assert.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024);
  let bytes = 0;
  for await (const chunk of exec.stdout) bytes += (chunk as Buffer).length;
  assert.equal(bytes, 268_435_456, 'read, it comes to its end');
  assert.equal((await exec.result).exitCode, 0);
  assert.deepEqual(await world.driver.destroy(handle), []);
});
