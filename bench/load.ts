/** A load generator: keeps connections busy with one request after the other. Reads what to send as JSON from stdin. */
import { createConnection, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { quantiles } from './measure.ts';

export type Load = {
  port: number;
  method: string;
  path: string;
  headers: Record<string, string>;
  /** `{n}` becomes a number that is another one in every request. */
  body: string;
  connections: number;
  warmUpMs: number;
  durationMs: number;
};
export type LoadResult = { perSecond: number; medianMs: number; p99Ms: number; requests: number; failed: number };

const load = JSON.parse(await text(process.stdin)) as Load;
const begun = performance.now();
const counting = (): boolean => performance.now() - begun > load.warmUpMs;
const over = (): boolean => performance.now() - begun > load.warmUpMs + load.durationMs;
const samples: number[] = [];
let failed = 0;
let serial = Date.now() % 1_000_000;

function requestBytes(): Buffer {
  serial += 1;
  const body = load.body.replaceAll('{n}', String(serial));
  const headers = Object.entries({
    host: `localhost:${load.port}`,
    'content-length': String(Buffer.byteLength(body)),
    ...load.headers,
  });
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.from(`${load.method} ${load.path} HTTP/1.1\r\n${lines}\r\n${body}`);
}

/** The length of the first whole response in these bytes, and whether the server closes after it; undefined when it is not all there. */
function wholeResponse(bytes: Buffer): { length: number; closes: boolean } | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end).toLowerCase();
  const length = /\r\ncontent-length: (\d+)/.exec(head)?.[1];
  if (length === undefined) throw new Error(`a response without a length: ${head.slice(0, 200)}`);
  const whole = end + 4 + Number(length);
  if (bytes.length < whole) return undefined;
  if (!head.startsWith('http/1.1 200')) failed += 1;
  return { length: whole, closes: head.includes('\r\nconnection: close') };
}

/** Sends requests until the server closes or the time is over. */
function connection(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = createConnection({ port: load.port, host: '127.0.0.1', noDelay: true });
    let pending = Buffer.alloc(0);
    let started = performance.now();
    const next = (): void => {
      started = performance.now();
      socket.write(requestBytes());
    };
    socket.once('connect', next);
    socket.once('error', reject);
    socket.once('close', () => resolve());
    socket.on('data', (chunk) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      const response = wholeResponse(pending);
      if (response === undefined) return;
      pending = pending.subarray(response.length);
      if (counting()) samples.push(performance.now() - started);
      if (response.closes || over()) socket.destroy();
      else next();
    });
  });
}

async function worker(): Promise<void> {
  while (!over()) await connection();
}

await Promise.all(Array.from({ length: load.connections }, worker));
const { median, p99 } = quantiles(samples);
const result: LoadResult = {
  perSecond: samples.length / (load.durationMs / 1000),
  medianMs: median,
  p99Ms: p99,
  requests: samples.length,
  failed,
};
process.stdout.write(JSON.stringify(result));
