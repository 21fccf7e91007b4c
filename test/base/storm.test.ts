import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Storm } from '../../src/base/storm.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

function start(individually: number) {
  const clock = new VirtualClock();
  const counts: [string, number, number][] = [];
  const storm = new Storm<number>({
    clock,
    individually,
    tellCount: (kind, count, last) => counts.push([kind, count, last]),
  });
  return { clock, storm, counts };
}

test('the first of a kind are told one by one, the rest of each second as a count with the newest', () => {
  const { clock, storm, counts } = start(3);
  const told = Array.from({ length: 10 }, (_, index) => storm.add('a', index));
  assert.deepEqual(told, [true, true, true, ...Array.from({ length: 7 }, () => false)]);
  clock.advance(1_000);
  assert.deepEqual(counts, [['a', 7, 9]]);
  assert.equal(storm.add('a', 10), false, 'it goes on: only counted');
  assert.equal(storm.add('b', 11), true, 'another kind is another matter');
  clock.advance(1_000);
  assert.deepEqual(counts.at(-1), ['a', 1, 10]);
  assert.equal(storm.add('a', 12), true, 'the last second was quiet');
  clock.advance(2_000);
  assert.equal(clock.pending, 0);
});

test('nothing is lost from the sum, and what is owed is told at the end', () => {
  const { clock, storm, counts } = start(1);
  let told = 0;
  for (let index = 0; index < 5_000; index++) {
    if (storm.add('a', index)) told++;
    clock.advance(1);
  }
  storm.stop();
  assert.equal(told + counts.reduce((sum, [, count]) => sum + count, 0), 5_000);
  assert.ok(counts.length <= 6);
  assert.equal(clock.pending, 0);
});
