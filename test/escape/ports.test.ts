/** Attacks on the port door: tickets, cookies, origins, hosts and hostile apps, each beside the same thing done rightly. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startControlPlane, type TestControlPlane } from '../control-plane.ts';
import { ask, echoOver, visit } from '../port-visitor.ts';

type Opened = { id: string; url: string };

let control: TestControlPlane;
const tokens: Record<string, string> = {};
const sandboxes: Record<string, string> = {};
const APP = join(import.meta.dirname, 'port-app.py');

before(async () => {
  control = await startControlPlane();
  for (const name of ['ada', 'bob']) tokens[name] = await control.user(name, 'engineer');
  tokens.olga = await control.user('olga', 'officer');
  tokens.otto = await control.user('otto', 'operator');
  for (const name of ['ada', 'bob']) {
    const as = { token: tokens[name] ?? '' };
    const made = await control.json<{ id: string }>(
      ['sandbox', 'create', '--name', name, '--memory', '256m', '--disk', '64m'],
      as,
    );
    sandboxes[name] = made.id;
    await control.run(['sandbox', 'cp', APP, `${made.id}:/workspace/app.py`], as);
    for (const port of ['7000', '7001']) await startApp(made.id, port, as);
  }
});

after(async () => control?.close());

/** Runs on in the background of the sandbox when the command that started it has ended. */
async function startApp(id: string, port: string, as: { token: string }): Promise<void> {
  const script = `nohup python3 /workspace/app.py ${port} >/tmp/app-${port} 2>&1 & until grep -q ready /tmp/app-${port}; do sleep 0.1; done`;
  const done = await control.run(['sandbox', 'exec', id, '--', 'setsid', '--wait', 'sh', '-c', script], as);
  assert.equal(done.code, 0, done.stderr);
}

const open = (who: string, port = '7000', whose = who): Promise<Opened> =>
  control.json<Opened>(['sandbox', 'open', sandboxes[whose] ?? '', '--port', port], { token: tokens[who] ?? '' });

const arrive = async (who: string, port = '7000') => visit((await open(who, port)).url);

type Entry = { action: string; outcome: string; actor: { user?: string }; details?: Record<string, unknown> };
async function entries(): Promise<Entry[]> {
  const { items } = await control.json<{ items: Entry[] }>(['audit', 'list', '--limit', '500'], {
    token: tokens.olga ?? '',
  });
  return items.filter((entry) => entry.action === 'port.open');
}

test('its owner opens a port: link, cookie, pages, changes and WebSockets, each step decided and in the log', async () => {
  const { url } = await open('ada');
  assert.match(url, new RegExp(`^http://7000--${sandboxes.ada}\\.localhost:\\d+/\\.fumehood/open\\?ticket=`));
  const { origin, cookie, answer } = await visit(url);
  assert.equal(answer.status, 200);
  const [line = ''] = answer.headers['set-cookie'] ?? [];
  for (const part of ['HttpOnly', 'SameSite=Strict', 'Path=/']) assert.ok(line.includes(part), line);
  assert.doesNotMatch(line, /domain/i);
  const page = await ask(`${origin}/page?x=1`, { headers: { cookie, 'sec-fetch-dest': 'document' } });
  assert.equal(page.status, 200);
  assert.equal(JSON.parse(page.text).path, '/page?x=1');
  const body = Buffer.alloc(3_000_000, 7);
  const headers = { cookie, origin, 'content-length': String(body.length) };
  const posted = await ask(`${origin}/change`, { method: 'POST', headers, body });
  assert.equal(JSON.parse(posted.text).bytes, body.length);
  assert.equal((await ask(`${origin}/bytes/3000000`, { headers: { cookie } })).text.length, 3_000_000);
  assert.equal(await echoOver(origin, { cookie, origin }), 'hello');
  const steps = (await entries()).filter((one) => one.outcome === 'ok').map((one) => one.details?.step);
  for (const step of ['ticket', 'visit', 'page', 'websocket']) assert.ok(steps.includes(step), `${step} of ${steps}`);
});

test('what one page loads shares one decision; the log is not flooded', async () => {
  const { origin, cookie } = await arrive('ada');
  const pages = async () => (await entries()).filter((one) => one.details?.step === 'page').length;
  const earlier = await pages();
  await ask(`${origin}/`, { headers: { cookie, 'sec-fetch-dest': 'document' } });
  for (let n = 0; n < 30; n += 1) assert.equal((await ask(`${origin}/part-${n}`, { headers: { cookie } })).status, 200);
  assert.equal(await pages(), earlier + 1);
});

test('nobody but its owner gets a link: another engineer, an officer and an operator are denied by policy', async () => {
  for (const who of ['bob', 'olga', 'otto']) {
    const done = await control.run(['sandbox', 'open', sandboxes.ada ?? '', '--port', '7000'], {
      token: tokens[who] ?? '',
    });
    assert.equal(done.code, 5, `${who}: ${done.stderr}`);
  }
  const denied = (await entries()).filter((one) => one.outcome === 'denied').map((one) => one.actor.user);
  for (const who of ['bob', 'olga', 'otto']) assert.ok(denied.includes(who));
});

test('a ticket is good once, at its own address; a used, foreign or made-up one is refused and in the log', async () => {
  const { url } = await open('ada');
  assert.equal((await ask(url)).status, 200);
  const again = await ask(url, { headers: { accept: 'text/html' } });
  assert.equal(again.status, 401);
  assert.match(again.text, /used already/);
  assert.match(again.headers['content-security-policy'] as string, /default-src 'none'/);
  const other = await open('ada', '7001');
  const ticket = new URL(other.url).search;
  const elsewhere = new URL(url);
  elsewhere.search = ticket;
  assert.equal((await ask(elsewhere.href)).status, 401);
  elsewhere.search = `?ticket=${'A'.repeat(43)}`;
  assert.equal((await ask(elsewhere.href)).status, 401);
  assert.equal((await ask(other.url)).status, 200);
  const refused = (await entries()).filter((one) => one.outcome === 'denied');
  assert.ok(refused.some((one) => one.actor.user === 'ada' && /used already/.test(String(one.details?.reason))));
  assert.ok(refused.some((one) => /another address/.test(String(one.details?.reason))));
});

test('a cookie opens the one port of the one sandbox that it was given for', async () => {
  const ada = await arrive('ada');
  const bob = await arrive('bob');
  const second = await arrive('ada', '7001');
  const asks = (at: { origin: string }, cookie: string) =>
    ask(`${at.origin}/`, { headers: cookie === '' ? {} : { cookie } });
  for (const one of [ada, bob, second]) assert.equal((await asks(one, one.cookie)).status, 200);
  assert.equal((await asks(ada, bob.cookie)).status, 401);
  assert.equal((await asks(bob, ada.cookie)).status, 401);
  assert.equal((await asks(second, ada.cookie)).status, 401);
  assert.equal((await asks(ada, '')).status, 401);
  assert.equal((await asks(ada, `fumehood-visit=${'B'.repeat(43)}`)).status, 401);
  assert.equal(await echoOver(ada.origin, { cookie: bob.cookie, origin: ada.origin }), 401);
  // A page that adds a cookie of the same name shuts nobody out.
  assert.equal((await asks(ada, `fumehood-visit=x; ${ada.cookie}`)).status, 200);
});

test("pages of other origins neither change anything nor open a WebSocket with their reader's cookie", async () => {
  const { origin, cookie } = await arrive('ada');
  const neighbour = origin.replace('7000--', '7001--');
  const post = (headers: Record<string, string>) =>
    ask(`${origin}/change`, { method: 'POST', headers: { cookie, ...headers }, body: '1' });
  assert.equal((await post({ origin })).status, 200);
  for (const foreign of ['http://evil.example', neighbour, 'null', control.url]) {
    assert.equal((await post({ origin: foreign })).status, 403, foreign);
    assert.equal(await echoOver(origin, { cookie, origin: foreign }), 403, foreign);
    assert.equal((await ask(`${origin}/`, { headers: { cookie, origin: foreign } })).status, 403, foreign);
  }
  assert.equal((await post({})).status, 403, 'no Origin');
  assert.equal(await echoOver(origin, { cookie }), 403);
  const fetched = { cookie, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' };
  assert.equal((await ask(`${origin}/`, { headers: fetched })).status, 403);
  const framed = { cookie, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' };
  assert.equal((await ask(`${origin}/`, { headers: framed })).status, 403);
  assert.equal(await echoOver(origin, { cookie, origin }), 'hello');
});

test("no name leads to the wrong side: the API is not under a sandbox's name, nor a sandbox under the API's", async () => {
  const { origin, cookie } = await arrive('ada');
  const { port } = new URL(origin);
  const authorization = `Bearer ${tokens.ada}`;
  assert.equal((await ask(`${control.url}/api/v1/sandboxes`, { headers: { authorization } })).status, 200);
  assert.equal((await ask(`${origin}/api/v1/sandboxes`, { headers: { authorization } })).status, 401);
  const inside = await ask(`${origin}/api/v1/sandboxes`, { headers: { authorization, cookie } });
  assert.equal(JSON.parse(inside.text).method, 'GET', 'the app answers, and not the API');
  assert.ok(!inside.text.includes(tokens.ada ?? '-'), 'a token of Fumehood goes into no sandbox');
  const names = [
    `8888--${sandboxes.ada}.localhost`,
    `70000--${sandboxes.ada}.localhost`,
    `x.${sandboxes.ada}.localhost`,
    'elsewhere.localhost',
  ];
  for (const name of names) {
    for (const path of ['/', '/healthz', '/api/v1/sandboxes'])
      assert.equal(
        (await ask(`http://${name}:${port}${path}`, { headers: { cookie, authorization } })).status,
        404,
        name + path,
      );
  }
  assert.equal(
    (await ask(`http://evil.example:${port}/api/v1/sandboxes`, { headers: { cookie, authorization } })).status,
    403,
  );
  assert.equal((await ask(`${origin}/`, { path: `${control.url}/healthz`, headers: { cookie } })).status, 400);
  assert.equal((await ask(`${control.url}/change`, { headers: { cookie } })).status, 401);
});

test('our cookie stays outside, and what an app sends acts on its own origin alone', async () => {
  const { origin, cookie } = await arrive('ada');
  const sent = {
    cookie: `theirs=1; ${cookie}`,
    'x-forwarded-for': '1.2.3.4',
    connection: 'keep-alive, x-hop',
    'x-hop': '1',
    te: 'trailers',
  };
  const answer = await ask(`${origin}/hostile`, { headers: sent });
  const seen = new Map<string, string>(JSON.parse(answer.text).headers);
  assert.equal(seen.get('cookie'), 'theirs=1');
  for (const name of ['x-forwarded-for', 'x-hop', 'te']) assert.equal(seen.get(name), undefined, name);
  assert.equal(seen.get('host'), new URL(origin).host);
  assert.deepEqual(answer.headers['set-cookie'], ['app=1; Path=/']);
  for (const name of ['clear-site-data', 'strict-transport-security', 'proxy-authenticate', 'x-named'])
    assert.equal(answer.headers[name], undefined, name);
  const policy = String(answer.headers['content-security-policy']);
  for (const part of ["default-src 'self'", "frame-ancestors 'self'", "form-action 'self'"])
    assert.ok(policy.includes(part), policy);
  assert.equal(answer.headers['x-frame-options'], 'SAMEORIGIN');
});

test('an app that answers nonsense, nothing or without end harms nobody: the reader is told, the next request is served', async () => {
  const { origin, cookie } = await arrive('ada');
  for (const path of ['/garbage', '/hang-up', '/endless-headers']) {
    const answer = await ask(`${origin}${path}`, { headers: { cookie } });
    assert.equal(answer.status, 503, path);
    assert.match(answer.text, /Nothing answers/);
    assert.equal((await ask(`${origin}/`, { headers: { cookie } })).status, 200);
  }
  const silent = await arrive('ada', '7999');
  assert.equal((await ask(`${silent.origin}/`, { headers: { cookie: silent.cookie } })).status, 503);
  const door = await control.run(['sandbox', 'open', sandboxes.ada ?? '', '--port', '5000'], {
    token: tokens.ada ?? '',
  });
  assert.equal(door.code, 2, door.stderr);
});

test('what was opened ends with its token and with its user, WebSockets too', { timeout: 120_000 }, async () => {
  const made = await control.json<{ id: string; token: string }>(['token', 'create', '--name', 'short'], {
    token: tokens.ada ?? '',
  });
  const opened = await control.json<Opened>(['sandbox', 'open', sandboxes.ada ?? '', '--port', '7000'], {
    token: made.token,
  });
  const { origin, cookie } = await visit(opened.url);
  assert.equal((await ask(`${origin}/`, { headers: { cookie } })).status, 200);
  const lasting = openLasting(origin, cookie);
  await lasting.opened;
  await control.json(['token', 'revoke', made.id, '--yes'], { token: tokens.ada ?? '' });
  await until(async () => (await ask(`${origin}/`, { headers: { cookie } })).status === 401);
  await lasting.closed;
  const bob = await arrive('bob');
  assert.equal((await ask(`${bob.origin}/`, { headers: { cookie: bob.cookie } })).status, 200);
  await control.json(['user', 'update', 'bob', '--disable'], {});
  await until(async () => (await ask(`${bob.origin}/`, { headers: { cookie: bob.cookie } })).status === 401);
});

test('a sandbox that has ended has no address any more', async () => {
  const { origin, cookie } = await arrive('ada');
  await control.json(['sandbox', 'delete', sandboxes.ada ?? '', '--yes'], { token: tokens.ada ?? '' });
  assert.equal((await ask(`${origin}/`, { headers: { cookie, 'sec-fetch-dest': 'document' } })).status, 409);
  assert.equal(await echoOver(origin, { cookie, origin }), 409);
});

/** A WebSocket in a process of its own, as a browser would keep one open. */
function openLasting(origin: string, cookie: string): { opened: Promise<void>; closed: Promise<void> } {
  const { host, port } = new URL(origin);
  const script = `const { WebSocket } = await import('ws');
    const socket = new WebSocket('ws://127.0.0.1:${port}/socket', { headers: { host: '${host}', cookie: '${cookie}', origin: '${origin}' } });
    socket.once('open', () => console.log('open'));
    socket.once('close', () => process.exit(0));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const opened = new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return { opened, closed };
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const latest = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > latest) throw new Error('it did not come to pass within a minute');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
