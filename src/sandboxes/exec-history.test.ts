import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '#kernel/sql.ts';
import { openDatabase } from '#src/database/open-database.ts';
import { createExecHistory } from './exec-history.ts';
import { selectSandboxEvents } from './sandbox-store.ts';

const end = (message: string) => ({ sandboxId: 'sb-1', atMs: 7, message, requestId: 'req-1' });

async function historyOf(logged: string[] = []) {
  const database = await openDatabase('sqlite::memory:');
  let transactions = 0;
  const counted: Database = {
    ...database,
    transaction: (body) => {
      transactions += 1;
      return database.transaction(body);
    },
  };
  const messages = async (): Promise<string[]> =>
    (await database.read((reader) => selectSandboxEvents(reader, 'sb-1', { after: 0, limit: 10 }))).map(
      ({ message }) => message,
    );
  const history = createExecHistory({ database: counted, log: (_level, message) => logged.push(message) });
  return { database, history, messages, transactions: () => transactions };
}

test('ends that come together are written together, in their order, and are there once "written" says so', async () => {
  const { database, history, messages, transactions } = await historyOf();
  for (const message of ['one', 'two', 'three']) history.ended(end(message));
  assert.deepEqual(await messages(), []);
  await history.written();
  assert.deepEqual(await messages(), ['one', 'two', 'three']);
  assert.equal(transactions(), 1);
  await history.written();
  assert.equal(transactions(), 1);
  await database.close();
});

test('an end that nobody asks for is written by itself a moment later', async () => {
  const { database, history, messages } = await historyOf();
  history.ended(end('alone'));
  for (let tries = 0; tries < 500 && (await messages()).length === 0; tries += 1) await sleep(10);
  assert.deepEqual(await messages(), ['alone']);
  await database.close();
});

test('a store that cannot take them is told to the log, and to nobody who waits', async () => {
  const logged: string[] = [];
  const { database, history } = await historyOf(logged);
  await database.close();
  history.ended(end('lost'));
  await history.written();
  assert.deepEqual(logged, ['the ends of commands could not be written to the history']);
});
