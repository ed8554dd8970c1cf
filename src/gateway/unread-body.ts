/**
 * What becomes of the body of a request that was answered before it had arrived. A client that is still sending reads its answer afterwards, and
 * never if it is cut off: the reset takes the answer along.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** So much is taken in full, and the connection kept for the next request. */
const DRAINED_BYTES = 1024 * 1024;
/** For so long, and so much, a client may go on to send more than that: a part of an upload as s3fs sends it. */
const LINGER = { ms: 30_000, bytes: 50 * 1024 * 1024 };

/** Whoever gives up in the middle of the body, by a `throw` in its loop, can still answer: on its own Node would end the connection. */
export function keepAnswerable(request: IncomingMessage): void {
  request[Symbol.asyncIterator] = () => request.iterator({ destroyOnReturn: false });
}

/**
 * Lets the answer reach a client that is still sending; called before the answer's head is written. The body is thrown away as it comes; a long
 * one is the last request of its connection, which is closed for writing with the answer, and cut off when that goes on for too long.
 */
export function closeUnread(request: IncomingMessage, response: ServerResponse, linger = LINGER): void {
  if (request.complete || !hasBody(request)) return;
  request.resume();
  if (Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY) <= DRAINED_BYTES) return;
  response.shouldKeepAlive = false;
  const { socket } = request;
  let left = linger.bytes;
  request.on('data', ({ length }: Buffer) => {
    left -= length;
    if (left < 0) socket.destroy();
  });
  // With this Node ends a connection after its last answer: at once, whatever still comes.
  socket.destroySoon = () => {
    socket.end();
    const timer = setTimeout(() => socket.destroy(), linger.ms).unref();
    socket.once('close', () => clearTimeout(timer));
  };
}

/** Whether a request can be answered: none is served that comes after the last answer of its connection. */
export const isAnswerable = (request: IncomingMessage): boolean => request.socket.writable;

/** Whether a request announces a body. */
export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
