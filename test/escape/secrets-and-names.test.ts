/** Where a secret must not be, what a name must not do, and where a path must not lead: a control plane with a real sandbox. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

const SECRET = 'canary-of-a-secret-0f6b1c';
const OTHERS = 'canary-of-another-dataset';
const ESCAPES = '\x1b]0;owned\x07\x1b[2Jtaken';

let control: TestControlPlane;
let token = '';
let folder = '';

before(async () => {
  control = await startControlPlane();
  token = await control.user('ada', 'engineer');
  folder = await mkdtemp(join(tmpdir(), 'fumehood-paths-'));
  await writeFile(join(folder, 'a.txt'), 'mine');
  await control.json(['dataset', 'add', 'notes', folder, '--tag', 'public'], { token });
  await writeFile(join(folder, 'a.txt'), OTHERS);
  await control.json(['dataset', 'add', 'others', folder, '--tag', 'internal'], { token });
  await control.run(['secret', 'put', 'ada/key', 'value=-'], { token, input: SECRET });
  const small = ['--memory', '160m', '--disk', '64m', '--mount', 'notes'];
  await control.json(['sandbox', 'create', '--name', 'box', ...small], { token });
});

after(async () => {
  await control?.close();
  await rm(folder, { recursive: true, force: true });
});

const python = async (code: string, ...args: string[]): Promise<string> => {
  const done = await control.run(['sandbox', 'exec', 'box', '--', 'python3', '-c', code, ...args], { token });
  assert.equal(done.code, 0, done.stderr);
  return done.stdout;
};

/** Looks for words, whose halves it is given, in everything that a sandbox can read without asking for it. */
const SEARCH = `
import os, stat, sys
needle = (sys.argv[1] + sys.argv[2]).encode()
found = []
def look(path):
    try:
        if stat.S_ISREG(os.lstat(path).st_mode) and needle in open(path, "rb").read(4 << 20):
            found.append(path)
    except OSError:
        pass
for name in os.listdir("/proc"):
    if name.isdigit() and name != str(os.getpid()):
        for file in ("environ", "cmdline"):
            look(f"/proc/{name}/{file}")
if any(needle in f"{name}={value}".encode() for name, value in os.environ.items()):
    found.append("environment")
for top in ("/etc", "/fumehood", "/workspace", "/tmp", "/dev/shm", "/run", "/home", "/var", "/data", "/opt"):
    for folder, _, names in os.walk(top):
        for name in names:
            look(f"{folder}/{name}")
print(found)
`;

const halves = (text: string): [string, string] => [text.slice(0, 8), text.slice(8)];

test('a secret and a token are nowhere in a sandbox until they are asked for', async () => {
  assert.equal(await python(SEARCH, ...halves(SECRET)), '[]\n');
  assert.equal(await python(SEARCH, ...halves(token)), '[]\n');
  await python('open("/workspace/kept", "w").write("".join(__import__("sys").argv[1:]))', ...halves(SECRET));
  assert.match(await python(SEARCH, ...halves(SECRET)), /\/workspace\/kept/, 'the search sees one that is there');
  await python('import os; os.unlink("/workspace/kept")');
});

test('neither is in clear text in any file of the home: store, log, audit tiles, objects', async () => {
  const asked = await control.json<{ data?: Record<string, string> }>(['secret', 'get', 'ada/key'], { token });
  assert.match(JSON.stringify(asked), new RegExp(SECRET), 'it can be read by who may');
  const files = globSync('**', { cwd: control.home, withFileTypes: true }).filter((one) => one.isFile());
  assert.ok(files.some(({ name }) => name === 'state.db') && files.some(({ name }) => name === 'control.log'));
  const holding = (text: string): string[] =>
    files
      .map((one) => join(one.parentPath, one.name))
      // A workspace is the sandbox's own: what it wrote there itself is not ours to hide from it.
      .filter((path) => !path.includes('/workspaces/') && readFileSync(path).includes(text));
  assert.deepEqual(holding(SECRET), []);
  assert.deepEqual(holding(token), []);
  assert.notDeepEqual(holding('ada'), [], 'the search sees what is there');
});

test('an escape sequence in words that people read does nothing to their terminal, nor to the log', async () => {
  const refused = await control.run(['sandbox', 'create', '--name', ESCAPES], { token });
  assert.equal(refused.code, 2);
  const made = await control.run(
    ['sandbox', 'create', '--name', 'worded', '--memory', '128m', '--disk', '64m', '--purpose', ESCAPES],
    { token },
  );
  const said = [refused, made];
  for (const args of [
    ['sandbox', 'get', 'worded'],
    ['sandbox', 'get', ESCAPES],
    ['dataset', 'get', ESCAPES],
    ['audit', 'list'],
  ])
    said.push(await control.run(args));
  await ask(`/api/v1/${encodeURIComponent(ESCAPES)}?x=${encodeURIComponent(ESCAPES)}`, { 'user-agent': 'x' });
  for (const { stdout, stderr } of said) assert.doesNotMatch(stdout + stderr, /\x1b\]|\x1b\[2J|\x07/);
  assert.doesNotMatch(readFileSync(join(control.home, 'control.log'), 'latin1'), /\x1b|\x07/);
  assert.match(JSON.stringify(ESCAPES), /owned/);
});

function ask(path: string, headers: Record<string, string> = {}, method = 'GET', body = ''): Promise<number> {
  return new Promise((resolve, reject) => {
    const url = new URL(control.url);
    const all = { authorization: `Bearer ${token}`, ...headers };
    const request = httpRequest({ host: url.hostname, port: url.port, path, method, headers: all });
    request.on('response', (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode ?? 0));
    });
    request.on('error', reject);
    request.end(body);
  });
}

test('a mount is a data set and a version, never a path below, above or beside it', async () => {
  const headers = { 'content-type': 'application/json' };
  for (const mount of [
    'notes/../others',
    'notes@1/../../etc',
    '../etc',
    '/etc',
    'notes@..',
    'notes@1/a.txt',
    '.',
    '',
  ]) {
    const status = await ask('/api/v1/sandboxes', headers, 'POST', JSON.stringify({ mounts: [mount] }));
    assert.ok([400, 404, 422].includes(status), `${mount}: ${status}`);
  }
  assert.equal(await python('print(open("/data/notes/a.txt").read())'), 'mine\n');
  assert.equal(await python('import os; print(os.listdir("/data"))'), "['notes']\n");
});

test('a path upwards in the objects or artifacts that a sandbox asks for leads to nothing of others', async () => {
  const code = `
import http.client, sys
paths = ["/datasets/notes/1/../../others/1/a.txt", "/datasets/notes/1/..%2f..%2fothers/1/a.txt", "/datasets/notes/1/%2e%2e/%2e%2e/others/1/a.txt",
         "/datasets/../../etc/passwd", "/../etc/passwd", "//etc/passwd", "/datasets/notes/1//../../others/1/a.txt"]
doors = {9000: paths, 5000: ["/api/2.0/mlflow-artifacts/artifacts" + path for path in paths] + ["/get-artifact?path=../../etc/passwd&run_id=x"]}
for port, all in doors.items():
    for path in all:
        door = http.client.HTTPConnection("localhost", port, timeout=10)
        door.putrequest("GET", path, skip_host=False)
        door.endheaders()
        answer = door.getresponse()
        body = answer.read()
        if sys.argv[1].encode() in body or b"root:" in body:
            print(port, path, answer.status)
door = http.client.HTTPConnection("localhost", 9000, timeout=10)
door.request("GET", "/datasets/notes/1/a.txt")
print(door.getresponse().read().decode())`;
  assert.equal(await python(code, OTHERS), 'mine\n');
});

test('a file of an upload cannot be named out of its data set', async () => {
  const begun = await fetch(`${control.url}/api/v1/datasets/climber/uploads`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{"tags":["public"]}',
  });
  const { id } = (await begun.json()) as { id: string };
  const put = (path: string): Promise<number> =>
    ask(`/api/v1/dataset-uploads/${id}/files/${path}`, { 'content-type': 'application/octet-stream' }, 'PUT', 'x');
  for (const path of [
    '../escaped',
    'a/../../escaped',
    '%2e%2e/escaped',
    '..%2fescaped',
    '%2fetc/passwd',
    'a%00b',
    'a//b',
  ])
    assert.ok((await put(path)) >= 400, path);
  assert.equal(await put('fine/name.txt'), 200);
});
