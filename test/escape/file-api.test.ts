/** The file operations of a sandbox are asked for by the host: none of them may touch a file of the host, whatever the sandbox put in their way. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, before, beforeEach, test } from 'node:test';
import { promisify } from 'node:util';
import { AppError } from '#kernel/errors.ts';
import type { Files, Handle } from '#src/drivers/driver.ts';
import { openSealedWorld, type SealedWorld } from '#src/escape/sealed-world.ts';

let world: SealedWorld;
let handle: Handle;
let files: Files;
/** Where the control works: the same names and links, served by code that resolves paths on the host. */
let naive: string;
let secret: string;

before(async () => {
  world = await openSealedWorld();
  handle = await world.start('paths');
  files = (await world.driver.session(handle)).files;
  secret = readFileSync(join(world.hostFolder, 'secret'), 'utf8');
});

beforeEach(() => {
  naive = join(world.folder, 'naive');
  rmSync(naive, { recursive: true, force: true });
  mkdirSync(naive);
});

after(async () => {
  assert.deepEqual(await world.close(), [], 'something was left on the host');
});

const inSandbox = async (source: string): Promise<void> => {
  const ended = await world.python(handle, `HOST = ${JSON.stringify(world.hostFolder)}\n${source}`);
  assert.equal(ended.exitCode, 0, ended.stderr);
};

const refusedWith = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;

const read = async (path: string): Promise<string> => (await buffer(await files.read(path))).toString();

test('a symbolic link to a file of the host leads nowhere', async () => {
  await inSandbox('os.symlink(HOST + "/secret", "/workspace/link")');
  await assert.rejects(read('/workspace/link'), refusedWith('not_found'));
  symlinkSync(join(world.hostFolder, 'secret'), join(naive, 'link'));
  assert.equal(readFileSync(join(naive, 'link'), 'utf8'), secret);
});

test('names that lead upwards stay inside', async () => {
  const upwards = `${'../'.repeat(12)}${world.hostFolder.slice(1)}/secret`;
  await assert.rejects(read(`/workspace/${upwards}`), refusedWith('not_found'));
  assert.equal(readFileSync(`${naive}/${upwards}`, 'utf8'), secret);
});

test('no path through /proc leads out', async () => {
  for (const start of ['/proc/1/root', '/proc/self/root', '/proc/self/cwd/..', '/proc/thread-self/root'])
    await assert.rejects(read(`${start}${world.hostFolder}/secret`), AppError);
  assert.equal(readFileSync(`/proc/self/root${world.hostFolder}/secret`, 'utf8'), secret);
});

test('writing through a linked folder changes nothing on the host', async () => {
  await inSandbox('os.symlink(HOST, "/workspace/folder")');
  await assert.rejects(files.write('/workspace/folder/planted', Readable.from([Buffer.from('x')])), AppError);
  assert.deepEqual(readdirSync(world.hostFolder), ['secret']);
  symlinkSync(world.hostFolder, join(naive, 'folder'));
  writeFileSync(join(naive, 'folder', 'planted'), 'x');
  assert.ok(existsSync(join(world.hostFolder, 'planted')));
  rmSync(join(world.hostFolder, 'planted'));
});

test('removing a linked folder with all that is in it leaves what it names', async () => {
  writeFileSync(join(world.hostFolder, 'victim'), 'x');
  await inSandbox('os.symlink(HOST, "/workspace/removed")');
  await files.remove('/workspace/removed', { recursive: true });
  await assert.rejects(files.remove(`/workspace/../..${world.hostFolder}/victim`), AppError);
  assert.ok(existsSync(join(world.hostFolder, 'victim')));
  symlinkSync(world.hostFolder, join(naive, 'removed'));
  rmSync(join(naive, 'removed', 'victim'));
  assert.ok(!existsSync(join(world.hostFolder, 'victim')));
});

test('a folder that becomes a link between looking and reading is of no use', async () => {
  await inSandbox('os.mkdir("/workspace/swapped"); open("/workspace/swapped/secret", "w").write("own")');
  const session = await world.driver.session(handle);
  const swap = `
import os, time
end = time.monotonic() + 2
os.symlink(${JSON.stringify(world.hostFolder)}, "/workspace/swap-link")
while time.monotonic() < end:
    os.rename("/workspace/swapped", "/workspace/swap-own")
    os.rename("/workspace/swap-link", "/workspace/swapped")
    os.rename("/workspace/swapped", "/workspace/swap-link")
    os.rename("/workspace/swap-own", "/workspace/swapped")
`;
  const racer = await session.exec({ argv: ['/usr/bin/python3', '-c', swap] });
  const seen = new Set<string>();
  let racing = true;
  const ended = racer.result.then(() => {
    racing = false;
  });
  while (racing) seen.add(await read('/workspace/swapped/secret').catch(() => 'gone'));
  await ended;
  assert.deepEqual(
    [...seen].filter((content) => content !== 'own' && content !== 'gone'),
    [],
  );
  assert.ok(seen.has('gone'), 'no read fell into the race');

  mkdirSync(join(naive, 'swapped'));
  writeFileSync(join(naive, 'swapped', 'secret'), 'own');
  symlinkSync(world.hostFolder, join(naive, 'swap-link'));
  assert.ok(lstatSync(join(naive, 'swapped')).isDirectory());
  renameSync(join(naive, 'swapped'), join(naive, 'swap-own'));
  renameSync(join(naive, 'swap-link'), join(naive, 'swapped'));
  assert.equal(readFileSync(join(naive, 'swapped', 'secret'), 'utf8'), secret);
});

test('a pipe without a writer does not hold up who reads it', async () => {
  await inSandbox('os.mkfifo("/workspace/pipe")');
  const started = performance.now();
  await assert.rejects(read('/workspace/pipe'), refusedWith('invalid'));
  assert.ok(performance.now() - started < 5000);
  const run = promisify(execFile);
  await run('mkfifo', [join(naive, 'pipe')]);
  await assert.rejects(run('timeout', ['0.3', 'cat', join(naive, 'pipe')]), { code: 124 });
});

test('a device without an end is not read', async () => {
  await inSandbox('os.symlink("/dev/zero", "/workspace/endless")');
  await assert.rejects(read('/workspace/endless'), refusedWith('invalid'));
  const { stdout } = await promisify(execFile)('head', ['-c', '100000', '/dev/zero'], { encoding: 'buffer' });
  assert.equal(stdout.length, 100_000);
});

test('watching a linked folder tells nothing of the host', async () => {
  await inSandbox('os.symlink(HOST, "/workspace/watched")');
  await assert.rejects(
    files.watch('/workspace/watched', { onChange: () => undefined, onEnd: () => undefined }),
    AppError,
  );
  symlinkSync(world.hostFolder, join(naive, 'watched'));
  assert.deepEqual(readdirSync(join(naive, 'watched')), ['secret']);
});

test('programs and settings that are shared cannot be written', async () => {
  for (const path of ['/usr/bin/planted', '/etc/passwd', '/fumehood/agent/__main__.py', '/planted'])
    await assert.rejects(files.write(path, Readable.from([Buffer.from('x')])), refusedWith('denied'), path);
  const { sizeBytes } = await files.write('/workspace/own', Readable.from([Buffer.from('x')]));
  assert.equal(sizeBytes, 1);
});

test('names that carry terminal escapes and line breaks come back as data and as nothing else', async () => {
  await inSandbox(String.raw`os.mkdir("/workspace/names"); open("/workspace/names/\x1b]0;owned\x07\n..", "w").close()`);
  const [entry] = await files.list('/workspace/names');
  assert.equal(entry?.name, '\x1b]0;owned\x07\n..');
  await assert.rejects(read('/workspace/names/\x1b[2J'), (error: unknown) => {
    assert.ok(error instanceof AppError);
    assert.doesNotMatch(error.message, /\x1b/);
    return true;
  });
});
