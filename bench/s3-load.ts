/** An S3 load generator: keeps connections busy with signed requests. Reads what to send as JSON from stdin. */
import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Agent, type IncomingMessage, request } from 'node:http';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { quantiles } from './measure.ts';
import { type S3Place, signedHeaders } from './sign-s3.ts';

export type S3Load = S3Place & {
  bucket: string;
  method: 'PUT' | 'GET';
  sizeBytes: number;
  connections: number;
  /** Requests of all connections together; GET reads the keys that PUT wrote. */
  requests: number;
  /** For a server that syncs nothing: where its objects lie as files. Each is synced, with its folder, before it counts as written. */
  syncUnder?: string;
};
export type S3LoadResult = { perSecond: number; bytesPerSecond: number; medianMs: number; p99Ms: number };

const load = JSON.parse(await text(process.stdin)) as S3Load;
const agent = new Agent({ keepAlive: true, maxSockets: load.connections });
const content = randomBytes(load.sizeBytes);

async function once(at: number): Promise<void> {
  const path = `/${load.bucket}/${load.sizeBytes}/${at % load.requests}`;
  await send(path);
  if (load.syncUnder === undefined) return;
  await sync(join(load.syncUnder, path));
  await sync(dirname(join(load.syncUnder, path)));
}

function send(path: string): Promise<void> {
  const headers = signedHeaders(load, load.method, path);
  if (load.method === 'PUT') headers['content-length'] = String(load.sizeBytes);
  return new Promise((resolve, reject) => {
    const sent = request(
      { agent, host: '127.0.0.1', port: load.port, method: load.method, path, headers },
      (answer: IncomingMessage) => {
        let bytes = 0;
        answer.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
        });
        answer.once('error', reject);
        answer.once('end', () => {
          const whole = load.method === 'PUT' || bytes === load.sizeBytes;
          if (answer.statusCode === 200 && whole) resolve();
          else reject(new Error(`${load.method} ${path} answered ${answer.statusCode} with ${bytes} bytes`));
        });
      },
    );
    sent.once('error', reject);
    sent.end(load.method === 'PUT' ? content : undefined);
  });
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r');
  await file.sync();
  await file.close();
}

let next = 0;
const samples: number[] = [];
async function worker(): Promise<void> {
  while (next < load.requests) {
    const at = next;
    next += 1;
    const started = performance.now();
    await once(at);
    samples.push(performance.now() - started);
  }
}

await once(0);
const begun = performance.now();
await Promise.all(Array.from({ length: load.connections }, worker));
const seconds = (performance.now() - begun) / 1000;
const { median, p99 } = quantiles(samples);
const result: S3LoadResult = {
  perSecond: load.requests / seconds,
  bytesPerSecond: (load.requests * load.sizeBytes) / seconds,
  medianMs: median,
  p99Ms: p99,
};
agent.destroy();
process.stdout.write(JSON.stringify(result));
