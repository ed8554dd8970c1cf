import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '#kernel/errors.ts';
import type { Database, Tx } from '#kernel/sql.ts';
import type { EntryDraft } from './entry.ts';

/** What an act leaves: its entries, and the answer to give once they are durable. `fail` instead of `answer` lets an error go after the commit. */
export type Outcome<T> = { entries: EntryDraft[]; answer?: T; fail?: unknown; onCommitted?: () => void };

/** One act: runs inside a transaction, quickly and without waiting for anything but the database. */
export type Act<T> = (tx: Tx) => Promise<Outcome<T>>;

/** Entries that have joined a transaction. */
export type Pending = {
  /** The transaction was committed: memory follows, before the next begins. */
  committed(): void;
  /** The entries are durable: others may be told. */
  durable(): void;
  /** Whether it was committed, looked up in the store once whoever held the log has let it go. Throws when the store does not tell. */
  wasCommitted(): Promise<boolean>;
};

/** The part of the audit log that the committer drives. */
export type Appender = {
  /** Called before the acts run: no other process acts or appends until the transaction ends. */
  begin(tx: Tx): Promise<void>;
  append(tx: Tx, drafts: EntryDraft[]): Promise<Pending>;
};

export type Committer = {
  /** Answers only when the act and its entries are durable together; rejects with `unavailable` when they could not be. */
  commit<T>(act: Act<T>): Promise<T>;
  /** Waits until nothing is pending. */
  drain(): Promise<void>;
};

type Waiting = { act: Act<unknown>; resolve: (value: unknown) => void; reject: (reason: unknown) => void };

/** How one group commit went. */
export type Batch = { acts: number; durationMs: number; ok: boolean };

type Deps = {
  database: Database;
  log: Appender;
  /** How long a commit of unknown outcome is looked into before its acts are answered so. */
  findOutWithinMs?: number;
  onBatch?: (batch: Batch) => void;
};

const LARGEST_BATCH = 512;
const FIND_OUT_WITHIN_MS = 15_000;
const FIND_OUT_EVERY_MS = 250;

/**
 * Group commit: the acts that wait run each in a savepoint, their entries are appended, one commit makes all durable, then the answers go. While a
 * batch waits for the disk, the next one runs as soon as it is as large: so neither the disk nor the processor waits for the other.
 */
export function createCommitter(deps: Deps): Committer {
  const waiting: Waiting[] = [];
  const idle: (() => void)[] = [];
  let running = false;
  let unanswered = 0;

  const work = async (): Promise<void> => {
    let batch: Waiting[] = [];
    const startedMs = performance.now();
    const ok = await commitBatch(deps, {
      take: () => {
        batch = waiting.splice(0, LARGEST_BATCH);
        unanswered += batch.length;
        return batch;
      },
      onCommitted: () => {
        running = false;
        start();
      },
    });
    deps.onBatch?.({ acts: batch.length, durationMs: performance.now() - startedMs, ok });
    unanswered -= batch.length;
    start();
    if (!running && unanswered === 0) for (const resolve of idle.splice(0)) resolve();
  };
  const start = (): void => {
    if (running || waiting.length === 0 || waiting.length < unanswered) return;
    running = true;
    // The batch forms during this turn of the event loop, so that requests which arrive together share one commit.
    setImmediate(() => void work());
  };

  return {
    commit: (act) =>
      new Promise((resolve, reject) => {
        waiting.push({ act, resolve: resolve as (value: unknown) => void, reject });
        start();
      }),
    drain: async () => {
      if (running || unanswered > 0) await new Promise<void>((resolve) => idle.push(resolve));
    },
  };
}

type Batching = {
  /** The acts that wait when the transaction begins. */
  take(): Waiting[];
  /** The transaction is over, or will never be: the next may begin. Called once. */
  onCommitted(): void;
};

/** False when nothing of the batch could be written. */
async function commitBatch(deps: Deps, batching: Batching): Promise<boolean> {
  const settle: (() => void)[] = [];
  let batch: Waiting[] = [];
  let pending: Pending | undefined;
  let over = false;
  const committed = (): void => {
    over = true;
    pending?.committed();
    batching.onCommitted();
  };
  try {
    await deps.database.transaction(async (tx) => {
      batch = batching.take();
      await deps.log.begin(tx);
      const entries: EntryDraft[] = [];
      for (const one of batch) settle.push(await runAct(tx, one, entries));
      pending = await deps.log.append(tx, entries);
    }, committed);
  } catch (error) {
    // A transaction that could not even begin has taken nothing: those who wait are told the same.
    if (batch.length === 0) batch = batching.take();
    const failure = over ? error : await failureOf(error, pending, deps.findOutWithinMs ?? FIND_OUT_WITHIN_MS);
    if (failure !== undefined) {
      for (const one of batch) one.reject(failure);
      if (!over) batching.onCommitted();
      return false;
    }
    if (!over) committed();
  }
  pending?.durable();
  for (const go of settle) go();
  return true;
}

/** What to tell those whose acts were in a transaction that failed; undefined when it turns out that it was committed. */
async function failureOf(
  error: unknown,
  pending: Pending | undefined,
  withinMs: number,
): Promise<AppError | undefined> {
  const known = error instanceof AppError ? error : undefined;
  if (known?.details.outcome !== 'unknown' || pending === undefined) return nothingDone(error);
  const deadline = performance.now() + withinMs;
  do {
    try {
      return (await pending.wasCommitted()) ? undefined : nothingDone(error);
    } catch {
      await sleep(FIND_OUT_EVERY_MS);
    }
  } while (performance.now() < deadline);
  return known;
}

function nothingDone(cause: unknown): AppError {
  const known = cause instanceof AppError ? cause : new AppError('unavailable', NOT_WRITTEN);
  if (known.details.outcome === 'unknown')
    return new AppError('unavailable', 'Nothing was done. The state store was lost before the commit was made.', {
      cause,
    });
  return new AppError('unavailable', `Nothing was done. ${known.message}`, { details: { hint: known.hint }, cause });
}

const NOT_WRITTEN = 'The act and its audit entry could not be written.';

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
