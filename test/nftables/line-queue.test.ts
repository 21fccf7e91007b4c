import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineQueue } from '../../src/nftables/line-queue.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

function stage({ lineMs = 0 } = {}) {
  const clock = new VirtualClock();
  const lines: string[] = [];
  let [taken, spentMs] = [0, 0];
  const queue = new LineQueue({
    clock: {
      now: () => clock.now() + spentMs,
      setImmediate: (callback) => clock.setImmediate(callback),
    },
    onLine: (line) => {
      spentMs += lineMs;
      lines.push(line);
    },
    onTaken: (characters) => {
      taken += characters;
    },
  });
  return { clock, lines, queue, taken: () => taken };
}

test('lines are told in order, whole, and not while they come', () => {
  const { clock, lines, queue, taken } = stage();
  for (const text of ['one\ntw', 'o\n', 'three\nfo']) queue.push(text);
  assert.deepEqual([lines, taken()], [[], 0]);
  clock.runUntilIdle();
  assert.deepEqual([lines, taken()], [['one', 'two', 'three'], 16]);
  queue.push('ur\n');
  clock.runUntilIdle();
  assert.equal(lines.at(-1), 'four');
  assert.equal(clock.pending, 0);
});

test('what takes long is done in several turns, with room for others between', () => {
  const { clock, lines, queue } = stage({ lineMs: 3 });
  for (let i = 0; i < 6; i++) queue.push(`${i}\n`);
  const seen: number[] = [];
  const look = (): void => {
    seen.push(lines.length);
    if (lines.length < 6) clock.setImmediate(look);
  };
  clock.setImmediate(look);
  clock.runUntilIdle();
  assert.deepEqual(lines, ['0', '1', '2', '3', '4', '5']);
  assert.deepEqual(seen, [2, 4, 6]);
});

test('who waits for it to catch up waits for what came before, not for what comes', async () => {
  const { clock, lines, queue } = stage({ lineMs: 5 });
  await queue.caughtUp();
  queue.push('before\n');
  const caughtUp = queue.caughtUp().then(() => [...lines]);
  for (let i = 0; i < 3; i++) queue.push('after\n');
  clock.runNext();
  clock.runNext();
  assert.deepEqual(await caughtUp, ['before', 'after']);
  clock.runUntilIdle();
  assert.deepEqual(lines, ['before', 'after', 'after', 'after']);
});

test('once cleared nothing more is told, and nobody waits', async () => {
  const { clock, lines, queue, taken } = stage();
  queue.push('one\n');
  const caughtUp = queue.caughtUp();
  queue.clear();
  await caughtUp;
  clock.runUntilIdle();
  assert.deepEqual([lines, taken(), clock.pending], [[], 4, 0]);
});
