import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  averageRate,
  layersOf,
  ratesOf,
  stackOf,
  timesOf,
} from '../../../src/admin/dashboard/figures/series.ts';
import { Samples } from '../../../src/admin/dashboard/live/samples.ts';
import { noTotals } from '../../../src/metrics/totals.ts';
import { sample } from '../live/test-source.ts';

function seconds(from: number, to: number): ReturnType<typeof sample>[] {
  return Array.from({ length: to - from }, (_, index) => sample(from + index, from + index));
}

describe('what was measured, as the dashboard keeps it', () => {
  it('is an hour, and no more', () => {
    const samples = new Samples();
    samples.reset(seconds(0, 300));
    for (let second = 300; second < 5_000; second++) samples.add([sample(second)]);
    const all = samples.last(10_000);
    assert.deepEqual([all.length, all[0]?.at], [3_600, 1_400_000]);
  });

  it('is shown second by second where that is asked for', () => {
    const samples = new Samples();
    samples.reset(seconds(0, 100));
    const spans = samples.within(60, 1);
    assert.deepEqual([spans.length, spans[0]?.at, spans.at(-1)?.at], [61, 39_000, 99_000]);
    assert.deepEqual(new Samples().within(60, 1), []);
  });

  it('is summed up in steps, and nothing is lost or counted twice', () => {
    const samples = new Samples();
    const one = { ...sample(0).counts, terminations: { 'client-closed': 1 }, statuses: { '2xx': 2 } };
    samples.reset(
      seconds(0, 3_600).map((entry, index) => ({
        ...entry,
        active: index,
        eventLoopDelayMs: index % 12,
        counts: { ...one, opened: 1, bytes: { fromClient: 3, toClient: 4 } },
      })),
    );
    const spans = samples.within(3_600, 12);
    assert.equal(spans.length, 300);
    const sum = (read: (span: (typeof spans)[number]) => number): number =>
      spans.reduce((total, span) => total + read(span), 0);
    assert.equal(
      sum(({ seconds }) => seconds),
      3_600,
    );
    assert.equal(
      sum(({ counts }) => counts.opened),
      3_600,
    );
    assert.equal(
      sum(({ counts }) => counts.bytes.toClient),
      4 * 3_600,
    );
    assert.equal(
      sum(({ counts }) => counts.terminations['client-closed'] ?? 0),
      3_600,
    );
    assert.equal(
      sum(({ counts }) => counts.statuses['2xx'] ?? 0),
      7_200,
    );
    assert.equal(spans[1]?.delayMs, 11, 'the worst of the step');
    assert.equal(spans.at(-1)?.active, 3_599, 'the last of the step');
    samples.add([sample(3_600)]);
    assert.deepEqual(samples.within(3_600, 12)[5]?.at, spans[5]?.at, 'steps stay where they are');
  });
});

describe('lines and layers', () => {
  const spans = [
    { terminations: { 'client-closed': 4, blocked: 2 }, seconds: 2 },
    { terminations: { 'client-closed': 1 }, seconds: 1 },
  ].map(({ terminations, seconds }, index) => ({
    ...{ at: (index + 1) * 1_000, seconds, active: 0, delayMs: 0 },
    counts: { ...noTotals, opened: 6, terminations },
  }));

  it('are rates at their times', () => {
    assert.deepEqual(timesOf(spans), [1, 2]);
    assert.deepEqual(
      ratesOf(spans, ({ opened }) => opened),
      [3, 6],
    );
    assert.equal(
      averageRate(spans, ({ opened }) => opened),
      4,
    );
    assert.equal(
      averageRate([], ({ opened }) => opened),
      0,
    );
  });

  it('begin with the most frequent, and stand on each other', () => {
    const layers = layersOf(spans, ({ terminations }) => terminations);
    assert.deepEqual(layers, [
      { label: 'client-closed', values: [2, 1] },
      { label: 'blocked', values: [1, 0] },
    ]);
    assert.deepEqual(stackOf(layers), [
      [2, 1],
      [3, 1],
    ]);
  });

  it('are eight at most: the rest is one', () => {
    const statuses = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`s${index}`, 12 - index]));
    const [span] = spans;
    const layers = layersOf(
      [{ ...span!, seconds: 1, counts: { ...noTotals, statuses } }],
      (counts) => counts.statuses,
    );
    assert.deepEqual([layers.length, layers.at(-1)], [8, { label: 'others', values: [5 + 4 + 3 + 2 + 1] }]);
  });
});
