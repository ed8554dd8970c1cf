/** What a store on SQLite does when its file or its disk fails under it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { AppError } from '#kernel/errors.ts';
import { type Database, rawSql, sql, type Tx } from '#kernel/sql.ts';
import { openDatabase } from './open-database.ts';
import { openSqlite } from './sqlite.ts';

const faultOf = (code: string, message: RegExp) => (thrown: unknown) =>
  thrown instanceof AppError && thrown.code === code && message.test(thrown.message) && thrown.hint.length > 20;

describe('a store on SQLite', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fumehood-sqlite-'));
    path = join(folder, 'state.db');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const withThings = async (): Promise<Database> => {
    const database = openSqlite({ path, lockWaitMs: 100 });
    await database.transaction((tx) => tx.run(rawSql('create table things (n bigint primary key, text text)')));
    return database;
  };
  const numbers = (database: Database): Promise<number[]> =>
    database.read(async (reader) =>
      (await reader.all<{ n: number }>(sql`select n from things order by n`)).map(({ n }) => n),
    );
  const put = (tx: Tx, n: number, text = ''): Promise<number> => tx.run(sql`insert into things values (${n}, ${text})`);

  it('undoes the whole transaction when the disk is full in one act of it, also when the acts go on', async () => {
    const database = await withThings();
    // SQLite's own limit on pages is the same error as a full disk, and as it, rolls the transaction back by itself.
    await database.transaction((tx) => tx.all(rawSql('pragma max_page_count = 40')));
    const full = database.transaction(async (tx) => {
      await put(tx, 1);
      await tx.savepoint(() => put(tx, 2, 'x'.repeat(10_000_000))).catch(() => undefined);
      await tx.savepoint(() => put(tx, 3)).catch(() => undefined);
    });
    await assert.rejects(full, faultOf('unavailable', /no space left/));
    assert.deepEqual(await numbers(database), []);
    await database.transaction((tx) => put(tx, 4));
    assert.deepEqual(await numbers(database), [4], 'and goes on once there is room');
    await database.close();
  });

  it('serves others while it waits for another process, gives up in time, and goes on when the lock is gone', async () => {
    const database = await withThings();
    const other = openSqlite({ path });
    let unlock = (): void => undefined;
    const locked = new Promise<void>((resolve) => {
      void other.transaction(() => {
        resolve();
        return new Promise<void>((free) => {
          unlock = free;
        });
      });
    });
    await locked;
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 1);
    await assert.rejects(
      database.transaction((tx) => put(tx, 1)),
      faultOf('unavailable', /locked by another process/),
    );
    clearInterval(timer);
    assert.ok(turns > 1, 'timers went on');
    const patient = openSqlite({ path });
    const waiting = patient.transaction((tx) => put(tx, 2));
    unlock();
    await waiting;
    assert.deepEqual(await numbers(database), [2]);
    await Promise.all([other, patient, database].map((one) => one.close()));
  });

  it('refuses to commit to a file that was removed or replaced, and goes on when it is back', async () => {
    const database = await withThings();
    const aside = join(folder, 'aside.db');
    renameSync(path, aside);
    await assert.rejects(
      database.transaction((tx) => put(tx, 1)),
      faultOf('unavailable', /was removed/),
    );
    copyFileSync(aside, path);
    await assert.rejects(
      database.transaction((tx) => put(tx, 1)),
      faultOf('unavailable', /was replaced/),
    );
    renameSync(aside, path);
    await database.transaction((tx) => put(tx, 2));
    assert.deepEqual(await numbers(database), [2]);
    await database.close();
  });

  it('refuses a file that is cut off, that is none of a database, or that another program made, and leaves it as it is', async () => {
    const database = await openDatabase(`sqlite:${path}`);
    await database.transaction(async (tx) => {
      await tx.run(rawSql('create table things (n bigint primary key, text text)'));
      await put(tx, 1, 'x'.repeat(100_000));
    });
    await database.close();
    assert.ok(!existsSync(`${path}-wal`), 'what was written is in the file');
    const whole = statSync(path).size;
    truncateSync(path, whole - 50_000);
    await assert.rejects(openDatabase(`sqlite:${path}`), faultOf('integrity', /cut off/));
    assert.equal(statSync(path).size, whole - 50_000);
    writeFileSync(path, 'not a database, but long enough to look like a header'.repeat(100));
    await assert.rejects(openDatabase(`sqlite:${path}`), faultOf('integrity', /not a database/));
  });

  it('refuses a store of a newer version, and changes nothing in it', async () => {
    const database = await openDatabase(`sqlite:${path}`);
    await database.transaction((tx) =>
      tx.run(sql`insert into schema_migrations (version, name, digest) values (999, 'from-later', 'x')`),
    );
    await database.close();
    await assert.rejects(openDatabase(`sqlite:${path}`), faultOf('conflict', /newer Fumehood .*"from-later"/));
    const raw = openSqlite({ path });
    const rows = await raw.read((reader) => reader.all(sql`select version from schema_migrations where version = 999`));
    assert.equal(rows.length, 1);
    await raw.close();
  });

  it('names a folder that is not there', () => {
    assert.throws(
      () => openSqlite({ path: join(folder, 'nowhere/state.db') }),
      faultOf('unavailable', /cannot be opened/),
    );
  });

  it('says so on a read-only file system', {
    skip: process.getuid?.() === 0 ? false : 'mounting needs root',
  }, async () => {
    await (await withThings()).close();
    const script = `mount -t tmpfs none '${folder}/m' && cp '${path}' '${folder}/m/' && mount -o remount,ro '${folder}/m' && exec "$@"`;
    execFileSync('mkdir', [join(folder, 'm')]);
    const program = `const { openSqlite } = await import(${JSON.stringify(join(import.meta.dirname, 'sqlite.ts'))});
      try { await openSqlite({ path: ${JSON.stringify(join(folder, 'm/state.db'))} }).transaction(async () => 1); console.log('written'); }
      catch (error) { console.log(error.code, error.message); }`;
    const words = [
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-c',
      script,
      'sh',
      process.execPath,
      '--input-type=module',
      '-e',
      program,
    ];
    const said = execFileSync('unshare', words, { encoding: 'utf8' });
    assert.match(said, /^unavailable .*(read-only|cannot be opened)/);
  });
});
