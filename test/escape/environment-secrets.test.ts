/** The password of a package index: it fetches what an environment is made of, and is nowhere in what comes of it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

const PASSWORD = 'canary-of-an-index-3d77e1';
const AUTHORIZATION = `Basic ${Buffer.from(`reader:${PASSWORD}`).toString('base64')}`;
const WHEEL = 'tiny-1.0-py3-none-any.whl';
const SOURCE = 'sourced-1.0.tar.gz';

/** A wheel of one module. */
const MAKE_WHEEL = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("tiny.py", "word = 'hello'\\n")
    wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1.0\\n")
    wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("tiny-1.0.dist-info/RECORD", "tiny.py,,\\ntiny-1.0.dist-info/METADATA,,\\ntiny-1.0.dist-info/WHEEL,,\\ntiny-1.0.dist-info/RECORD,,\\n")`;

let folder: string;
let index: Server;
let control: TestControlPlane;
let engineer: string;
/** What the index gave for its password. */
const served: string[] = [];

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fumehood-index-'));
  execFileSync('python3', ['-c', MAKE_WHEEL, join(folder, WHEEL)]);
  const files: Record<string, string | Buffer> = {
    '/simple/tiny/': `<a href="/files/${WHEEL}">${WHEEL}</a>`,
    '/simple/sourced/': `<a href="/files/${SOURCE}">${SOURCE}</a>`,
    [`/files/${WHEEL}`]: readFileSync(join(folder, WHEEL)),
  };
  index = createServer(({ url = '', headers }, response) => {
    const allowed = headers.authorization === AUTHORIZATION;
    if (allowed) served.push(url);
    const file = files[url];
    response.statusCode = allowed ? (file === undefined ? 404 : 200) : 401;
    if (!allowed) response.setHeader('www-authenticate', 'Basic realm="index"');
    response.setHeader('content-type', url.endsWith('/') ? 'text/html' : 'application/octet-stream');
    response.end(allowed ? file : '');
  });
  await new Promise<void>((resolve) => index.listen(0, '127.0.0.1', resolve));
  const address = index.address();
  const host = `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  control = await startControlPlane({
    FUMEHOOD_INDEX_URL: `http://reader:${PASSWORD}@${host}/simple/`,
    FUMEHOOD_EGRESS_ALLOW_PRIVATE: host,
  });
  engineer = await control.user('erin', 'engineer');
});

after(async () => {
  await control?.close();
  index?.close();
  index?.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});

const asEngineer = (...args: string[]) => control.run(args, { token: engineer });

/** Files of the home that hold these words. */
const holding = (words: string): string[] =>
  globSync('**', { cwd: control.home, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name))
    .filter((path) => readFileSync(path).includes(words));

const SEARCH = `
import os, sys, tiny
needle = (sys.argv[1] + sys.argv[2]).encode()
seen, found = 0, [name for name, value in os.environ.items() if needle in value.encode()]
for top in (sys.prefix, "/workspace", "/fumehood", "/etc"):
    for folder, _, names in os.walk(top):
        for name in names:
            try:
                text = open(os.path.join(folder, name), "rb").read()
            except OSError:
                continue
            seen += b"hello" in text
            if needle in text: found.append(os.path.join(folder, name))
print(tiny.word, found, seen > 0)`;

test('an environment that was fetched with it holds it nowhere: not in its files, a sandbox, the store, a log or an answer', async () => {
  const made = await asEngineer('environment', 'create', 'tiny', '--package', 'tiny==1.0', '--log', '--json');
  assert.equal(made.code, 0, made.stderr);
  assert.ok(served.includes(`/files/${WHEEL}`), 'the index gave it for the password');
  const create = ['--environment', 'tiny', '--memory', '128m', '--disk', '64m'];
  assert.equal((await asEngineer('sandbox', 'create', '--name', 'user', ...create)).code, 0);
  const halves = [PASSWORD.slice(0, 9), PASSWORD.slice(9)];
  const looked = await asEngineer('sandbox', 'exec', 'user', '--', 'python', '-c', SEARCH, ...halves);
  assert.equal(looked.stdout, 'hello [] True\n', looked.stderr);
  const shown = await asEngineer('environment', 'get', 'tiny', '--json');
  const unknown = await asEngineer('environment', 'create', 'none', '--package', 'no-such-thing', '--log');
  assert.notEqual(unknown.code, 0);
  assert.match(made.stderr, /^ {4}.*tiny==1\.0/m, 'the log of the installer is shown');
  for (const said of [made, shown, unknown]) assert.ok(!(said.stdout + said.stderr).includes(PASSWORD), said.stderr);
  for (const words of [PASSWORD, AUTHORIZATION.slice('Basic '.length)]) assert.deepEqual(holding(words), []);
  assert.notDeepEqual(holding('tiny'), [], 'the search sees what is there');
});

test('a package whose build would run the code of others beside it is refused, and why; nothing is built', async () => {
  const built = await asEngineer('environment', 'create', 'sourced', '--package', 'sourced==1.0');
  assert.notEqual(built.code, 0);
  assert.match(built.stderr, /index\.url carries a password/);
  assert.ok(!built.stderr.includes(PASSWORD));
  assert.ok(!served.includes(`/files/${SOURCE}`));
  const { items } = await control.json<{ items: { name: string }[] }>(['sandbox', 'list'], { token: engineer });
  assert.deepEqual(
    items.map(({ name }) => name),
    ['user'],
  );
});

test('a bundle for a bug report and the configuration tell the index without it', async () => {
  const file = join(folder, 'bundle.tar.gz');
  await control.run(['doctor', '--bundle', file]);
  const text = execFileSync('tar', ['-xzOf', file]).toString('latin1');
  assert.match(text, /index\.url/);
  assert.ok(!text.includes(PASSWORD));
  for (const args of [
    ['config', 'list'],
    ['config', 'explain', 'index.url'],
  ]) {
    const shown = await control.run(args);
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, /\(hidden\)@127/);
    assert.ok(!shown.stdout.includes(PASSWORD), args.join(' '));
  }
});
