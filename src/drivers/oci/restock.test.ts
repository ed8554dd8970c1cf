import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRestock, type Shelf } from './restock.ts';

/** A shelf for so many things, which fails when it is told to. */
function shelfOf(count: number): Shelf & { made: number; tried: number; failing: boolean } {
  const shelf = {
    made: 0,
    tried: 0,
    failing: false,
    calmMs: 0,
    lacks: () => shelf.made < count,
    addOne: async () => {
      shelf.tried += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (shelf.failing) throw new Error('the host is full');
      shelf.made += 1;
    },
  };
  return shelf;
}

const ignore = (): void => undefined;

test('nothing is made while a sandbox is being started; afterwards the shelves are filled, in their order', async () => {
  const [first, second] = [shelfOf(2), shelfOf(1)];
  const restock = createRestock([first, second], ignore);
  const gate = Promise.withResolvers<void>();
  const start = restock.during(() => gate.promise);
  const filled = restock.fill();
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(first.tried, 0);
  gate.resolve();
  await start;
  await filled;
  assert.deepEqual([first.made, second.made], [2, 1]);
  await restock.close();
});

test('a host on which nothing can be made is given up until the next start, and each failure is told', async () => {
  const shelf = shelfOf(1);
  shelf.failing = true;
  const told: string[] = [];
  const restock = createRestock([shelf], (message) => void told.push(message));
  await restock.fill();
  assert.equal(shelf.tried, 3);
  assert.equal(told.length, 3);
  shelf.failing = false;
  await restock.during(async () => undefined);
  await restock.fill();
  assert.equal(shelf.made, 1);
  await restock.close();
});

test('what has to be alone is: what is being made is waited for, and nothing new is begun', async () => {
  const shelf = shelfOf(3);
  const restock = createRestock([shelf], ignore);
  const filled = restock.fill();
  while (shelf.tried === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await restock.apart(async () => {
    const { tried, made } = shelf;
    assert.equal(made, tried);
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.equal(shelf.tried, tried);
  });
  await filled;
  assert.equal(shelf.made, 3);
  await restock.close();
});
