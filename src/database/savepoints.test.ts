import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { rawSql, sql, type Tx } from '#kernel/sql.ts';
import { openSqlite } from './sqlite.ts';

const put = (tx: Tx, n: number): Promise<number> => tx.run(sql`insert into t values (${n})`);
const look = (tx: Tx): Promise<unknown> => tx.get(rawSql('select count(*) as count from t'));
const giveUp = (): never => {
  throw new Error('given up');
};

/** The numbers that are there after a transaction of this body. */
async function left(body: (tx: Tx) => Promise<unknown>): Promise<number[]> {
  const database = openSqlite({ path: ':memory:' });
  await database.transaction((tx) => tx.run(rawSql('create table t (n bigint)')));
  await database.transaction(body);
  const rows = await database.read((reader) => reader.all<{ n: number }>(rawSql('select n from t order by n')));
  await database.close();
  return rows.map(({ n }) => n);
}

describe('savepoints in SQLite, which are set at the first change in them', () => {
  it('undo what changed in them, and nothing before or after', async () => {
    const found = await left(async (tx) => {
      await put(tx, 1);
      const failing = tx.savepoint(async () => {
        await look(tx);
        await put(tx, 2);
        giveUp();
      });
      await assert.rejects(failing, /given up/);
      await put(tx, 3);
    });
    assert.deepEqual(found, [1, 3]);
  });

  it('undo the inner one alone, whether the outer one changed anything before or not', async () => {
    for (const before of [false, true]) {
      const found = await left((tx) =>
        tx.savepoint(async () => {
          if (before) await put(tx, 1);
          await tx.savepoint(() => put(tx, 2).then(giveUp)).catch(() => undefined);
          await tx.savepoint(() => look(tx).then(giveUp)).catch(() => undefined);
          await tx.savepoint(() => put(tx, 3));
          await put(tx, 4);
        }),
      );
      assert.deepEqual(found, before ? [1, 3, 4] : [3, 4]);
    }
  });

  it('are not passed by: what changes something is not taken for a read', async () => {
    const found = await left(async (tx) => {
      await assert.rejects(tx.all(sql`insert into t values (1) returning n`), /does not only read/);
      await assert.rejects(tx.get(sql`delete from t returning n`), /does not only read/);
    });
    assert.deepEqual(found, []);
  });

  it('undo with the outer one what the inner ones had done', async () => {
    const found = await left(async (tx) => {
      await put(tx, 1);
      const failing = tx.savepoint(async () => {
        await tx.savepoint(() => put(tx, 2));
        await tx.savepoint(() => look(tx));
        giveUp();
      });
      await assert.rejects(failing, /given up/);
    });
    assert.deepEqual(found, [1]);
  });
});
