import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { yieldLongTurn } from './long-turn.ts';

/** Longer than a slice. */
const BUSY_MS = 20;

function beBusy(): void {
  const until = performance.now() + BUSY_MS;
  while (performance.now() < until);
}

/** How many turns of the event loop begin until the returned function is called. */
function countTurns(): () => number {
  let [turns, over] = [0, false];
  const next = (): void => {
    turns += 1;
    if (!over) setImmediate(next);
  };
  setImmediate(next);
  return () => {
    over = true;
    return turns;
  };
}

describe('a long turn of the event loop', () => {
  it('lets others have their turn before the work goes on', async () => {
    await yieldLongTurn();
    const turns = countTurns();
    for (let steps = 0; steps < 3; steps += 1) {
      beBusy();
      await yieldLongTurn();
    }
    assert.ok(turns() >= 3);
  });

  it('is shared fairly: those who wait go on in order, one a turn', async () => {
    const order: string[] = [];
    const work = async (name: string): Promise<void> => {
      for (let steps = 0; steps < 3; steps += 1) {
        await yieldLongTurn();
        order.push(name);
        beBusy();
      }
    };
    const turns = countTurns();
    await Promise.all(['a', 'b', 'c'].map(work));
    assert.deepEqual(order, ['a', 'b', 'c', 'a', 'b', 'c', 'a', 'b', 'c']);
    assert.ok(turns() >= 6);
  });

  it('is not taken by who comes later', async () => {
    const order: number[] = [];
    const work = async (name: number): Promise<void> => {
      await yieldLongTurn();
      order.push(name);
    };
    await yieldLongTurn();
    beBusy();
    const early = Array.from({ length: 100 }, (_, name) => work(name));
    await new Promise((resolve) => setTimeout(resolve, 0));
    const late = Array.from({ length: 100 }, (_, at) => work(100 + at));
    await Promise.all([...early, ...late]);
    assert.deepEqual(
      order,
      Array.from({ length: 200 }, (_, name) => name),
    );
  });
});
