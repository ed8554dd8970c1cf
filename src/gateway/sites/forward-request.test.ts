import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer, type Server } from 'node:http';
import { type AddressInfo, connect, createServer, type Server as NetServer } from 'node:net';
import { after, before, test } from 'node:test';
import { forwardRequest } from './forward-request.ts';
import { PortAgent } from './port-agent.ts';
import type { Site } from './site-address.ts';

/** An app that answers once on each connection, keeps it, and hangs up as soon as it is used again, but for some paths. */
let app: NetServer;
let agent: PortAgent;
let connections = 0;
let door: Server;
let url = '';
const listen = (server: Server | NetServer): Promise<number> =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));

before(async () => {
  app = createServer((socket) => {
    connections += 1;
    socket.on('error', () => undefined);
    let text = '';
    let asked = 0;
    socket.on('data', (chunk) => {
      text += String(chunk);
      const [head = '', body] = text.split('\r\n\r\n');
      if (body === undefined || body.length < Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)) return;
      text = '';
      asked += 1;
      if (body === 'hang up' || (asked > 1 && !head.startsWith('GET /steady'))) return void socket.destroy();
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      if (head.startsWith('GET /idle')) setTimeout(() => socket.end(), 50);
    });
  });
  const port = await listen(app);
  agent = new PortAgent(async () => connect(port, '127.0.0.1'));
  const site = { kind: 'port', label: 'x', origin: 'http://x.localhost', sandboxId: 'sb-x', port } as Site;
  door = createHttpServer((request, response) => {
    forwardRequest({ request, response, site, agent }).catch((error: Error) =>
      response.writeHead(502).end(error.message),
    );
  });
  url = `http://127.0.0.1:${await listen(door)}/`;
});
after(() => {
  agent.destroy();
  door.closeAllConnections();
  door.close();
  app.close();
});

test('a kept connection that ends as it is used again is no failure of a page', async () => {
  for (let round = 1; round <= 5; round += 1) {
    const answer = await fetch(url);
    assert.equal(`${answer.status} ${await answer.text()}`, '200 ok');
    assert.equal(connections, round, 'the connection before was used again, and then a new one');
  }
});

test('what changes something goes over a connection of its own, is sent once, and its failure told', async () => {
  await fetch(url);
  const before = connections;
  const answer = await fetch(url, { method: 'POST', body: 'change' });
  assert.equal(`${answer.status} ${await answer.text()}`, '200 ok');
  assert.equal(connections, before + 1, 'the kept connection, which would have ended, was not used');
  const failed = await fetch(url, { method: 'POST', body: 'hang up' });
  assert.equal(failed.status, 502);
  assert.equal(connections, before + 2);
});

test('a connection that the app has ended while nobody used it is not kept', async () => {
  await fetch(`${url}idle`);
  const [kept] = Object.values(agent.freeSockets).flat();
  assert.ok(kept !== undefined);
  await once(kept, 'close');
  assert.deepEqual(Object.values(agent.freeSockets).flat(), []);
});

test('a kept connection that is used often gathers no listeners', async () => {
  for (let round = 0; round < 5; round += 1) await (await fetch(`${url}steady`)).text();
  const [kept] = Object.values(agent.freeSockets).flat();
  assert.ok(kept !== undefined);
  const listeners = kept.listenerCount('error') + kept.listenerCount('data');
  const before = connections;
  for (let round = 0; round < 20; round += 1) await (await fetch(`${url}steady`)).text();
  assert.equal(connections, before, 'one connection served them all');
  assert.equal(kept.listenerCount('error') + kept.listenerCount('data'), listeners);
});
