/** What another user, another page or another token tries at the control plane of a real sandbox. */
import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { after, before, test } from 'node:test';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';

let control: TestControlPlane;
let owner = '';
let stranger = '';
let box = '';

before(async () => {
  control = await startControlPlane();
  [owner, stranger] = [await control.user('ada', 'engineer'), await control.user('eve', 'engineer')];
  const small = ['--memory', '128m', '--disk', '64m'];
  box = (await control.json<{ id: string }>(['sandbox', 'create', '--name', 'box', ...small], { token: owner })).id;
});

after(async () => control?.close());

type Answer = { status: number; body: string };
type Asked = { headers?: Record<string, string>; body?: string };

/** A request whose every header is ours to choose, `Host` and `Origin` too. */
function ask(method: string, path: string, { headers = {}, body }: Asked = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${control.url}${path}`, { method, headers });
    const end = (status: number, text: string): void => resolve({ status, body: text });
    request.on('upgrade', (answer, socket) => {
      socket.destroy();
      end(answer.statusCode ?? 0, '');
    });
    request.on('response', async (answer) => {
      let text = '';
      for await (const chunk of answer.setEncoding('utf8')) text += chunk;
      end(answer.statusCode ?? 0, text);
    });
    request.on('error', reject);
    request.end(body);
  });
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
const asJson = { 'content-type': 'application/json' };
const upgrade = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': Buffer.alloc(16, 'k').toString('base64'),
};

/** Everything that can be asked about a sandbox by its id. */
const USES: [method: string, path: string, body?: string][] = [
  ['GET', ''],
  ['GET', '/stats'],
  ['GET', '/events'],
  ['GET', '/files?path=/workspace'],
  ['GET', '/files/content?path=/etc/passwd'],
  ['PUT', '/files/content?path=/workspace/planted', 'x'],
  ['DELETE', '/files?path=/workspace/planted'],
  ['POST', '/keepalive', '{"ttl":"10m"}'],
  ['POST', '/open', '{"port":8000}'],
  ['POST', '/stop', '{}'],
  ['DELETE', ''],
];

test('a sandbox of somebody else is of no use to who knows its id, in any way that there is', async () => {
  for (const [method, path, body] of USES) {
    const headers = { ...bearer(stranger), ...(body?.startsWith('{') ? asJson : {}) };
    const { status } = await ask(method, `/api/v1/sandboxes/${box}${path}`, { headers, ...(body ? { body } : {}) });
    assert.ok(status === 403 || status === 404, `${method} ${path}: ${status}`);
  }
  const [, file] = [0, await control.run(['sandbox', 'exec', 'box', '--', 'ls', '/workspace'], { token: owner })];
  assert.deepEqual([file.code, file.stdout], [0, ''], 'it runs as before, and nothing was planted');
  const own = await ask('GET', `/api/v1/sandboxes/${box}`, { headers: bearer(owner) });
  assert.equal(own.status, 200);
});

test('its name leads a stranger nowhere, nor does running a command in it', async () => {
  const byName = await control.run(['sandbox', 'get', 'box'], { token: stranger });
  assert.match(byName.stderr, /There is no sandbox/);
  const exec = await control.run(['sandbox', 'exec', box, '--', 'id'], { token: stranger });
  assert.notEqual(exec.code, 0);
  assert.equal(exec.stdout, '');
  assert.equal((await control.run(['sandbox', 'exec', box, '--', 'id', '-u'], { token: owner })).stdout, '1000\n');
});

test('ids cannot be guessed: 128 random bits, and one that is near another is nobody', async () => {
  assert.match(box, /^sb-[0-9a-f]{32}$/);
  const next = box.slice(0, -1) + (box.endsWith('0') ? '1' : '0');
  for (const id of [next, 'sb-1', 'sb-', box.toUpperCase(), `${box}%00`, `../users`, `${box}/../${box}x`])
    assert.notEqual((await ask('GET', `/api/v1/sandboxes/${id}`, { headers: bearer(owner) })).status, 200, id);
});

test('a token counts whole, in its header and while it is good: no part, no other place, none that was revoked', async () => {
  const whoami = async (headers: Record<string, string>, query = ''): Promise<number> =>
    (await ask('GET', `/api/v1/whoami${query}`, { headers })).status;
  const last = owner.endsWith('a') ? 'b' : 'a';
  for (const wrong of [owner.slice(0, -1), owner.slice(0, -1) + last, owner.toUpperCase(), `${owner}x`, 'fh_', 'null'])
    assert.equal(await whoami(bearer(wrong)), 401, wrong);
  assert.equal(await whoami({}, `?token=${owner}&access_token=${owner}`), 401);
  assert.equal(await whoami({ cookie: `token=${owner}; fumehood=${owner}` }), 401);
  assert.equal(await whoami({ authorization: `Basic ${Buffer.from(`ada:${owner}`).toString('base64')}` }), 401);
  assert.equal(await whoami(bearer(owner)), 200);
  const made = await control.json<{ id: string; token: string }>(['token', 'create'], { token: owner });
  assert.equal(await whoami(bearer(made.token)), 200);
  await control.json(['token', 'revoke', made.id], { token: owner });
  assert.equal(await whoami(bearer(made.token)), 401);
});

test('a page of another origin makes no request, and a name that leads here makes none of ours', async () => {
  const path = '/api/v1/sandboxes';
  const foreign: Record<string, string>[] = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `${control.url}.evil.example` },
    { 'sec-fetch-site': 'cross-site' },
    { host: 'evil.example' },
    { host: `127.0.0.1.evil.example:${new URL(control.url).port}` },
  ];
  for (const headers of foreign)
    assert.equal(
      (await ask('GET', path, { headers: { ...bearer(owner), ...headers } })).status,
      403,
      JSON.stringify(headers),
    );
  assert.equal((await ask('GET', path, { headers: { ...bearer(owner), origin: control.url } })).status, 200);
});

test('no stream is opened for a page of another origin', async () => {
  const path = `/api/v1/sandboxes/${box}/exec`;
  for (const origin of ['https://evil.example', 'null', 'http://localhost.evil.example'])
    assert.equal((await ask('GET', path, { headers: { ...bearer(owner), ...upgrade, origin } })).status, 403, origin);
  assert.equal((await ask('GET', path, { headers: upgrade })).status, 401, 'nor without a token');
  assert.equal((await ask('GET', path, { headers: { ...bearer(owner), ...upgrade } })).status, 101);
});

test('what a form of a page can send is not taken for a request', async () => {
  const body = '{"name":"forged"}';
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
    const headers = { ...bearer(owner), 'content-type': type };
    const { status } = await ask('POST', '/api/v1/sandboxes', { headers, body });
    assert.ok(status >= 400 && status < 500, `${type}: ${status}`);
  }
  const list = await control.json<{ items: { name: string }[] }>(['sandbox', 'list'], { token: owner });
  assert.deepEqual(
    list.items.map(({ name }) => name),
    ['box'],
  );
});
