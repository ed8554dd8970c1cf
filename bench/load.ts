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

/** The length of the first whole response in these bytes, or undefined. */
function responseLength(bytes: Buffer): number | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end).toLowerCase();
  const length = /\r\ncontent-length: (\d+)/.exec(head)?.[1];
  if (length === undefined) throw new Error(`a response without a length: ${head.slice(0, 200)}`);
  const whole = end + 4 + Number(length);
  if (bytes.length < whole) return undefined;
  if (!head.startsWith('http/1.1 200')) failed += 1;
  return whole;
}

function connection(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = createConnection({ port: load.port, host: '127.0.0.1', noDelay: true });
    let pending = Buffer.alloc(0);
    let started = 0;
    const next = (): void => {
      if (over()) return void socket.end(resolve);
      started = performance.now();
      socket.write(requestBytes());
    };
    socket.once('connect', next);
    socket.once('error', reject);
    socket.on('data', (chunk) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      const length = responseLength(pending);
      if (length === undefined) return;
      pending = pending.subarray(length);
      if (counting()) samples.push(performance.now() - started);
      next();
    });
  });
}

await Promise.all(Array.from({ length: load.connections }, connection));
const { median, p99 } = quantiles(samples);
const result: LoadResult = {
  perSecond: samples.length / (load.durationMs / 1000),
  medianMs: median,
  p99Ms: p99,
  requests: samples.length,
  failed,
};
process.stdout.write(JSON.stringify(result));
