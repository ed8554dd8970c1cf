import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { yieldLongTurn } from '#kernel/long-turn.ts';
import { type Database, type Reader, type Row, rawSql, renderSql, type Sql, type Tx } from '#kernel/sql.ts';
import { asStoreFault, isBusy, isStoreFault, sqliteFault } from './sqlite-fault.ts';
import { refuseTruncated, watchFile } from './sqlite-file.ts';
import { type CheckpointPace, createWalCheckpoints } from './wal-checkpoints.ts';
import { createWalSync, type SyncFile } from './wal-sync.ts';

/** How long a transaction waits for another process's lock; others are served meanwhile. */
const LOCK_WAIT_MS = 5000;
const LOCK_LOOK_MS = 25;
/** A write-ahead log as long as this is checkpointed by SQLite itself, in a commit; a thread does it long before. */
const OWN_CHECKPOINT_FRAMES = 32_768;

/**
 * Opens (or makes) an SQLite file: WAL, LIKE case-sensitive as in PostgreSQL. A transaction is durable when its promise resolves: SQLite keeps the
 * file consistent (`synchronous=NORMAL`), and the write-ahead log is synced off the event loop, once for all commits that wait.
 */
export function openSqlite(options: {
  path: string;
  lockWaitMs?: number;
  syncFile?: SyncFile;
  checkpointPace?: CheckpointPace;
}): Database {
  const inMemory = options.path === ':memory:';
  if (!inMemory) refuseTruncated(options.path);
  const writer = connect(options.path);
  const reader = inMemory ? writer : connect(options.path);
  const isSame = inMemory ? () => undefined : watchFile(options.path);
  const wal = inMemory ? undefined : createWalSync(options.path, options.syncFile);
  const checkpoints = inMemory ? undefined : createWalCheckpoints(options.path, options.checkpointPace);
  const write = statementsOf(writer);
  const aside = statementsOf(reader);
  // The writer has in its cache what it has just committed; a connection beside it has to find that anew after each commit.
  const read = readerThrough(() => (writer.isTransaction ? aside : write));
  let tail: Promise<unknown> = Promise.resolve();
  return {
    engine: 'sqlite',
    transaction: async (body, onCommitted) => {
      const committed = tail.then(async () => {
        isSame();
        wal?.refuseFailed();
        await checkpoints?.keepShort();
        const result = await transact(writer, write, options.lockWaitMs ?? LOCK_WAIT_MS, body);
        wal?.committed();
        checkpoints?.committed();
        onCommitted?.();
        return result;
      });
      tail = committed.catch(() => undefined);
      const result = await committed;
      await wal?.durable();
      return result;
    },
    read: async (body) => {
      const result = await body(read);
      await wal?.durable();
      return result;
    },
    peek: (body) => body(read),
    close: async () => {
      await tail;
      await wal?.durable().catch(() => undefined);
      await checkpoints?.close();
      reader.close();
      if (writer !== reader) writer.close();
      wal?.close();
    },
  };
}

function connect(path: string): DatabaseSync {
  return asStoreFault(() => {
    const database = new DatabaseSync(path);
    try {
      // Waiting for a lock inside SQLite would hold up everything else, so that is for the opening alone.
      database.exec(`pragma busy_timeout = ${LOCK_WAIT_MS};
        pragma journal_mode = wal; pragma synchronous = normal; pragma foreign_keys = on;
        pragma case_sensitive_like = on; pragma temp_store = memory; pragma cache_size = -32768; pragma wal_autocheckpoint = ${OWN_CHECKPOINT_FRAMES};
        pragma mmap_size = 268435456; pragma busy_timeout = ${LOCK_LOOK_MS};`);
    } catch (error) {
      database.close();
      throw error;
    }
    return database;
  });
}

/** Statements that run at once and hold up the event loop meanwhile. */
type Statements = {
  all<T extends Row>(statement: Sql): T[];
  get<T extends Row>(statement: Sql): T | undefined;
  run(statement: Sql): number;
};

/** What changes something has to be run: savepoints are set before that alone. */
const READS = /^\s*(select|with|pragma|explain)\b/i;

function statementsOf(database: DatabaseSync): Statements {
  const prepared = new Map<string, StatementSync>();
  const prepare = (statement: Sql, mayBe?: RegExp): StatementSync => {
    const text = renderSql(statement, 'sqlite');
    let found = prepared.get(text);
    if (found === undefined) {
      if (mayBe?.test(text) === false) throw new Error(`this does not only read: ${text.slice(0, 100)}`);
      if (prepared.size > 2000) prepared.clear();
      found = database.prepare(text);
      prepared.set(text, found);
    }
    return found;
  };
  return {
    all: <T extends Row>(statement: Sql) =>
      asStoreFault(() => prepare(statement, READS).all(...statement.values) as T[]),
    get: <T extends Row>(statement: Sql) =>
      asStoreFault(() => prepare(statement, READS).get(...statement.values) as T | undefined),
    run: (statement) => asStoreFault(() => Number(prepare(statement).run(...statement.values).changes)),
  };
}

/** A reader through the connection that is named when its turn comes: after many statements in one turn, others go first. */
const readerThrough = (connection: () => Statements): Reader => ({
  engine: 'sqlite',
  all: async <T extends Row>(statement: Sql) => {
    await yieldLongTurn();
    return connection().all<T>(statement);
  },
  get: async <T extends Row>(statement: Sql) => {
    await yieldLongTurn();
    return connection().get<T>(statement);
  },
});

async function transact<T>(
  database: DatabaseSync,
  statements: Statements,
  lockWaitMs: number,
  body: (tx: Tx) => Promise<T>,
): Promise<T> {
  await begin(database, lockWaitMs);
  const tx = wholeOrNothing(database, statements);
  try {
    const result = await body(tx);
    tx.refuseFailed();
    asStoreFault(() => database.exec('commit'));
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('rollback');
    throw error;
  } finally {
    tx.end();
  }
}

async function begin(database: DatabaseSync, lockWaitMs: number): Promise<void> {
  const deadline = performance.now() + lockWaitMs;
  for (;;) {
    try {
      database.exec('begin immediate');
      return;
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw sqliteFault(error) ?? error;
    }
    await sleep(LOCK_LOOK_MS);
  }
}

const SAVEPOINT = rawSql('savepoint act');
const RELEASE = rawSql('release act');
const ROLL_BACK = rawSql('rollback to act');

/**
 * A transaction that a fault of the store ends as a whole. SQLite may have rolled it back by itself then (lang_transaction.html 3.1), and what
 * followed would be committed statement by statement, without an entry in the audit log. Nothing of it runs after its end either: by then the
 * connection may be in the next one.
 */
function wholeOrNothing(database: DatabaseSync, statements: Statements): Tx & { refuseFailed(): void; end(): void } {
  let failed: unknown;
  let ended = false;
  const refuseFailed = (): void => {
    if (failed !== undefined) throw failed;
    if (ended || !database.isTransaction) throw new Error('the transaction is over');
  };
  const guarded = async <T>(work: () => T): Promise<T> => {
    await yieldLongTurn();
    refuseFailed();
    try {
      return work();
    } catch (error) {
      if (isStoreFault(error) || !database.isTransaction) failed ??= error;
      throw error;
    }
  };
  // The savepoints that the running statement is in, outermost first. Each is set when something is about to change in it: many acts only read.
  const within: { isSet: boolean }[] = [];
  const setSavepoints = (): void => {
    for (const one of within) {
      if (!one.isSet) statements.run(SAVEPOINT);
      one.isSet = true;
    }
  };
  return {
    engine: 'sqlite',
    refuseFailed,
    end: () => {
      ended = true;
    },
    all: (statement) => guarded(() => statements.all(statement)),
    get: (statement) => guarded(() => statements.get(statement)),
    run: (statement) =>
      guarded(() => {
        setSavepoints();
        return statements.run(statement);
      }),
    // Savepoints nest: the name is reused, SQLite releases and rolls back to the innermost of that name.
    savepoint: async (body) => {
      const own = { isSet: false };
      within.push(own);
      try {
        const result = await body();
        await guarded(() => own.isSet && statements.run(RELEASE));
        return result;
      } catch (error) {
        if (own.isSet && failed === undefined)
          await guarded(() => {
            statements.run(ROLL_BACK);
            statements.run(RELEASE);
          });
        throw error;
      } finally {
        within.splice(within.indexOf(own), 1);
      }
    },
  };
}
