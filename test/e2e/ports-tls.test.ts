/** The port door with TLS: a wildcard name, a certificate for it, and what comes without or under another name. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { WebSocket } from 'ws';
import { makeHome, startControlPlane, type TestControlPlane } from '../control-plane.ts';
import { makeAuthority, type Pair } from '../tls-files.ts';

type Answer = { status: number; text: string; cookies: string[] };

const DOMAIN = 'apps.test';
const NAMES = [`DNS:*.${DOMAIN}`, 'IP:127.0.0.1'];
const APP = join(import.meta.dirname, '..', 'escape', 'port-app.py');
const folder = mkdtempSync(join(tmpdir(), 'fumehood-tls-'));
const { ca, issue } = makeAuthority(folder);
const trusted = readFileSync(ca);
const live: Pair = { cert: join(folder, 'live.pem'), key: join(folder, 'live.key') };
const settings = (pair: Pair, more: Record<string, string> = {}): Record<string, string> => ({
  FUMEHOOD_TLS_CERT: pair.cert,
  FUMEHOOD_TLS_KEY: pair.key,
  FUMEHOOD_APPS_DOMAIN: DOMAIN,
  FUMEHOOD_DOORS_PUBLIC: 'false',
  NODE_EXTRA_CA_CERTS: ca,
  ...more,
});

let control: TestControlPlane;
let id = '';
let token = '';

before(async () => {
  replace(issue(NAMES));
  control = await startControlPlane(settings(live));
  token = await control.user('ada', 'engineer');
  id = (await control.json<{ id: string }>(['sandbox', 'create', '--memory', '256m', '--disk', '64m'], { token })).id;
  await control.run(['sandbox', 'cp', APP, `${id}:/workspace/app.py`], { token });
  const start = 'nohup python3 app.py 7000 >/tmp/app 2>&1 & until grep -q ready /tmp/app; do sleep 0.1; done';
  const done = await control.run(['sandbox', 'exec', id, '--', 'setsid', '--wait', 'sh', '-c', start], { token });
  assert.equal(done.code, 0, done.stderr);
});

after(async () => {
  await control?.close();
  rmSync(folder, { recursive: true, force: true });
});

function replace(pair: Pair): void {
  copyFileSync(pair.cert, live.cert);
  copyFileSync(pair.key, live.key);
}

const port = (): number => Number(new URL(control.url).port);

/** Asks as a browser does that trusts the authority: by name, over TLS. */
function ask(url: string, headers: Record<string, string> = {}): Promise<Answer> {
  const { hostname, host, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port: port(),
        servername: hostname,
        ca: trusted,
        path: pathname + search,
        headers: { host, ...headers },
        agent: false,
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        answer.once('end', () =>
          resolve({ status: answer.statusCode ?? 0, text, cookies: answer.headers['set-cookie'] ?? [] }),
        );
      },
    );
    sent.once('error', reject);
    sent.end();
  });
}

function echo(origin: string, headers: Record<string, string>): Promise<string | number> {
  const { host, hostname } = new URL(origin);
  return new Promise((resolve, reject) => {
    const options = { ca: trusted, servername: hostname, headers: { host, ...headers } };
    const socket = new WebSocket(`wss://127.0.0.1:${port()}/socket`, options);
    socket.once('open', () => socket.send('hello'));
    socket.once('message', (data) => {
      socket.close();
      resolve(String(data));
    });
    socket.once('unexpected-response', (_request, response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    socket.once('error', reject);
  });
}

async function enter(): Promise<{ origin: string; cookie: string; line: string }> {
  const { url } = await control.json<{ url: string }>(['sandbox', 'open', id, '--port', '7000'], { token });
  const [line = ''] = (await ask(url)).cookies;
  return { origin: new URL(url).origin, cookie: line.split(';')[0] ?? '', line };
}

test('a port is opened under its own name with https and wss, and its cookie goes nowhere else', async () => {
  const { origin, cookie, line } = await enter();
  assert.equal(origin, `https://7000--${id}.${DOMAIN}:${port()}`);
  assert.match(line, /^__Host-fumehood-visit=/);
  for (const part of ['HttpOnly', 'Secure', 'SameSite=Strict', 'Path=/'])
    assert.ok(line.split('; ').includes(part), line);
  assert.doesNotMatch(line, /domain/i);
  const page = await ask(`${origin}/page`, { cookie });
  assert.equal(page.status, 200);
  const seen = new Map<string, string>(JSON.parse(page.text).headers);
  assert.equal(seen.get('x-forwarded-proto'), 'https');
  assert.equal(seen.get('x-forwarded-host'), new URL(origin).host);
  assert.equal(seen.get('cookie'), undefined);
  assert.equal((await ask(`${origin}/page`)).status, 401);
  assert.equal(await echo(origin, { cookie, origin }), 'hello');
  assert.equal(await echo(origin, { cookie, origin: origin.replace('https', 'http') }), 403);
  // The name of the cookie that goes without TLS is not taken for it.
  assert.equal((await ask(`${origin}/page`, { cookie: cookie.replace('__Host-', '') })).status, 401);
});

test('the page of a run has its name below the same domain', async () => {
  const { runPages } = await control.json<{ runPages: string }>(['status'], { token });
  assert.equal(runPages, `https://runs.${DOMAIN}:${port()}/`);
  assert.equal((await ask(runPages)).status, 401);
});

test('plain http is not answered', async () => {
  const { origin, cookie } = await enter();
  const { host } = new URL(origin);
  const plain = new Promise((resolve, reject) => {
    const sent = plainRequest({ host: '127.0.0.1', port: port(), path: '/page', headers: { host, cookie } }, resolve);
    sent.once('error', reject);
    sent.end();
  });
  await assert.rejects(plain, /hang up|ECONNRESET/);
});

test('an unknown name leads nowhere, and one that the certificate does not name is not believed', async () => {
  const { origin, cookie } = await enter();
  const asName = (name: string) => ask(`${origin}/page`, { host: `${name}:${port()}`, cookie });
  for (const name of [
    `elsewhere.${DOMAIN}`,
    `x.7000--${id}.${DOMAIN}`,
    `8888--${id}.${DOMAIN}`,
    `7000--${id}.localhost`,
  ])
    assert.equal((await asName(name)).status, 404, name);
  assert.equal((await asName('evil.example')).status, 403);
  await assert.rejects(ask(`https://7000--${id}.other.test:${port()}/page`, { cookie }), /altnames|ALTNAME/i);
});

test('a renewed certificate is served to new connections while the sandbox goes on; a bad one is not', {
  timeout: 120_000,
}, async () => {
  const { origin, cookie } = await enter();
  const serial = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connectTls(
        { host: '127.0.0.1', port: port(), servername: new URL(origin).hostname, ca: trusted },
        () => {
          resolve(socket.getPeerCertificate().subject.CN as string);
          socket.end();
        },
      );
      socket.once('error', reject);
    });
  const first = await serial();
  // Half of a pair: the key of another.
  copyFileSync(issue(NAMES).key, live.key);
  await until(async () =>
    readFileSync(join(control.home, 'control.log'), 'utf8').includes('the changed certificate is not used'),
  );
  assert.equal(await serial(), first);
  replace(issue(NAMES));
  await until(async () => (await serial()) !== first);
  assert.equal((await ask(`${origin}/page`, { cookie })).status, 200);
});

test('a certificate that no browser would believe ends the start, and TLS without a wildcard name opens nothing, each with the reason', async () => {
  const home = await makeHome({ NODE_EXTRA_CA_CERTS: ca });
  try {
    const past = issue(NAMES, ['20200101000000Z', '20210101000000Z']);
    const done = await home.run(['up', '--detach'], { env: settings(past) });
    assert.notEqual(done.code, 0);
    assert.match(done.stderr, /ended at 2021-01-01/);
    const without = settings(issue(NAMES));
    delete without.FUMEHOOD_APPS_DOMAIN;
    assert.equal((await home.run(['up', '--detach'], { env: without })).code, 0);
    const opened = await home.run(['sandbox', 'create', '--name', 'x', '--memory', '256m', '--disk', '64m'], {
      env: without,
    });
    assert.equal(opened.code, 0, opened.stderr);
    const refused = await home.run(['sandbox', 'open', 'x', '--port', '7000'], { env: without });
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /wildcard name, and none is configured[\s\S]*apps\.domain/);
  } finally {
    await home.run(['down', '--yes']);
    rmSync(home.home, { recursive: true, force: true });
  }
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  const latest = performance.now() + 60_000;
  while (!(await condition())) {
    assert.ok(performance.now() < latest, 'it did not come to pass within a minute');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
