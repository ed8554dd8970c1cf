/** What a large object takes of the control plane's memory while it is written, in one piece and in parts, and read. */
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Row } from './measure.ts';
import { BUCKET, type S3Home } from './s3-home.ts';
import { signedHeaders } from './sign-s3.ts';

const MIB = 2 ** 20;
/** FUMEHOOD_BENCH_OBJECT_MIB=256 is the quick mode. */
const SIZE_BYTES = Number(process.env.FUMEHOOD_BENCH_OBJECT_MIB ?? 2048) * MIB;
const PART_BYTES = 64 * MIB;
const MOST_GROWTH_MIB = 64;
const CHUNK = Buffer.alloc(MIB, 'what a fume hood lets through ');

/** One row each: the peak of resident memory over what it was before, after objects of 64 MiB have warmed it up. */
export async function measureObjectMemory(home: S3Home): Promise<Row[]> {
  const one = `/${BUCKET}/one-piece`;
  const parts = `/${BUCKET}/in-parts`;
  await put(home, one, PART_BYTES);
  await get(home, one);
  const size = `${SIZE_BYTES / 2 ** 30} GiB`;
  return [
    await growth(home, `S3 PUT of ${size} in one piece: growth of memory`, () => put(home, one, SIZE_BYTES)),
    await growth(home, `S3 PUT of ${size} in parts of 64 MiB: growth of memory`, () => putInParts(home, parts)),
    await growth(home, `S3 GET of ${size}: growth of memory`, () => get(home, one)),
  ];
}

async function growth(home: S3Home, what: string, work: () => Promise<unknown>): Promise<Row> {
  const before = memoryOf(home.pid, 'VmRSS');
  // From here on the kernel counts the peak anew (proc_pid_clear_refs(5)).
  writeFileSync(`/proc/${home.pid}/clear_refs`, '5');
  await work();
  const value = Math.max(0, memoryOf(home.pid, 'VmHWM') - before) / MIB;
  return {
    what,
    value,
    unit: 'MiB',
    against: [],
    reach: `<= ${MOST_GROWTH_MIB} MiB`,
    reached: value <= MOST_GROWTH_MIB,
  };
}

const memoryOf = (pid: number, name: 'VmRSS' | 'VmHWM'): number =>
  Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

type Sent = { etag: string; text: string };

/** Sends one request, its body of so many bytes or as it is given; throws unless it is answered with 200. */
function send(home: S3Home, method: string, path: string, query: string, body: number | string): Promise<Sent> {
  const length = typeof body === 'number' ? body : Buffer.byteLength(body);
  const headers = { ...signedHeaders(home, method, path, query), 'content-length': String(length) };
  return new Promise((resolve, reject) => {
    const target = {
      host: '127.0.0.1',
      port: home.port,
      method,
      path: query === '' ? path : `${path}?${query}`,
      headers,
    };
    const sent = request(target, (answer) => {
      text(answer).then((content) => {
        if (answer.statusCode === 200) resolve({ etag: answer.headers.etag ?? '', text: content });
        else reject(new Error(`${method} ${path} answered ${answer.statusCode}: ${content}`));
      }, reject);
    });
    sent.once('error', reject);
    if (typeof body === 'string') return void sent.end(body);
    let left = length;
    const more = (): void => {
      while (left > 0) {
        const chunk = CHUNK.subarray(0, Math.min(left, CHUNK.length));
        left -= chunk.length;
        if (!sent.write(chunk)) return void sent.once('drain', more);
      }
      sent.end();
    };
    more();
  });
}

const put = (home: S3Home, path: string, bytes: number): Promise<Sent> => send(home, 'PUT', path, '', bytes);

async function putInParts(home: S3Home, path: string): Promise<void> {
  const begun = await send(home, 'POST', path, 'uploads=', '');
  const uploadId = /<UploadId>([^<]+)</.exec(begun.text)?.[1] ?? '';
  let parts = '';
  for (let number = 1; (number - 1) * PART_BYTES < SIZE_BYTES; number += 1) {
    const bytes = Math.min(PART_BYTES, SIZE_BYTES - (number - 1) * PART_BYTES);
    const { etag } = await send(home, 'PUT', path, `partNumber=${number}&uploadId=${uploadId}`, bytes);
    parts += `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`;
  }
  const list = `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`;
  await send(home, 'POST', path, `uploadId=${uploadId}`, list);
}

function get(home: S3Home, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const target = { host: '127.0.0.1', port: home.port, path, headers: signedHeaders(home, 'GET', path) };
    request(target, (answer) => {
      answer.once('error', reject);
      answer.once('end', () => {
        if (answer.complete && answer.statusCode === 200) resolve();
        else reject(new Error(`GET ${path} answered ${answer.statusCode}`));
      });
      answer.resume();
    })
      .once('error', reject)
      .end();
  });
}
