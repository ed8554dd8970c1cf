import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Database, rawSql, sql, type Tx } from '#kernel/sql.ts';
import { openSqlite } from './sqlite.ts';

/** Longer than the event loop is held up for by one transaction. */
function beBusy(): void {
  const until = performance.now() + 20;
  while (performance.now() < until);
}

const insert = (tx: Tx, n: number): Promise<number> => tx.run(sql`insert into t values (${n})`);
const rowsOf = async (database: Database): Promise<unknown[]> =>
  (await database.peek((reader) => reader.all(rawSql('select n from t order by n')))).map((row) => row.n);

describe('a long transaction in SQLite', () => {
  let folder = '';
  let database: Database;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fumehood-slices-'));
    database = openSqlite({ path: join(folder, 'state.db') });
    await database.transaction((tx) => tx.run(rawSql('create table t (n bigint)')));
  });
  after(async () => {
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('lets others have their turn, who see nothing of it before its end, and goes before the next', async () => {
    const seen: unknown[][] = [];
    let over = false;
    const others = (async () => {
      while (!over) {
        seen.push(await rowsOf(database));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const long = database.transaction(async (tx) => {
      for (let n = 0; n < 10; n += 1) {
        await insert(tx, n);
        beBusy();
      }
    });
    const next = database.transaction(async (tx) => {
      assert.equal((await tx.get<{ count: number }>(rawSql('select count(*) as count from t')))?.count, 10);
      await insert(tx, 10);
    });
    await Promise.all([long, next]);
    over = true;
    await others;
    assert.ok(seen.filter((rows) => rows.length === 0).length >= 3, 'others had a turn between its statements');
    assert.ok(seen.every(({ length }) => [0, 10, 11].includes(length)));
  });

  it('runs no statement after its end, also one that still waited for its turn', async () => {
    let stray: Promise<unknown> = Promise.resolve();
    const failed = database.transaction(async (tx) => {
      await insert(tx, 20);
      beBusy();
      stray = insert(tx, 21);
      stray.catch(() => undefined);
      throw new Error('given up');
    });
    const next = database.transaction((tx) => insert(tx, 22));
    await assert.rejects(failed, /given up/);
    await next;
    await assert.rejects(stray, /the transaction is over/);
    assert.deepEqual((await rowsOf(database)).slice(11), [22]);
  });
});
