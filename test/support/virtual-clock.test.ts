import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VirtualClock } from './virtual-clock.ts';

test('callbacks run in order of due time, then of asking', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }), (delays) => {
      const clock = new VirtualClock();
      const ran: { at: number; index: number }[] = [];
      for (const [index, delay] of delays.entries()) {
        clock.setTimer(delay, () => ran.push({ at: clock.now(), index }));
      }
      clock.runUntilIdle();
      const expected = delays
        .map((at, index) => ({ at, index }))
        .sort((a, b) => a.at - b.at || a.index - b.index);
      assert.deepEqual(ran, expected);
      assert.equal(clock.pending, 0);
    }),
  );
});

test('a cancelled timer never runs and is not pending', () => {
  const clock = new VirtualClock();
  const timer = clock.setTimer(5, () => assert.fail('cancelled'));
  timer.cancel();
  timer.cancel();
  assert.equal(clock.pending, 0);
  clock.runUntilIdle();
});

test('advance stands at exactly the moment asked for and runs nothing later', () => {
  const clock = new VirtualClock({ startMs: 100 });
  const seen: number[] = [];
  for (const delay of [5, 10, 11]) clock.setTimer(delay, () => seen.push(clock.now()));
  clock.advance(10);
  assert.deepEqual(seen, [105, 110]);
  assert.equal(clock.now(), 110);
  assert.equal(clock.nextDueAt, 111);
  assert.equal(clock.pending, 1);
});

test('an immediate runs without time passing, after what is due already', () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  clock.setTimer(0, () => {
    seen.push('first');
    clock.setImmediate(() => seen.push('third'));
  });
  clock.setTimer(0, () => seen.push('second'));
  clock.flush();
  assert.deepEqual(seen, ['first', 'second', 'third']);
  assert.equal(clock.now(), 0);
});

test('something that re-arms itself for ever is found', () => {
  const clock = new VirtualClock();
  const again = (): void => void clock.setTimer(1, again);
  again();
  assert.throws(() => clock.runUntilIdle(50), /pending/);
});

test('the same seed gives the same numbers, another seed others', () => {
  const draw = (seed: number): number[] => {
    const clock = new VirtualClock({ seed });
    return Array.from({ length: 8 }, () => clock.random());
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  const many = Array.from({ length: 1000 }, (_, seed) => draw(seed)[0] as number);
  const mean = many.reduce((sum, value) => sum + value, 0) / many.length;
  assert.ok(mean > 0.45 && mean < 0.55, `first draws of neighbouring seeds are spread (${mean})`);
});
