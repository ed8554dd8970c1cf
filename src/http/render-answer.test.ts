import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { pageOf } from './page.ts';
import { renderAnswer } from './render-answer.ts';

const item = z.object({ name: z.string(), size: z.number().optional() });
const schema = pageOf(item).extend({ note: z.string().optional(), others: z.array(z.string()) });
const itemsOf = (count: number) =>
  Array.from({ length: count }, (_, at) => ({
    name: `"${at}"\u2028`,
    ...(at % 2 === 0 ? { size: at } : {}),
    hidden: 'never shown',
  }));

describe('the JSON of an answer', () => {
  it('is the same for long lists as for short ones', async () => {
    for (const count of [0, 1, 100, 101, 1000]) {
      const answer = { items: itemsOf(count), next: null, others: Array(count).fill('x'), hidden: 'never shown' };
      const text = await renderAnswer(schema, answer);
      assert.equal(text, JSON.stringify(schema.parse(answer)), `${count} items`);
      assert.doesNotMatch(text, /hidden/);
    }
  });

  it('is refused when anything in it does not fit, wherever it stands', async () => {
    const whole = { items: itemsOf(300), next: null, others: [] };
    const wrong = [
      { ...whole, items: [...whole.items, { name: 7 }] },
      { ...whole, next: 7 },
      { ...whole, others: [...Array(200).fill('x'), 7] },
      { ...whole, items: undefined },
      [],
    ];
    for (const answer of wrong) await assert.rejects(renderAnswer(schema, answer), /does not fit the route's schema/);
  });
});
