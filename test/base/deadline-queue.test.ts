import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Deadline, DeadlineQueue } from '../../src/base/deadline-queue.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

function deadline(expire: (now: number) => void): Deadline {
  return { dueAt: 0, position: -1, expire };
}

test('deadlines expire in the order of their due times, whatever was moved or removed before', () => {
  const step = fc.record({
    item: fc.nat({ max: 15 }),
    dueAt: fc.oneof(fc.nat({ max: 1000 }), fc.constant(Number.POSITIVE_INFINITY)),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = new VirtualClock();
      const queue = new DeadlineQueue(clock);
      const expired: { item: number; at: number }[] = [];
      const items = Array.from({ length: 16 }, (_, item) => deadline((at) => expired.push({ item, at })));
      const wanted = new Map<number, number>();
      for (const { item, dueAt } of steps) {
        queue.schedule(items[item] as Deadline, dueAt);
        if (dueAt === Number.POSITIVE_INFINITY) wanted.delete(item);
        else wanted.set(item, dueAt);
      }
      assert.equal(queue.size, wanted.size);
      clock.runUntilIdle();
      assert.deepEqual(expired.map(({ item, at }) => [item, at]).sort(), [...wanted].sort());
      assert.deepEqual(
        expired.map(({ at }) => at),
        expired.map(({ at }) => at).sort((a, b) => a - b),
      );
      assert.equal(clock.pending, 0);
    }),
  );
});

// L11
test('ten thousand deadlines that expire together take many turns of the loop, and all expire', () => {
  const clock = new VirtualClock();
  const queue = new DeadlineQueue(clock);
  let expired = 0;
  let mostInOneTurn = 0;
  for (let i = 0; i < 10_000; i++)
    queue.schedule(
      deadline(() => expired++),
      5,
    );
  while (queue.size > 0) {
    const before = expired;
    clock.runNext();
    mostInOneTurn = Math.max(mostInOneTurn, expired - before);
  }
  assert.equal(expired, 10_000);
  assert.ok(mostInOneTurn <= 256, `${mostInOneTurn} in one turn`);
  clock.runUntilIdle();
  assert.equal(clock.pending, 0);
});

test('an expiry may schedule itself again, and removes others that were due', () => {
  const clock = new VirtualClock();
  const queue = new DeadlineQueue(clock);
  const seen: string[] = [];
  const victim = deadline(() => seen.push('victim'));
  const again: Deadline = deadline((now) => {
    seen.push(`again ${now}`);
    queue.remove(victim);
    if (now < 30) queue.schedule(again, now + 10);
  });
  queue.schedule(again, 10);
  queue.schedule(victim, 10);
  clock.runUntilIdle();
  assert.deepEqual(seen, ['again 10', 'again 20', 'again 30']);
  assert.equal(clock.pending, 0);
});

test('clearing leaves no timer, also between two turns of a long sweep', () => {
  const clock = new VirtualClock();
  const queue = new DeadlineQueue(clock);
  for (let i = 0; i < 1000; i++)
    queue.schedule(
      deadline(() => {}),
      1,
    );
  clock.runNext();
  assert.ok(queue.size > 0);
  queue.clear();
  assert.equal(clock.pending, 0);
});
