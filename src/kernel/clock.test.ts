import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchClock } from './clock.ts';

function movable() {
  const times = { wall: 1_000_000, steady: 0 };
  const clock = watchClock(
    () => times.wall,
    () => times.steady,
  );
  const pass = (ms: number): void => {
    times.wall += ms;
    times.steady += ms;
  };
  return { times, clock, pass };
}

test('a clock that nobody sets is the wall clock, also when it drifts', () => {
  const { times, clock, pass } = movable();
  pass(5000);
  assert.equal(clock.nowMs(), 1_005_000);
  for (let n = 0; n < 10; n += 1) {
    pass(1000);
    times.wall -= 500;
    assert.equal(clock.nowMs(), times.wall);
  }
  assert.equal(clock.jump(), undefined);
});

test('when the wall clock is set, back or forward, time goes on by what passes until the jump is followed', () => {
  for (const by of [-86_400_000, 86_400_000]) {
    const { times, clock, pass } = movable();
    times.wall += by;
    assert.equal(clock.nowMs(), 1_000_000);
    pass(1500);
    assert.equal(clock.nowMs(), 1_001_500);
    assert.deepEqual(clock.jump(), { fromMs: 1_001_500, toMs: 1_001_500 + by });
    clock.follow();
    assert.equal(clock.nowMs(), 1_001_500 + by);
    assert.equal(clock.jump(), undefined);
  }
});

test('a time that was reached before the start is not gone behind', () => {
  const { clock, pass } = movable();
  clock.notBefore(1_500_000);
  pass(10);
  assert.deepEqual(clock.jump(), { fromMs: 1_500_010, toMs: 1_000_010 });
  clock.follow();
  clock.notBefore(1_000_011);
  assert.equal(clock.jump(), undefined);
});
