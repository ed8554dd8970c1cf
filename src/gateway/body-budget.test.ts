import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createBodyBudget } from './body-budget.ts';
import type { Peer } from './door.ts';

it('a sandbox keeps as many bytes of bodies as its budget has, over all its requests, and others keep theirs', () => {
  const budget = createBodyBudget({
    sandboxBytes: { request: 100, answer: 30 },
    externalBytes: { request: 50, answer: 50 },
  });
  const one: Peer = { kind: 'sandbox', sandboxId: 'sb-1' };
  const [first, second] = [budget.open(one), budget.open(one)];
  first.hold(60);
  second.hold(40);
  assert.throws(() => second.hold(1), { code: 'too_many_requests' });
  budget.open({ kind: 'sandbox', sandboxId: 'sb-2' }).hold(100);
  budget.open({ kind: 'external' }).hold(50);
  assert.throws(() => budget.open({ kind: 'external' }).hold(1), { code: 'too_many_requests' });
  second.hold(30, 'answer');
  assert.throws(() => first.hold(1, 'answer'), { code: 'too_many_requests' });
  first.release();
  first.release();
  second.hold(60);
  assert.throws(() => second.hold(1), { code: 'too_many_requests' });
});
