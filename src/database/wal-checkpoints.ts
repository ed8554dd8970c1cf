import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

/** Keeps the write-ahead log of a store short, on a thread of its own: a checkpoint syncs two files. */
export type WalCheckpoints = {
  committed(): void;
  /** Before a transaction: when the log has grown long, waits for a checkpoint to catch up with it, so that it begins anew. */
  keepShort(): Promise<void>;
  close(): Promise<void>;
};

export type CheckpointPace = {
  /** After so many commits a checkpoint begins; four times as many wait for it. */
  everyCommits: number;
  /** A log of so many frames (pages) begins anew. */
  longestFrames: number;
};

const PACE: CheckpointPace = { everyCommits: 128, longestFrames: 8192 };

export function createWalCheckpoints(path: string, pace: CheckpointPace = PACE): WalCheckpoints {
  let worker: Worker | undefined;
  let commits = 0;
  let moved = 0;
  let frames = 0;
  let running: Promise<void> | undefined;
  const checkpoint = (): Promise<void> => {
    const thread = worker ?? startWorker(path);
    worker = thread;
    const upTo = commits;
    running ??= new Promise<void>((resolve) => {
      const done = (found: number): void => {
        thread.off('message', done);
        thread.off('exit', ended);
        thread.unref();
        running = undefined;
        frames = found;
        moved = upTo;
        resolve();
      };
      // Without its thread SQLite checkpoints by itself, in a commit.
      const ended = (): void => {
        worker = undefined;
        done(0);
      };
      thread.on('message', done);
      thread.once('exit', ended);
      thread.ref();
      thread.postMessage('checkpoint');
    });
    return running;
  };
  return {
    committed: () => {
      commits += 1;
      if (commits - moved >= pace.everyCommits && running === undefined) void checkpoint();
    },
    keepShort: async () => {
      if (frames < pace.longestFrames && commits - moved < 4 * pace.everyCommits) return;
      await running;
      // Nothing is written meanwhile: it reaches the end.
      await checkpoint();
      frames = 0;
    },
    close: async () => {
      await running;
      if (worker === undefined) return;
      const ended = once(worker, 'exit');
      worker.ref();
      worker.postMessage('close');
      await ended;
    },
  };
}

function startWorker(path: string): Worker {
  const worker = new Worker(join(import.meta.dirname, 'checkpoint.ts'), { workerData: { path } });
  worker.on('error', () => undefined);
  worker.unref();
  return worker;
}
