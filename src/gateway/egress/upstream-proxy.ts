/** A host that reaches the internet only through a proxy: tunnels are opened through that one by CONNECT (RFC 9110 section 9.3.6). */
import type { Socket } from 'node:net';
import { AppError } from '#kernel/errors.ts';
import { authorityOf, type Target } from './authority.ts';
import { dialOne } from './dial.ts';

export type UpstreamProxy = { host: string; port: number; authorization: string | undefined };

const MAX_REPLY_BYTES = 16 * 1024;

/** Parses `http://[user:password@]host:port`. Throws `invalid`. */
export function parseUpstreamProxy(text: string): UpstreamProxy {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.protocol !== 'http:' || url.hostname === '') {
    throw new AppError('invalid', 'egress.upstreamProxy must be http://host:port.', {
      details: { field: 'egress.upstreamProxy' },
    });
  }
  const user = decodeURIComponent(url.username);
  const password = decodeURIComponent(url.password);
  const credentials = Buffer.from(`${user}:${password}`).toString('base64');
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 80),
    authorization: user === '' ? undefined : `Basic ${credentials}`,
  };
}

/** Opens a tunnel to the target; the proxy resolves the name. Throws `unavailable`. */
export async function dialThrough(proxy: UpstreamProxy, target: Target, timeoutMs: number): Promise<Socket> {
  const socket = await dialOne(proxy.host, proxy.port, timeoutMs).catch((cause: unknown) => {
    throw new AppError('unavailable', 'The upstream proxy does not answer.', { cause });
  });
  const authority = authorityOf(target);
  const authorization = proxy.authorization === undefined ? '' : `proxy-authorization: ${proxy.authorization}\r\n`;
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${authorization}\r\n`);
  const { status, rest } = await readReply(socket, timeoutMs);
  if (status !== 200) {
    socket.destroy();
    throw new AppError('unavailable', `The upstream proxy refused the connection (${status}).`);
  }
  if (rest.length > 0) socket.unshift(rest);
  return socket;
}

function readReply(socket: Socket, timeoutMs: number): Promise<{ status: number; rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const done = (act: () => void): void => {
      clearTimeout(timer);
      socket.off('data', onData);
      socket.off('close', onClose);
      socket.pause();
      act();
    };
    const fail = (): void =>
      done(() => {
        socket.destroy();
        reject(new AppError('unavailable', 'The upstream proxy gave no answer.'));
      });
    const onClose = fail;
    const onData = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf('\r\n\r\n');
      if (end < 0 && received.length <= MAX_REPLY_BYTES) return;
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(received.subarray(0, 64).toString('latin1'))?.[1];
      if (end < 0 || status === undefined) fail();
      else done(() => resolve({ status: Number(status), rest: received.subarray(end + 4) }));
    };
    const timer = setTimeout(fail, timeoutMs);
    socket.on('data', onData);
    socket.on('close', onClose);
  });
}
