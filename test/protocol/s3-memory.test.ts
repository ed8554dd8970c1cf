import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, before, describe, it } from 'node:test';

const MIB = 1024 * 1024;
const SIZE = Number(process.env.FUMEHOOD_TEST_OBJECT_BYTES ?? 256 * MIB);
const MOST_GROWTH = 64 * MIB;

/** The most memory that the process ever had, bytes. */
async function peakOf(child: ChildProcess): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

async function* pattern(): AsyncGenerator<Buffer> {
  const chunk = Buffer.alloc(256 * 1024, 'fumehood');
  for (let sent = 0; sent < SIZE; sent += chunk.length) yield chunk;
}

describe('streams of the S3 door', () => {
  let child: ChildProcess;
  let url = '';
  before(async () => {
    child = spawn(process.execPath, [join(import.meta.dirname, 's3-memory-server.ts')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    assert.ok(child.stdout);
    for await (const line of createInterface({ input: child.stdout })) {
      url = line;
      break;
    }
  });
  after(async () => {
    child.stdin?.end();
    await new Promise((resolve) => child.once('exit', resolve));
  });

  const send = (method: string, path: string, length?: number) =>
    request(`${url}${path}`, { method, headers: length === undefined ? {} : { 'content-length': length } });

  it(`pass ${SIZE / MIB} MiB in and out within ${MOST_GROWTH / MIB} MiB of memory`, async () => {
    const warm = send('PUT', '/mlflow/warm', 4 * MIB);
    const warmed = new Promise((resolve) => warm.once('response', (answer) => answer.resume().once('end', resolve)));
    warm.end(Buffer.alloc(4 * MIB));
    await warmed;
    const before = await peakOf(child);

    const put = send('PUT', '/mlflow/large', SIZE);
    const stored = new Promise<number | undefined>((resolve, reject) => {
      put.once('error', reject);
      put.once('response', (answer) => answer.resume().once('end', () => resolve(answer.statusCode)));
    });
    await pipeline(Readable.from(pattern(), { objectMode: false }), put);
    assert.equal(await stored, 200);

    const sent = createHash('sha256');
    for await (const chunk of pattern()) sent.update(chunk);
    const got = createHash('sha256');
    await new Promise<void>((resolve, reject) => {
      const get = send('GET', '/mlflow/large');
      get.once('error', reject);
      get.once('response', (answer) => void pipeline(answer, got).then(resolve, reject));
      get.end();
    });
    assert.equal(got.digest('hex'), sent.digest('hex'));
    const growth = (await peakOf(child)) - before;
    assert.ok(growth <= MOST_GROWTH, `it took ${Math.round(growth / MIB)} MiB`);
  });
});
