import { request as httpRequest, type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { AppError } from '#kernel/errors.ts';
import { type Headers, headersForApp, headersFromApp } from './forward-headers.ts';
import type { Site } from './site-address.ts';

type Upgrade = { request: IncomingMessage; socket: Duplex; head: Buffer; site: Site; connect: () => Promise<Duplex> };

/** Passes a WebSocket into a sandbox: its handshake by headers, then bytes both ways. Resolves when it has ended. */
export async function forwardUpgrade({ request, socket, head, site, connect }: Upgrade): Promise<void> {
  const stream = await connect();
  stream.on('error', () => socket.destroy());
  socket.once('close', () => stream.destroy());
  await new Promise<void>((resolve, reject) => {
    const inner = httpRequest({
      createConnection: () => stream,
      method: 'GET',
      path: request.url ?? '/',
      headers: { ...headersForApp(request, site), connection: 'Upgrade', upgrade: 'websocket' },
      setHost: false,
    });
    socket.once('close', resolve);
    inner.once('error', (error) => {
      stream.destroy();
      reject(new AppError('unavailable', 'Nothing answers at this port of the sandbox.', { cause: error }));
    });
    inner.once('response', (answer) => {
      socket.write(headOf(answer.statusCode ?? 502, { ...headersFromApp(answer, site), connection: 'close' }));
      answer.pipe(socket);
    });
    inner.once('upgrade', (answer, inside: Duplex, first: Buffer) => {
      if (answer.headers.upgrade?.toLowerCase() !== 'websocket') {
        inside.destroy();
        return reject(new AppError('unavailable', 'The app answered with another protocol than WebSocket.'));
      }
      inside.on('error', () => socket.destroy());
      socket.write(headOf(101, { ...headersFromApp(answer, site), connection: 'Upgrade', upgrade: 'websocket' }));
      if (first.length > 0) socket.write(first);
      if (head.length > 0) inside.write(head);
      socket.pipe(inside);
      inside.pipe(socket);
      inside.once('close', () => socket.destroy());
    });
    inner.end();
  });
}

function headOf(status: number, headers: Headers): string {
  const lines = Object.entries(headers).flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}`));
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, ...lines, '', ''].join('\r\n');
}
