import assert from 'node:assert/strict';
import { createServer as createHttpServer, type Server } from 'node:http';
import { type AddressInfo, connect, createServer, type Server as NetServer } from 'node:net';
import { after, before, test } from 'node:test';
import { forwardRequest } from './forward-request.ts';
import { PortAgent } from './port-agent.ts';
import type { Site } from './site-address.ts';

/** An app that answers once on each connection, keeps it, and hangs up as soon as it is used again. */
let app: NetServer;
let connections = 0;
let door: Server;
let url = '';
const listen = (server: Server | NetServer): Promise<number> =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));

before(async () => {
  app = createServer((socket) => {
    connections += 1;
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
      socket.on('data', () => socket.destroy());
    });
  });
  const port = await listen(app);
  const agent = new PortAgent(async () => connect(port, '127.0.0.1'));
  const site = { kind: 'port', label: 'x', origin: 'http://x.localhost', sandboxId: 'sb-x', port } as Site;
  door = createHttpServer((request, response) => {
    forwardRequest({ request, response, site, agent }).catch((error: Error) =>
      response.writeHead(502).end(error.message),
    );
  });
  url = `http://127.0.0.1:${await listen(door)}/`;
});
after(() => {
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

test('what changes something is sent once, and its failure told', async () => {
  const before = connections;
  const answer = await fetch(url, { method: 'POST', body: 'change' });
  assert.equal(answer.status, 502);
  assert.equal(connections, before);
});
