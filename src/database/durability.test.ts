import assert from 'node:assert/strict';
import { fdatasync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { AppError } from '#kernel/errors.ts';
import { type Database, rawSql, sql } from '#kernel/sql.ts';
import { createCommitter } from '#src/audit/committer.ts';
import { openSqlite } from './sqlite.ts';

const PAGE_BYTES = 4096;
const insert = (database: Database, n: number): Promise<number> =>
  database.transaction((tx) => tx.run(sql`insert into t values (${n})`));
const rowsOf = async (database: Database, how: 'read' | 'peek' = 'read'): Promise<unknown[]> =>
  (await database[how]((reader) => reader.all(rawSql('select n from t order by n')))).map((row) => row.n);

/** A disk whose syncs end when they are told to. */
function heldDisk() {
  const waiting: PromiseWithResolvers<void>[] = [];
  let held = false;
  return {
    waiting,
    hold: (): void => {
      held = true;
    },
    syncFile: (fd: number): Promise<void> => {
      if (!held) return promisify(fdatasync)(fd);
      const sync = Promise.withResolvers<void>();
      waiting.push(sync);
      return sync.promise;
    },
  };
}

describe('durability of SQLite', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'fumehood-durability-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  const openWith = async (name: string, disk: ReturnType<typeof heldDisk>): Promise<Database> => {
    const database = openSqlite({ path: join(folder, name), syncFile: disk.syncFile });
    await database.transaction((tx) => tx.run(rawSql('create table t (n bigint)')));
    disk.hold();
    return database;
  };
  const settled = async (promise: Promise<unknown>): Promise<boolean> => {
    let done = false;
    promise.then(
      () => (done = true),
      () => (done = true),
    );
    for (let turns = 0; turns < 20; turns += 1) await turn();
    return done;
  };

  it('answers no commit and no read of it before a sync that began after it has ended', async () => {
    const disk = heldDisk();
    const database = await openWith('held.db', disk);
    const first = insert(database, 1);
    assert.equal(await settled(first), false);
    const second = insert(database, 2);
    assert.equal(await settled(second), false);
    const read = rowsOf(database);
    assert.deepEqual(await rowsOf(database, 'peek'), [1, 2], 'what decides about a crossing sees both at once');
    assert.equal(await settled(read), false);
    assert.equal(disk.waiting.length, 2);
    disk.waiting[0]?.resolve();
    assert.equal(await settled(first), true);
    assert.equal(await settled(second), false, 'the first sync began before the second commit');
    disk.waiting[1]?.resolve();
    await second;
    assert.deepEqual(await read, [1, 2]);
    await database.close();
  });

  it('syncs once for all commits that wait', async () => {
    const disk = heldDisk();
    const database = await openWith('many.db', disk);
    const begun = [insert(database, 1), insert(database, 2)];
    await settled(Promise.all(begun));
    const waiting = Array.from({ length: 20 }, (_, n) => insert(database, n + 3));
    await settled(Promise.all(waiting));
    const before = disk.waiting.length;
    for (const sync of disk.waiting) sync.resolve();
    await settled(Promise.all(waiting));
    assert.equal(disk.waiting.length, before + 1);
    disk.waiting.at(-1)?.resolve();
    await Promise.all([...begun, ...waiting]);
    await database.close();
  });

  it('writes and reads nothing more once a sync has failed, and says that the outcome is unknown', async () => {
    const disk = heldDisk();
    const database = await openWith('failed.db', disk);
    const told: string[] = [];
    const pending = { committed: () => told.push('committed'), durable: () => told.push('durable') };
    const log = {
      begin: async () => undefined,
      append: async () => ({ ...pending, wasCommitted: async () => true }),
    };
    const committer = createCommitter({ database, log });
    const act = committer.commit(async (tx) => ({
      entries: [],
      answer: await tx.run(sql`insert into t values (1)`),
    }));
    assert.equal(await settled(act), false);
    disk.waiting[0]?.reject(new Error('EIO'));
    const unknown = (error: unknown): boolean =>
      error instanceof AppError && error.code === 'unavailable' && error.details.outcome === 'unknown';
    await assert.rejects(act, unknown);
    assert.deepEqual(told, ['committed'], 'nobody is told of an entry that may not be there');
    await assert.rejects(insert(database, 2), unknown);
    await assert.rejects(rowsOf(database), unknown);
    await database.close();
    const again = openSqlite({ path: join(folder, 'failed.db') });
    assert.deepEqual(await rowsOf(again), [1]);
    await again.close();
  });

  it('runs the acts that come while a batch waits for the disk, and answers each when its own batch is durable', async () => {
    const disk = heldDisk();
    const database = await openWith('batches.db', disk);
    const log = {
      begin: async () => undefined,
      append: async () => ({ committed: () => undefined, durable: () => undefined, wasCommitted: async () => true }),
    };
    const committer = createCommitter({ database, log });
    const act = (n: number): Promise<number> =>
      committer.commit(async (tx) => ({ entries: [], answer: await tx.run(sql`insert into t values (${n})`) }));
    const first = Promise.all([act(1), act(2)]);
    assert.equal(await settled(first), false);
    const third = act(3);
    assert.equal(await settled(third), false);
    assert.deepEqual(await rowsOf(database, 'peek'), [1, 2], 'a smaller batch goes on forming');
    const fourth = act(4);
    assert.equal(await settled(fourth), false);
    assert.deepEqual(await rowsOf(database, 'peek'), [1, 2, 3, 4]);
    disk.waiting[0]?.resolve();
    assert.equal(await settled(first), true);
    assert.equal(await settled(third), false);
    disk.waiting[1]?.resolve();
    await Promise.all([third, fourth]);
    await committer.drain();
    await database.close();
  });

  it('keeps the write-ahead log short, however much is written', async () => {
    const path = join(folder, 'long.db');
    const database = openSqlite({ path, checkpointPace: { everyCommits: 8, longestFrames: 64 } });
    await database.transaction((tx) => tx.run(rawSql('create table t (n bigint, text text)')));
    const text = 'x'.repeat(PAGE_BYTES);
    for (let n = 0; n < 600; n += 1)
      await database.transaction((tx) => tx.run(sql`insert into t values (${n}, ${text})`));
    const frames = statSync(`${path}-wal`).size / PAGE_BYTES;
    assert.ok(frames < 600, `${Math.round(frames)} pages after 600 commits of at least two`);
    await database.close();
    const again = openSqlite({ path });
    assert.equal((await again.read((reader) => reader.get(rawSql('select count(*) as n from t'))))?.n, 600);
    await again.close();
  });
});
