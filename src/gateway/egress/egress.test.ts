import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { randomIds } from '#kernel/ids.ts';
import { createLog } from '#kernel/log.ts';
import { createIdentify } from '../identify.ts';
import { createListeners } from '../listeners.ts';
import { openTestGateway, sandboxOf } from '../test-gateway.ts';
import type { EgressConfig } from './egress-deps.ts';
import { createEgressDoor } from './egress-door.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => undefined);
    sockets.add(socket);
  });
  cleanups.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

type Options = {
  config?: EgressConfig;
  names?: Record<string, string[]>;
  grants?: (port: number) => { host: string; port: number }[];
  target?: Server;
};

/** A proxy with one sandbox, and a server on loopback that the operator excepted; `names` is all the DNS there is. */
async function openEgress(options: Options = {}) {
  const world = await openTestGateway();
  cleanups.push(() => world.close());
  const port = await listen(options.target ?? createServer((socket) => socket.pipe(socket)));
  const resolved: string[] = [];
  const lines: string[] = [];
  const log = createLog((line) => lines.push(line));
  const names: Record<string, string[]> = { 'good.example': ['127.0.0.1'], ...options.names };
  const door = createEgressDoor({
    ...world,
    identify: createIdentify({
      sandboxIdentity: (id) => (id === 'sb-1' ? sandboxOf('sb-1', 'ada') : undefined),
      authenticateToken: async () => sandboxOf('nobody', 'nobody'),
    }),
    grantsOf: () => options.grants?.(port) ?? Object.keys(names).map((host) => ({ host, port })),
    log,
    config: { allowPrivate: [`127.0.0.1:${port}`], helloTimeoutMs: 300, ...options.config },
    resolve: async (host) => {
      resolved.push(host);
      const found = names[host];
      if (found === undefined) throw new Error('ENOTFOUND');
      return found;
    },
    ownAddresses: () => ['203.0.114.5'],
  });
  const listeners = createListeners({ doors: [door], isServed: () => true, log, ids: randomIds });
  cleanups.push(() => listeners.close());
  const sandboxId = 'sb-1';
  const proxy = await listen(
    createServer({ allowHalfOpen: true }, (socket) => listeners.acceptSandbox({ sandboxId, door: 'egress', socket })),
  );
  return { ...world, door, port, proxy, resolved, lines, listeners };
}

type Opened = { socket: Socket; head: string; status: number };

async function connectThrough(proxy: number, authority: string): Promise<Opened> {
  const socket = connect(proxy, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n`);
  cleanups.push(() => socket.destroy());
  const head = await read(
    socket,
    (text) => text.includes('\r\n\r\n') && (text.startsWith('HTTP/1.1 200') || text.trimEnd().endsWith('}')),
  );
  return { socket, head, status: Number(head.split(' ')[1]) };
}

function read(socket: Socket, done: (text: string) => boolean): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const finish = (): void => {
      socket.off('data', onData);
      resolve(text);
    };
    const onData = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      if (done(text)) finish();
    };
    socket.on('data', onData);
    socket.once('close', finish);
  });
}

async function until(check: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !check(); i += 1) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(check(), 'it came about in time');
}

async function plain(proxy: number, text: string): Promise<string> {
  const socket = connect(proxy, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(text);
  return read(socket, () => false);
}

test('a granted tunnel carries bytes both ways; its opening and its end with the counts are in the log', async () => {
  const { proxy, port, entries, asked } = await openEgress();
  const { socket, head, status } = await connectThrough(proxy, `GOOD.example.:${port}`);
  assert.equal(status, 200);
  assert.match(head, /x-request-id: req-/);
  const echoed = read(socket, (text) => text.length === 5);
  socket.write('hello');
  assert.equal(await echoed, 'hello');
  socket.end();
  await until(() => entries.some((entry) => entry.action === 'egress.close'));
  const [opening, closing] = entries;
  assert.deepEqual(
    [opening?.action, opening?.outcome, opening?.object.id],
    ['egress.connect', 'ok', `good.example:${port}`],
  );
  assert.equal(opening?.decision?.allowed, true);
  assert.equal(opening?.details?.addresses, '127.0.0.1');
  assert.deepEqual([closing?.details?.bytesOut, closing?.details?.bytesIn, closing?.details?.reason], [5, 5, 'ended']);
  assert.deepEqual([closing?.requestId, closing?.details?.sandbox, entries.length], [opening?.requestId, 'sb-1', 2]);
  assert.equal(asked[0]?.resource, 'egress');
  assert.deepEqual(
    [asked[0]?.object.host, asked[0]?.object.port, asked[0]?.object.granted],
    ['good.example', port, true],
  );
});

test('without a grant it is refused with the rule, its decision id and no look-up of the name', async () => {
  const { proxy, port, entries, resolved, policy } = await openEgress({ grants: () => [] });
  policy.allows = (question) => question.object.granted === true;
  const { head, status } = await connectThrough(proxy, `good.example:${port}`);
  assert.equal(status, 403);
  assert.match(head, /no rule allows egress.connect on good.example/);
  assert.match(head, /"decisionId":"decision-/);
  policy.allows = () => true;
  const other = await connectThrough(proxy, `good.example:${port}`);
  assert.match(
    other.head,
    /403[\s\S]*was not granted/,
    'a policy that forgets to ask for the grant does not open the wall',
  );
  assert.deepEqual(resolved, []);
  assert.deepEqual(
    entries.map((entry) => entry.outcome),
    ['denied', 'failed'],
  );
});

test('a grant is for its port only, and for no other name', async () => {
  const { proxy, port } = await openEgress();
  for (const authority of [`good.example:${port + 1}`, `sub.good.example:${port}`, `127.0.0.1:${port}`])
    assert.equal((await connectThrough(proxy, authority)).status, 403, authority);
});

const BAD_ADDRESSES = [
  '127.0.0.2',
  '10.1.2.3',
  '169.254.169.254',
  '100.64.0.1',
  '::1',
  '::ffff:127.0.0.2',
  'fe80::1%eth0',
  'fd00:ec2::254',
  '64:ff9b::a00:1',
  '0.0.0.0',
  '203.0.114.5',
  '::ffff:203.0.114.5',
  'nonsense',
];

test('a name is refused when any of its addresses is not the public internet, in any notation, or is of this host', async () => {
  const names = Object.fromEntries(
    BAD_ADDRESSES.map((address, index) => [`n${index}.example`, ['127.0.0.1', address]]),
  );
  const { proxy, port, entries } = await openEgress({ names });
  for (const [name, addresses] of Object.entries(names)) {
    const { status, head } = await connectThrough(proxy, `${name}:${port}`);
    assert.equal(status, 403, addresses.join(' '));
    assert.match(head, /leads to/);
  }
  assert.ok(entries.every((entry) => entry.outcome === 'failed' && entry.decision?.allowed === true));
});

test('addresses given as numbers are refused even when a spec grants them', async () => {
  const hosts = ['127.0.0.2', '0x7f.2', '2130706434', '[::1]', '[::ffff:10.0.0.1]', '169.254.169.254', '0'];
  const { proxy, port } = await openEgress({ grants: (port) => hosts.map((host) => ({ host, port })) });
  for (const host of hosts) assert.equal((await connectThrough(proxy, `${host}:${port}`)).status, 403, host);
});

test('it dials what it resolved: a name that changes its address in between is not looked up again', async () => {
  const { proxy, port, resolved } = await openEgress();
  await connectThrough(proxy, `good.example:${port}`);
  assert.deepEqual(resolved, ['good.example']);
});

const tlsClient = (socket: Socket, servername: string) =>
  connectTls({ socket, rejectUnauthorized: false, ...(servername === '' ? {} : { servername }) }).on(
    'error',
    () => undefined,
  );

test('TLS must name the granted host: another name, or none, ends the tunnel before a byte goes out', async () => {
  const received: Buffer[] = [];
  const target = createServer((socket) => socket.on('data', (chunk) => received.push(chunk)));
  const { proxy, port, entries } = await openEgress({ target });
  for (const servername of ['evil.example', 'sub.good.example', '']) {
    const { socket } = await connectThrough(proxy, `good.example:${port}`);
    const before = entries.length;
    tlsClient(socket, servername);
    await once(socket, 'close');
    await until(() => entries.length > before);
    assert.equal(entries.at(-1)?.outcome, 'denied');
    assert.match(String(entries.at(-1)?.details?.reason), /where good.example was granted/);
  }
  assert.equal(received.length, 0);
  const { socket } = await connectThrough(proxy, `good.example:${port}`);
  tlsClient(socket, 'good.example');
  await until(() => received.length > 0);
  assert.equal(received[0]?.[0], 22);
});

test('a host that speaks first is heard before the client has said anything', async () => {
  const { proxy, port } = await openEgress({ target: createServer((socket) => socket.write('220 ready\r\n')) });
  const { socket, head } = await connectThrough(proxy, `good.example:${port}`);
  const greeting = head.includes('220') ? head : await read(socket, (text) => text.includes('220'));
  assert.match(greeting, /220 ready/);
});

test('when a sandbox gathers a label its tunnels end, and it is not let out again', async () => {
  const { proxy, port, door, database, lineage, policy, entries } = await openEgress();
  const { socket } = await connectThrough(proxy, `good.example:${port}`);
  await database.transaction((tx) => lineage.addLabels(tx, { kind: 'sandbox', id: 'sb-1' }, ['PHI']));
  policy.allows = (_question, subject) => subject.labels.length === 0;
  const closed = once(socket, 'close');
  door.closeTunnels('sb-1');
  await closed;
  await until(() => entries.some((entry) => entry.details?.reason === 'closed by the gateway'));
  assert.equal((await connectThrough(proxy, `good.example:${port}`)).status, 403);
});

test('a sandbox has no more tunnels than its bound, and an idle one ends', async () => {
  const { proxy, port, entries } = await openEgress({ config: { maxTunnelsPerSandbox: 1, idleTimeoutMs: 150 } });
  const options = `good.example:${port}`;
  const { socket } = await connectThrough(proxy, options);
  assert.equal((await connectThrough(proxy, options)).status, 429);
  await once(socket, 'close');
  await until(() => entries.some((entry) => entry.details?.reason === 'idle'));
  assert.equal((await connectThrough(proxy, options)).status, 200);
});

test('unreadable targets and a dead host are answered in words, and audited', async () => {
  const { proxy, port, entries } = await openEgress({ names: { 'dead.example': ['127.0.0.1'], 'gone.example': [] } });
  for (const authority of ['user@good.example:80', 'good.example', 'b\u00fccher.example:80', '[fe80::1%25lo]:80'])
    assert.match((await connectThrough(proxy, Buffer.from(authority).toString('latin1'))).head, /^HTTP\/1.1 400/);
  assert.equal((await connectThrough(proxy, `gone.example:${port}`)).status, 502);
  assert.ok(entries.length >= 2);
  assert.ok(entries.every((entry) => entry.outcome !== 'ok'));
});

/** A server that tells what it was sent. */
function tellingServer(): { server: Server; seen: IncomingMessage[] } {
  const seen: IncomingMessage[] = [];
  const server = createHttpServer(async (request, response) => {
    seen.push(request);
    let body = '';
    for await (const chunk of request) body += chunk;
    response.writeHead(201, {
      'content-type': 'text/plain',
      connection: 'close, x-secret',
      'x-secret': 'hop',
      'x-kept': 'yes',
    });
    response.end(`${request.method} ${request.url} ${body}`);
  });
  return { server, seen };
}

test('plain HTTP is forwarded in absolute form, without the headers of the hop, with the body and the answer whole', async () => {
  const { server, seen } = tellingServer();
  const { proxy, port, entries } = await openEgress({ target: server });
  const host = `good.example:${port}`;
  const answer = await plain(
    proxy,
    `POST http://${host}/a?b=c HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 5\r\nProxy-Authorization: Basic x\r\nProxy-Connection: keep-alive\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nX-Kept: 1\r\n\r\nhello`,
  );
  assert.match(answer, /^HTTP\/1.1 201/);
  assert.match(answer, /POST \/a\?b=c hello/);
  assert.match(answer, /x-kept: yes/);
  assert.match(answer, /x-request-id: req-/);
  assert.equal(answer.includes('x-secret'), false);
  const headers = seen[0]?.headers ?? {};
  assert.deepEqual(Object.keys(headers).sort(), ['connection', 'content-length', 'host', 'x-kept']);
  await until(() => entries.length === 2);
  assert.ok(Number(entries[1]?.details?.bytesIn) > 50);
  const chunked = await plain(
    proxy,
    `GET http://${host} HTTP/1.1\r\nHost: ${host}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
  );
  assert.match(chunked, /GET \/ abc/);
});

test('plain HTTP is refused in any other form, and when Host and target differ', async () => {
  const { server, seen } = tellingServer();
  const { proxy, port } = await openEgress({ target: server });
  const host = `good.example:${port}`;
  const cases = [
    `GET / HTTP/1.1\r\nHost: ${host}\r\n`,
    `GET https://${host}/ HTTP/1.1\r\nHost: ${host}\r\n`,
    `GET ftp://${host}/ HTTP/1.1\r\nHost: ${host}\r\n`,
    `GET http://${host}/ HTTP/1.1\r\nHost: evil.example\r\n`,
    `GET http://${host}/ HTTP/1.1\r\nHost: ${host}\r\nHost: evil.example\r\n`,
    `GET http://user@${host}/ HTTP/1.1\r\nHost: ${host}\r\n`,
    `GET http://${host}\\@evil.example/ HTTP/1.1\r\nHost: ${host}\r\n`,
  ];
  for (const text of cases)
    assert.match(await plain(proxy, `${text}Connection: close\r\n\r\n`), /^HTTP\/1.1 400/, text);
  assert.equal(seen.length, 0);
});

test('people outside sandboxes are not served', async () => {
  const { listeners, port, entries } = await openEgress();
  const external = await listeners.openExternal({ door: 'egress', host: '127.0.0.1', port: 0 });
  assert.equal((await connectThrough(external.port, `good.example:${port}`)).status, 403);
  assert.equal(entries.at(-1)?.outcome, 'denied');
});

test('through an upstream proxy the name is asked for by CONNECT with its credentials, and inner names stay refused', async () => {
  const asked: string[] = [];
  const upstream = createServer((socket) => {
    socket.once('data', (chunk) => {
      asked.push(chunk.toString());
      socket.write('HTTP/1.1 200 OK\r\n\r\nfirst');
    });
  });
  const upstreamPort = await listen(upstream);
  const { proxy, port } = await openEgress({
    config: { upstreamProxy: `http://me:pw@127.0.0.1:${upstreamPort}` },
    grants: (port) =>
      ['elsewhere.example', 'metadata.google.internal', 'intranet', '10.0.0.1'].map((host) => ({ host, port })),
  });
  const { socket, status, head } = await connectThrough(proxy, `elsewhere.example:${port}`);
  assert.equal(status, 200);
  const first = head.includes('first') ? head : await read(socket, (text) => text.includes('first'));
  assert.match(first, /first/);
  assert.match(asked[0] ?? '', new RegExp(`^CONNECT elsewhere.example:${port} HTTP/1.1[\\s\\S]*Basic bWU6cHc=`));
  assert.equal((await connectThrough(proxy, `metadata.google.internal:${port}`)).status, 502);
  assert.equal((await connectThrough(proxy, `intranet:${port}`)).status, 502);
  assert.equal((await connectThrough(proxy, `10.0.0.1:${port}`)).status, 403);
  assert.equal(asked.length, 1);
});
