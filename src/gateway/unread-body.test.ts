import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeUnread, isAnswerable, keepAnswerable } from './unread-body.ts';

const MEBIBYTE = 2 ** 20;

describe('a request that is answered before its body has arrived', () => {
  const served: (string | undefined)[] = [];
  let linger: { ms: number; bytes: number } | undefined;
  let careful = true;
  let server: Server;
  before(async () => {
    server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
      if (!isAnswerable(request)) return;
      served.push(request.url);
      keepAnswerable(request);
      for await (const _ of request) break;
      // Meanwhile what is sent fills all that holds it back.
      await sleep(20);
      if (careful) closeUnread(request, response, linger);
      else response.setHeader('connection', 'close');
      response.writeHead(503, { 'content-length': 4 }).end('full');
    });
    server.on('clientError', (_error, socket) => socket.destroy());
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  after(() => server.close());

  const head = (path: string, bytes: number): string =>
    `PUT ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`;

  const dial = (): Socket =>
    connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true }).on(
      'error',
      () => undefined,
    );

  /** A client that sends all its parts, each when the one before is out, and only then reads. */
  async function send(parts: (string | Buffer)[]): Promise<{ socket: Socket; answer: Promise<string> }> {
    const socket = dial();
    await once(socket, 'connect');
    for (const part of parts)
      await new Promise<void>((resolve, reject) =>
        socket.write(part, (error) => (error instanceof Error ? reject(error) : resolve())),
      );
    return { socket, answer: text(socket) };
  }
  const long = Array.from({ length: 48 }, () => Buffer.alloc(MEBIBYTE));

  it('is answered when a long body has been sent, and nothing that follows is served', async () => {
    const { answer } = await send([head('/long', 48 * MEBIBYTE), ...long, head('/next', 0)]);
    assert.match(await answer, /^HTTP\/1\.1 503 [\s\S]*connection: close[\s\S]*full$/i);
    assert.deepEqual(served.splice(0), ['/long']);
  });

  it('is cut off without an answer when the connection is closed at once: why it is not', async () => {
    careful = false;
    await assert.rejects(send([head('/long', 48 * MEBIBYTE), ...long]).then(({ answer }) => answer));
    careful = true;
    served.length = 0;
  });

  it('keeps the connection when little is left', async () => {
    const { socket, answer } = await send([head('/short', 2000), Buffer.alloc(1000)]);
    socket.write(Buffer.alloc(1000));
    await once(socket, 'data');
    socket.write(head('/next', 0).replace('Host', 'Connection: close\r\nHost'));
    assert.match(await answer, /full[\s\S]*full$/);
    assert.deepEqual(served.splice(0), ['/short', '/next']);
  });

  it('is cut off when it goes on for too long', async () => {
    linger = { ms: 100, bytes: 64 * MEBIBYTE };
    const socket = dial();
    socket.write(head('/endless', 1e12));
    const feeding = setInterval(() => socket.write('x'), 10);
    await new Promise((resolve) => socket.resume().once('close', resolve));
    clearInterval(feeding);
  });

  it('is cut off when it is too much', async () => {
    linger = { ms: 60_000, bytes: 16 * MEBIBYTE };
    await assert.rejects(send([head('/endless', 1e12), ...long]));
  });
});
