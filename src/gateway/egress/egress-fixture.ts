/** An egress door for tests: one sandbox, a DNS of our own, and servers on loopback. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { randomIds } from '#kernel/ids.ts';
import { createLog } from '#kernel/log.ts';
import { createIdentify } from '../identify.ts';
import { createListeners } from '../listeners.ts';
import { openTestGateway, sandboxOf } from '../test-gateway.ts';
import type { EgressConfig } from './egress-deps.ts';
import { createEgressDoor } from './egress-door.ts';

export const cleanups: (() => unknown)[] = [];

/** Ends what a test has opened, the newest first. */
export async function cleanUp(): Promise<void> {
  for (const clean of cleanups.splice(0).reverse()) await clean();
}

export async function listen(server: Server): Promise<number> {
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
export async function openEgress(options: Options = {}) {
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

export async function connectThrough(proxy: number, authority: string): Promise<Opened> {
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

export function read(socket: Socket, done: (text: string) => boolean): Promise<string> {
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

export async function until(check: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !check(); i += 1) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(check(), 'it came about in time');
}

export async function plain(proxy: number, text: string): Promise<string> {
  const socket = connect(proxy, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(text);
  return read(socket, () => false);
}
