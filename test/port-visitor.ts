/** A browser's part in raw HTTP, for tests: names of sites go to the listener's own address, cookies are kept by hand. */
import { type IncomingHttpHeaders, request } from 'node:http';
import { WebSocket } from 'ws';

export type Answer = { status: number; headers: IncomingHttpHeaders; text: string };
export type Asked = { method?: string; headers?: Record<string, string>; body?: string | Buffer; path?: string };

/** Asks `url`, wherever its name would lead, at the port that it names on loopback. */
export function ask(url: string, asked: Asked = {}): Promise<Answer> {
  const { host, port, pathname, search } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        method: asked.method ?? 'GET',
        path: asked.path ?? pathname + search,
        headers: { host, ...asked.headers },
        setHost: false,
        agent: false,
      },
      (answer) => {
        let text = '';
        answer.setEncoding('latin1');
        answer.on('data', (chunk: string) => {
          text += chunk;
        });
        answer.once('error', reject);
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
      },
    );
    sent.once('error', reject);
    sent.end(asked.body);
  });
}

/** Follows a one-time link as a browser would; gives the cookie as it is sent back, and the origin. */
export async function visit(link: string): Promise<{ origin: string; cookie: string; answer: Answer }> {
  const answer = await ask(link);
  const [line = ''] = answer.headers['set-cookie'] ?? [];
  return { origin: new URL(link).origin, cookie: line.split(';')[0] ?? '', answer };
}

/** Opens a WebSocket and has one message echoed; gives the echo, or the status with which it was refused. */
export function echoOver(origin: string, headers: Record<string, string>): Promise<string | number> {
  const { host, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`, { headers: { host, ...headers } });
    const timer = setTimeout(() => reject(new Error('no echo within a minute')), 60_000).unref();
    socket.once('close', () => clearTimeout(timer));
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
