import assert from 'node:assert/strict';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:net';
import { afterEach, test } from 'node:test';
import { cleanUp, connectThrough, listen, openEgress, plain, read, until } from './egress-fixture.ts';

afterEach(cleanUp);

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
