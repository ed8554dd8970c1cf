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

/** For the write-ahead log beside an SQLite file, which is there from the first commit on and never replaced while the store is open. */
export function createWalSync(path: string, syncFile: SyncFile = promisify(fdatasync)): WalSync {
  let fd: number | undefined;
  let commits = 0;
  let durableCommits = 0;
  let syncing: Promise<void> | undefined;
  let failure: AppError | undefined;
  const sync = async (): Promise<void> => {
    const upTo = commits;
    try {
      fd ??= openSync(`${path}-wal`, 'r');
      await syncFile(fd);
      durableCommits = upTo;
    } catch (error) {
      failure = notSynced(error);
    } finally {
      syncing = undefined;
    }
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
        syncing ??= sync();
        await syncing;
      }
    },
    refuseFailed,
    close: () => {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
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
