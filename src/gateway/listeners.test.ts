import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { randomIds } from '#kernel/ids.ts';
import { createLog } from '#kernel/log.ts';
import type { Door, Peer } from './door.ts';
import { createListeners, type Listeners } from './listeners.ts';

const open: { close(): void }[] = [];
after(() => {
  for (const one of open) one.close();
});

const seen: { method: string | undefined; peer: Peer; body: string }[] = [];
const door: Door = {
  id: 'echo',
  port: 1,
  routes: [],
  listVerb: true,
  maxBodyBytes: 100_000,
  handle: async ({ request, response, peer }) => {
    if (request.url === '/throws') throw new Error('broken on purpose: hunter2');
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push({ method: request.method, peer, body });
    response.end(`${request.method} ${peer.kind} ${body.length}`);
  },
};

/** A loopback listener in the place of a driver's: what connects to it belongs to the sandbox. */
async function sandboxPort(listeners: Listeners, sandboxId: string, doorId = 'echo'): Promise<number> {
  const server: Server = createServer((socket) => listeners.acceptSandbox({ sandboxId, door: doorId, socket }));
  open.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

function start(options: { served?: string[]; most?: number; headersTimeoutMs?: number } = {}) {
  const lines: string[] = [];
  const listeners = createListeners({
    doors: [door],
    isServed: (id) => (options.served ?? ['sb-1']).includes(id),
    log: createLog((line) => lines.push(line)),
    ids: randomIds,
    ...(options.most === undefined ? {} : { maxConnectionsPerSandbox: options.most }),
    ...(options.headersTimeoutMs === undefined ? {} : { limits: { headersTimeoutMs: options.headersTimeoutMs } }),
  });
  open.push({ close: () => void listeners.close() });
  return { listeners, lines };
}

async function talk(port: number, text: string, done: (received: string) => boolean): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1');
  let received = '';
  socket.on('error', () => undefined);
  socket.write(text);
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      received += chunk;
      if (done(received)) resolve();
    });
    socket.on('close', () => resolve());
  });
  socket.destroy();
  return received;
}

const answers = (count: number) => (received: string) =>
  received.split('HTTP/1.1 ').length > count && /\d$/.test(received);

test('LIST, POST with a body full of LIST, and pipelined requests are served on one connection, each with its peer', async () => {
  const { listeners } = start();
  const port = await sandboxPort(listeners, 'sb-1');
  const body = 'LIST /v1 HTTP/1.1\r\n\r\n'.repeat(50);
  const received = await talk(
    port,
    `LIST /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}LIST /c HTTP/1.1\r\nHost: x\r\n\r\n`,
    answers(3),
  );
  assert.equal(received.match(/LIST sandbox 0/g)?.length, 2);
  assert.match(received, new RegExp(`POST sandbox ${body.length}`));
  assert.equal(received.match(/x-request-id: req-[0-9a-f]{32}/g)?.length, 3);
  assert.equal(seen.find((one) => one.method === 'POST')?.body, body);
  assert.deepEqual(seen.at(-1)?.peer, { kind: 'sandbox', sandboxId: 'sb-1' });
});

test('an external listener serves the same door as an external peer', async () => {
  const { listeners } = start();
  const { port } = await listeners.openExternal({ door: 'echo', host: '127.0.0.1', port: 0 });
  assert.match(await talk(port, 'LIST / HTTP/1.1\r\nHost: x\r\n\r\n', answers(1)), /LIST external 0/);
  await assert.rejects(listeners.openExternal({ door: 'echo', host: '127.0.0.1', port }), { code: 'conflict' });
  await assert.rejects(listeners.openExternal({ door: 'none', host: '127.0.0.1', port: 0 }), { code: 'not_found' });
});

test('a connection of a sandbox that is not running, or to a door that does not exist, is cut without a byte', async () => {
  const { listeners } = start();
  const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
  assert.equal(await talk(await sandboxPort(listeners, 'sb-2'), request, () => false), '');
  assert.equal(await talk(await sandboxPort(listeners, 'sb-1', 'nothing'), request, () => false), '');
});

test('a sandbox has no more connections than its bound, and all are cut when it stops', async () => {
  const { listeners } = start({ most: 2 });
  const port = await sandboxPort(listeners, 'sb-1');
  const sockets = await Promise.all(
    [0, 1].map(async () => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      await once(socket, 'data');
      return socket;
    }),
  );
  assert.equal(await talk(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', () => false), '');
  const closed = Promise.all(sockets.map((socket) => once(socket, 'close')));
  listeners.closeSandbox('sb-1');
  await closed;
  assert.match(await talk(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', answers(1)), /GET sandbox/);
});

test('a door that throws answers 500 with the request id and nothing of the cause, which is logged', async () => {
  const { listeners, lines } = start();
  const port = await sandboxPort(listeners, 'sb-1');
  const received = await talk(port, 'GET /throws HTTP/1.1\r\nHost: x\r\n\r\n', (text) => text.includes('}}'));
  const requestId = /x-request-id: (\S+)/.exec(received)?.[1] ?? '?';
  assert.match(received, /^HTTP\/1.1 500/);
  assert.equal(received.includes('hunter2'), false);
  assert.ok(lines.some((line) => line.includes(requestId) && line.includes('hunter2')));
});

test('oversized bodies, oversized headers, unreadable requests and CONNECT are refused with a request id', async () => {
  const { listeners } = start();
  const port = await sandboxPort(listeners, 'sb-1');
  const cases: [string, RegExp][] = [
    ['POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n', /^HTTP\/1.1 413/],
    [`GET / HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(40_000)}\r\n\r\n`, /^HTTP\/1.1 431/],
    ['NONSENSE\r\n\r\n', /^HTTP\/1.1 400/],
    ['CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', /^HTTP\/1.1 405/],
  ];
  for (const [text, expected] of cases) {
    const received = await talk(port, text, (head) => head.includes('\r\n\r\n'));
    assert.match(received, expected);
    assert.match(received, /x-request-id: req-/);
  }
});

test('a connection that never finishes its headers is ended', async () => {
  const { listeners } = start({ headersTimeoutMs: 200 });
  const port = await sandboxPort(listeners, 'sb-1');
  assert.match(await talk(port, 'GET / HTTP/1.1\r\nHost: ', () => false), /^HTTP\/1.1 408/);
  assert.match(await talk(port, 'LIS', () => false), /^HTTP\/1.1 408/);
});
