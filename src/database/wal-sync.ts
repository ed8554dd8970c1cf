import { closeSync, fdatasync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import { AppError } from '#kernel/errors.ts';

/** Flushes what was written to a file, as fdatasync(2) does. */
export type SyncFile = (fd: number) => Promise<void>;

/** Makes commits durable without holding up the event loop: one sync of the write-ahead log covers every commit before it. */
export type WalSync = {
  /** A commit was written to the write-ahead log. */
  committed(): void;
  /** Resolves when all that was committed before this call is on the disk. */
  durable(): Promise<void>;
  /** Throws once a sync has failed: what the kernel dropped then cannot be told from what it kept. */
  refuseFailed(): void;
  close(): void;
};

type Sync = { upTo: number; done: Promise<void> };

/** So many syncs run at once: what is committed while the disk is busy with one need not wait for its end. */
const MOST_AT_ONCE = 2;

/** For the write-ahead log beside an SQLite file, which is there from the first commit on and never replaced while the store is open. */
export function createWalSync(path: string, syncFile: SyncFile = promisify(fdatasync)): WalSync {
  // The kernel tells an error once to each open file: syncs that share one could miss it.
  const free: number[] = [];
  const opened: number[] = [];
  const running: Sync[] = [];
  let commits = 0;
  let durableCommits = 0;
  let failure: AppError | undefined;
  const syncUpTo = async (upTo: number): Promise<void> => {
    try {
      let fd = free.pop();
      if (fd === undefined) {
        fd = openSync(`${path}-wal`, 'r');
        opened.push(fd);
      }
      await syncFile(fd);
      free.push(fd);
      durableCommits = Math.max(durableCommits, upTo);
    } catch (error) {
      failure ??= notSynced(error);
    }
  };
  const begin = (): Sync => {
    const sync: Sync = { upTo: commits, done: Promise.resolve() };
    running.push(sync);
    sync.done = syncUpTo(sync.upTo).finally(() => running.splice(running.indexOf(sync), 1));
    return sync;
  };
  const refuseFailed = (): void => {
    if (failure !== undefined) throw failure;
  };
  return {
    committed: () => {
      commits += 1;
    },
    durable: async () => {
      const wanted = commits;
      while (durableCommits < wanted) {
        refuseFailed();
        const covering = running.find((sync) => sync.upTo >= wanted);
        const [oldest] = running;
        await (covering ?? (oldest === undefined || running.length < MOST_AT_ONCE ? begin() : oldest)).done;
      }
    },
    refuseFailed,
    close: () => {
      for (const fd of opened.splice(0)) closeSync(fd);
    },
  };
}

function notSynced(cause: unknown): AppError {
  return new AppError('unavailable', 'The disk of the state store failed while commits were made durable.', {
    details: {
      outcome: 'unknown',
      hint: 'Look at the disk of FUMEHOOD_HOME, then start Fumehood again: nothing is written or read until then.',
    },
    cause,
  });
}
