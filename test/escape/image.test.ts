/** What an image may hold: everything in it was written by somebody else, and none of it may act outside of the sandbox that it is the root of. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { createKeyedMutex } from '#kernel/keyed-mutex.ts';
import type { Handle, ImageRoot } from '#src/drivers/driver.ts';
import { openSealedWorld, type SealedWorld, startOptions } from '#src/escape/sealed-world.ts';
import { createImageFiles, type ImageFiles } from '#src/images/image-files.ts';
import { layoutOf, streamOf, tarOf } from '#src/images/test-layout.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..', '..');
const PYTHON = realpathSync('/usr/bin/python3');

describe('an image as the root of a sandbox', () => {
  let world: SealedWorld;
  let images: ImageFiles;
  let image: ImageRoot;
  let sandbox: Handle;
  let other: Handle;

  const start = (name: string): Promise<Handle> =>
    world.driver.start({ ...startOptions(name, { mlflow: 5000 }, {}), image });
  const python = async (program: string, where = sandbox): Promise<string> => {
    const ended = await world.python(where, program);
    assert.equal(ended.exitCode, 0, ended.stderr);
    return ended.stdout.trim();
  };

  before(async () => {
    world = await openSealedWorld();
    const { hostFolder } = world;
    const layout = join(world.folder, 'layout');
    await run('sh', [join(ROOT, 'examples/image/make-image.sh'), layout]);
    images = createImageFiles({
      folder: join(world.folder, 'images'),
      mutex: createKeyedMutex(),
      arch: process.arch,
      interpreter: PYTHON,
      largestBytes: 2 ** 30,
      cacheBytes: 2 ** 31,
      inUse: async () => false,
    });
    const hostile = tarOf([
      { name: 'usr/bin/set-id', type: '1', linkName: PYTHON.slice(1), mode: 0o4755 },
      {
        name: 'usr/bin/set-id-copy',
        content: readFileSync(PYTHON),
        mode: 0o6755,
        pax: { 'SCHILY.xattr.security.capability': '\x01' },
      },
      { name: 'nodes/disk', type: '4', mode: 0o666 },
      { name: 'nodes/mem', type: '3', mode: 0o666 },
      { name: 'secret', type: '2', linkName: join(hostFolder, 'secret') },
      { name: 'srv/host', type: '2', linkName: `../../../../../..${hostFolder}` },
      { name: 'srv/host/planted', content: 'x' },
      ...['workspace', 'tmp', 'data', 'fumehood', 'run', 'opt', 'proc', 'dev'].map((name) => ({
        name,
        type: '2',
        linkName: hostFolder,
      })),
      { name: 'etc/hosts', type: '2', linkName: join(hostFolder, 'secret') },
      { name: 'etc/resolv.conf', type: '2', linkName: '/proc/1/environ' },
      { name: 'etc/ld.so.preload', content: '/no/such/preload.so\n' },
    ]);
    const env = [
      'PATH=/usr/bin:/bin',
      'LD_PRELOAD=/no/such/library.so',
      'LD_LIBRARY_PATH=/srv',
      '_LIBCONTAINER_INITTYPE=x',
      'GREETING=hello',
    ];
    const { tar } = layoutOf([contentOf(layout), hostile], { env, workingDir: '/srv/app' });
    const added = await images.add(streamOf(tar, 65_536), { owner: 'eve', name: 'hostile', nowMs: Date.now() });
    image = {
      rootDir: images.rootOf(added.image.digest),
      python: added.image.python,
      env: added.image.env,
      workingDir: added.image.workingDir,
    };
    [sandbox, other] = await Promise.all([start('image'), start('image-other')]);
  });

  after(async () => {
    for (const one of [sandbox, other]) assert.deepEqual(await world.destroy(one), []);
    assert.deepEqual(await world.close(), [], 'something was left on the host');
  });

  it('runs its programs, in its folder, with its variables below ours', async () => {
    const session = await world.driver.session(sandbox);
    const exec = await session.exec({ argv: ['sh', '-c', 'pwd; echo $GREETING $HOME; cat hello.py'] });
    exec.stdin.end();
    assert.match((await exec.stdout.toArray()).join(''), /^\/srv\/app\nhello \/workspace\nprint/);
    const warm = await session.runPython({ source: 'import os; print(os.environ["GREETING"], os.getcwd())' });
    warm.stdin.end();
    assert.equal((await warm.stdout.toArray()).join(''), 'hello /srv/app\n');
  });

  it('has nothing of the host but what it brought', async () => {
    const seen = await python(
      `import os; print(os.path.exists("/usr/share/doc"), os.path.exists(os.environ["HOST_FOLDER"] + "/secret"), sorted(os.listdir("/etc")))`,
    );
    assert.match(seen, /^False False/);
    assert.equal(existsSync(join(world.hostFolder, 'planted')), false);
    assert.deepEqual(readdirSync(world.hostFolder), ['secret']);
  });

  it('gives no rights by set-id programs or file capabilities', async () => {
    const ids =
      'import os; os.execv(path, [path, "-I", "-c", "import os; print(os.geteuid(), [l for l in open(\\"/proc/self/status\\") if l.startswith(\\"CapEff\\")][0].split()[1])"])';
    for (const path of ['/usr/bin/set-id', '/usr/bin/set-id-copy'])
      assert.equal(await python(`path = ${JSON.stringify(path)}\n${ids}`), '1000 0000000000000000');
    // Outside, on a file system that honours the bit, the same mode makes root of nobody.
    const control = join(world.folder, 'set-id');
    mkdirSync(control, { mode: 0o755 });
    copyFileSync(PYTHON, join(control, 'python'));
    chmodSync(join(control, 'python'), 0o4755);
    const said = execFileSync(join(control, 'python'), ['-I', '-c', 'import os; print(os.geteuid())'], {
      uid: 65534,
      gid: 65534,
    });
    assert.equal(said.toString(), '0\n');
  });

  it('brings no devices', async () => {
    assert.equal(await python('import os; print(os.listdir("/nodes"), os.path.exists("/dev/mem"))'), '[] False');
  });

  it('leads nowhere by its links: they end in the sandbox', async () => {
    const tried = await python(
      'print([open(p).read() for p in ("/etc/hosts",)]); import os; print(os.path.exists("/secret"), os.path.realpath("/workspace"), os.path.realpath("/tmp"))',
    );
    assert.doesNotMatch(tried, /canary/);
    assert.match(tried, /localhost[\s\S]*False \/workspace \/tmp/);
    // On the host, the very link in the unpacked root does lead to the secret.
    assert.match(readFileSync(join(image.rootDir, 'secret'), 'utf8'), /^canary-/);
  });

  it('keeps mounts off its links: what is written lands in the workspace', async () => {
    await python('open("/workspace/mark", "w").write("x"); open("/tmp/mark", "w").write("x")');
    assert.deepEqual(readdirSync(world.hostFolder), ['secret']);
  });

  it('reaches no tool of the host by the variables and files that a loader obeys', async () => {
    const { pid } = sandbox.data as { pid: number };
    const agent = readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .map((one) => one.split('=')[0]);
    assert.deepEqual(
      agent.filter((name) => /^(LD_|_LIBCONTAINER|GREETING)/.test(name ?? '')),
      [],
    );
    assert.equal(await python('import os; print(os.environ["LD_PRELOAD"])'), '/no/such/library.so');
    // The same variable does reach a tool that is started with it.
    const { stderr } = await run(PYTHON, ['--version'], { env: { LD_PRELOAD: '/no/such/library.so' } });
    assert.match(stderr, /cannot be preloaded/);
  });

  it('cannot be changed by a sandbox, and so carries nothing from one to the other', async () => {
    const attempt = `
import os, errno
for path in ("/srv/app/hello.py", "/etc/passwd", "/usr/bin/sh", "/new"):
    for act in (lambda: open(path, "w"), lambda: os.chmod(path, 0o777), lambda: os.rename(path, path + "2")):
        try:
            act(); print("changed", path)
        except OSError as error:
            print(errno.errorcode[error.errno], end=" ")
`;
    assert.doesNotMatch(await python(attempt), /changed/);
    assert.equal(
      await python('print(open("/srv/app/hello.py").read().strip())', other),
      'print("hello from the image")',
    );
  });

  it('is refused by the driver when it was not prepared to be a root', async () => {
    const raw = join(world.folder, 'raw');
    mkdirSync(raw);
    const options = { ...startOptions('raw', {}, {}), image: { ...image, rootDir: raw } };
    await assert.rejects(world.driver.start(options), { code: 'not_found' });
  });
});

/** The one layer of a layout that the example made. */
function contentOf(layout: string): Buffer {
  const blobs = join(layout, 'blobs', 'sha256');
  const layer = readdirSync(blobs)
    .map((name) => readFileSync(join(blobs, name)))
    .find((bytes) => bytes[0] === 0x1f && bytes[1] === 0x8b);
  if (layer === undefined) throw new Error('the example made no layer');
  return gunzipSync(layer);
}
