import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { History, type HistorySample } from '../../src/metrics/history.ts';
import { noTotals } from '../../src/metrics/totals.ts';

function sample(second: number): HistorySample {
  return {
    ...{ at: new Date(second * 1_000).toISOString(), durationMs: 1_000 },
    ...{ active: second, eventLoopDelayMs: second % 10 },
    counts: { ...noTotals, opened: 1, bytes: { fromClient: 2, toClient: 3 }, terminations: { blocked: 1 } },
  };
}

function historyOf(seconds: number): History {
  const history = new History();
  for (let second = 0; second < seconds; second++) history.add(sample(second), new Map());
  return history;
}

const sum = (samples: readonly HistorySample[], read: (one: HistorySample) => number): number =>
  samples.reduce((total, one) => total + read(one), 0);

describe('the history', () => {
  it('is second by second for five minutes', () => {
    const history = historyOf(400);
    assert.equal(history.samples(1_000).length, 300);
    assert.deepEqual(
      history.samples(2).map(({ active }) => active),
      [398, 399],
    );
  });

  it('keeps what is older in steps, in which nothing is lost or counted twice', () => {
    for (const seconds of [0, 1, 300, 301, 311, 312, 313, 1_000]) {
      const past = historyOf(seconds).past();
      assert.equal(
        past.length,
        Math.min(300, seconds) + Math.ceil(Math.max(0, seconds - 300) / 12),
        `${seconds}`,
      );
      assert.equal(
        sum(past, ({ durationMs }) => durationMs),
        seconds * 1_000,
      );
      assert.equal(
        sum(past, ({ counts }) => counts.opened),
        seconds,
      );
      assert.equal(
        sum(past, ({ counts }) => counts.bytes.toClient),
        3 * seconds,
      );
      assert.equal(
        sum(past, ({ counts }) => counts.terminations.blocked ?? 0),
        seconds,
      );
      assert.deepEqual(
        past.map(({ at }) => at),
        past.map(({ at }) => at).toSorted(),
      );
    }
  });

  it('says of a step what was at its end, and the worst of its delays', () => {
    const [first] = historyOf(400).past();
    const { at, active, eventLoopDelayMs } = first as HistorySample;
    assert.deepEqual([at, active, eventLoopDelayMs], [sample(11).at, 11, 9]);
  });

  it('is bounded: an hour', () => {
    const past = historyOf(10_000).past();
    assert.equal(past.length, 300 + 275);
    const [first] = past;
    assert.ok(Date.parse(first?.at ?? '') >= (10_000 - 3_625) * 1_000);
  });
});
