import { AppError } from '#kernel/errors.ts';
import type { Database, Tx } from '#kernel/sql.ts';
import type { EntryDraft } from './entry.ts';

/** What an act leaves: its entries, and the answer to give once they are durable. `fail` instead of `answer` lets an error go after the commit. */
export type Outcome<T> = { entries: EntryDraft[]; answer?: T; fail?: unknown; onCommitted?: () => void };

/** One act: runs inside a transaction, quickly and without waiting for anything but the database. */
export type Act<T> = (tx: Tx) => Promise<Outcome<T>>;

/** The part of the audit log that the committer drives: entries join the transaction, memory follows only a commit. */
export type Appender = {
  append(tx: Tx, drafts: EntryDraft[]): Promise<{ commit(): void; rollback(): void }>;
};

export type Committer = {
  /** Answers only when the act and its entries are durable together; rejects with `unavailable` when they could not be. */
  commit<T>(act: Act<T>): Promise<T>;
  /** Waits until nothing is pending. */
  drain(): Promise<void>;
};

type Waiting = { act: Act<unknown>; resolve: (value: unknown) => void; reject: (reason: unknown) => void };

const LARGEST_BATCH = 512;

/** Group commit: the acts that wait run each in a savepoint, their entries are appended, one commit makes all durable, then the answers go. */
export function createCommitter(deps: { database: Database; log: Appender }): Committer {
  const waiting: Waiting[] = [];
  let running: Promise<void> | undefined;

  const work = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting.splice(0, LARGEST_BATCH);
      await commitBatch(deps, batch);
    }
    running = undefined;
  };
  // The batch forms during this turn of the event loop, so that requests which arrive together share one commit.
  const start = (): void => {
    running ??= new Promise<void>((resolve) => setImmediate(resolve)).then(work);
  };

  return {
    commit: (act) =>
      new Promise((resolve, reject) => {
        waiting.push({ act, resolve: resolve as (value: unknown) => void, reject });
        start();
      }),
    drain: async () => {
      while (running !== undefined) await running;
    },
  };
}

async function commitBatch(deps: { database: Database; log: Appender }, batch: Waiting[]): Promise<void> {
  const settle: (() => void)[] = [];
  let pending: { commit(): void; rollback(): void } | undefined;
  try {
    await deps.database.transaction(async (tx) => {
      const entries: EntryDraft[] = [];
      for (const one of batch) settle.push(await runAct(tx, one, entries));
      pending = await deps.log.append(tx, entries);
    });
  } catch (error) {
    pending?.rollback();
    const failure = new AppError('unavailable', 'Nothing was done: the act and its audit entry could not be written.', {
      cause: error,
    });
    for (const one of batch) one.reject(failure);
    return;
  }
  pending?.commit();
  for (const go of settle) go();
}

async function runAct(tx: Tx, one: Waiting, entries: EntryDraft[]): Promise<() => void> {
  try {
    const outcome = await tx.savepoint(() => one.act(tx));
    entries.push(...outcome.entries);
    return () => {
      outcome.onCommitted?.();
      if (outcome.fail === undefined) one.resolve(outcome.answer);
      else one.reject(outcome.fail);
    };
  } catch (error) {
    return () => one.reject(error);
  }
}
