import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { AppError } from '#kernel/errors.ts';
import { type ChecksumAlgorithm, createChecksum } from './checksum.ts';
import type { FromThread, ToThread } from './digest-thread.ts';

export type Digests = Map<ChecksumAlgorithm, Buffer>;

/** The checksums of one content in progress. */
export type Digesting = {
  /** Takes the next bytes, which stay as they are until this resolves. Bytes in shared memory are not copied. */
  update(bytes: Uint8Array): Promise<void>;
  /** Called once, after the last bytes. */
  digest(): Promise<Digests>;
  /** Nothing more comes; no bytes are read any more when this resolves. */
  drop(): Promise<void>;
};

/** Checksums of large contents, beside the event loop: MD5 and SHA-256 are most of what writing costs. */
export type DigestThreads = { begin(algorithms: readonly ChecksumAlgorithm[]): Digesting };

const MOST_THREADS = 4;

type Awaited = { resolve: (digests: FromThread['digests']) => void; reject: (error: unknown) => void };
type Thread = { worker: Worker; contents: Map<number, Awaited[]> };

/** Threads start when they are first needed, at most one less than there are processors, and keep no process alive. */
export function createDigestThreads(): DigestThreads {
  const most = Math.max(1, Math.min(MOST_THREADS, availableParallelism() - 1));
  const threads: Thread[] = [];
  let nextId = 0;
  const idlest = (): Thread => {
    const found = threads.toSorted((a, b) => a.contents.size - b.contents.size)[0];
    if (found !== undefined && (found.contents.size === 0 || threads.length >= most)) return found;
    const started = startThread((ended) => threads.splice(threads.indexOf(ended), 1));
    threads.push(started);
    return started;
  };
  return {
    begin: (algorithms) => {
      const thread = idlest();
      const id = nextId++;
      const waiting: Awaited[] = [];
      thread.contents.set(id, waiting);
      thread.worker.ref();
      const post = (message: ToThread): void => thread.worker.postMessage(message);
      const ask = (message: ToThread): Promise<FromThread['digests']> =>
        new Promise((resolve, reject) => {
          if (!thread.contents.has(id)) return reject(threadEnded());
          waiting.push({ resolve, reject });
          post(message);
        });
      const forget = (): void => {
        thread.contents.delete(id);
        if (thread.contents.size === 0) thread.worker.unref();
      };
      post({ kind: 'begin', id, algorithms: [...algorithms] });
      return {
        update: async (bytes) => void (await ask({ kind: 'frame', id, bytes })),
        digest: async () => {
          const digests = await ask({ kind: 'end', id });
          forget();
          return new Map([...(digests ?? [])].map(([name, value]) => [name, Buffer.from(value)]));
        },
        drop: async () => {
          if (!thread.contents.has(id)) return;
          await ask({ kind: 'drop', id }).catch(() => undefined);
          forget();
        },
      };
    },
  };
}

/** The same at once, for what is small. */
export function digestHere(algorithms: readonly ChecksumAlgorithm[]): Digesting {
  const sums = algorithms.map((one) => [one, createChecksum(one)] as const);
  return {
    update: async (bytes) => {
      for (const [, sum] of sums) sum.update(bytes);
    },
    digest: async () => new Map(sums.map(([name, sum]) => [name, sum.digest()])),
    drop: async () => undefined,
  };
}

function startThread(onEnd: (thread: Thread) => void): Thread {
  const worker = new Worker(join(import.meta.dirname, 'digest-thread.ts'));
  const thread: Thread = { worker, contents: new Map() };
  worker.on('message', ({ id, digests }: FromThread) => thread.contents.get(id)?.shift()?.resolve(digests));
  worker.on('error', () => undefined);
  worker.once('exit', () => {
    onEnd(thread);
    for (const waiting of thread.contents.values()) for (const one of waiting) one.reject(threadEnded());
    thread.contents.clear();
  });
  return thread;
}

const threadEnded = (): AppError => new AppError('unavailable', 'The thread that computes checksums ended. Try again.');
