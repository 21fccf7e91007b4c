import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import { LiveFeed } from '../../../src/admin/live/live-feed.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { endedRow, row, sample, TestSource } from './test-source.ts';
import { TestViewer } from './test-viewer.ts';

const clock = new VirtualClock();
const feeds: LiveFeed[] = [];
afterEach(() => {
  for (const feed of feeds.splice(0)) feed.stop();
  assert.equal(clock.pending, 0, 'no timer is left');
});

function start(): { source: TestSource; feed: LiveFeed } {
  const source = new TestSource();
  const feed = new LiveFeed({ clock, source });
  feeds.push(feed);
  return { source, feed };
}

function watch(feed: LiveFeed): TestViewer {
  const viewer = new TestViewer();
  feed.watch(viewer.output);
  return viewer;
}

describe('the live feed', () => {
  it('begins with a snapshot of this moment, and goes on with what has changed', () => {
    const { source, feed } = start();
    source.live = [row('a')];
    const viewer = watch(feed);
    assert.deepEqual(viewer.events, ['snapshot']);
    assert.deepEqual(
      viewer.heard[0]?.data.rows.map(({ id }) => id),
      ['a'],
    );
    source.live = [row('a', { toClient: 7 }), row('b')];
    source.ended.push(endedRow('c'));
    clock.advance(1_000);
    assert.deepEqual(viewer.events, ['snapshot', 'tick']);
    const { rows, moves, gone, endings } = viewer.heard[1]!.data;
    assert.deepEqual(
      { rows: rows.map(({ id }) => id), moves, gone, endings: endings.map(({ id }) => id) },
      { rows: ['b'], moves: [['a', 0, 7]], gone: [], endings: ['c'] },
    );
    clock.advance(1_000);
    assert.deepEqual(viewer.heard[2]?.data.endings, [], 'an ending is told once');
  });

  it('looks once for any number of viewers, and a later one begins with what the others know', () => {
    const { source, feed } = start();
    source.live = [row('a')];
    const viewers = [watch(feed), watch(feed), watch(feed)];
    clock.advance(3_000);
    assert.equal(source.asked, 4, 'one look for the first, one for each second');
    for (const viewer of viewers) assert.deepEqual(viewer.events, ['snapshot', 'tick', 'tick', 'tick']);
    source.live = [];
    assert.deepEqual(
      watch(feed).heard[0]?.data.rows.map(({ id }) => id),
      ['a'],
    );
  });

  it('gives a slow viewer nothing until it has taken what it has, then begins anew', () => {
    const { source, feed } = start();
    const [slow, quick] = [watch(feed), watch(feed)];
    slow.stall();
    clock.advance(5_000);
    assert.equal(quick.events.length, 6);
    assert.ok(slow.output.writableLength < 2_000, 'one message waits, not five');
    source.live = [row('a')];
    slow.goOn();
    clock.advance(1_000);
    assert.deepEqual(slow.events, ['snapshot', 'tick', 'snapshot']);
    assert.deepEqual(
      slow.heard[2]?.data.rows.map(({ id }) => id),
      ['a'],
    );
  });

  it('cuts off a viewer that takes nothing for fifteen seconds', async () => {
    const { feed } = start();
    const [slow, quick] = [watch(feed), watch(feed)];
    slow.stall();
    const closed = once(slow.output, 'close');
    clock.advance(17_000);
    await closed;
    assert.equal(feed.viewers, 1);
    assert.equal(quick.events.length, 18);
  });

  it('takes sixteen viewers, and ends what comes beyond', async () => {
    const { feed } = start();
    for (let count = 0; count < 16; count++) watch(feed);
    assert.equal(feed.full, true);
    const late = watch(feed);
    await once(late.output, 'close');
    assert.deepEqual([late.events, feed.viewers], [[], 16]);
  });

  it('shows ten thousand connections, the oldest', () => {
    const { source, feed } = start();
    source.live = Array.from({ length: 10_500 }, (_, index) => row(`c${index}`));
    const viewer = watch(feed);
    assert.equal(viewer.heard[0]?.data.rows.length, 10_000);
    source.live = source.live.slice(100);
    clock.advance(1_000);
    const { rows, gone } = viewer.heard[1]!.data;
    assert.deepEqual([rows.length, gone.length, rows[0]?.id], [100, 100, 'c10000']);
  });

  it('keeps the last thousand endings for those who come later', () => {
    const { source, feed } = start();
    watch(feed);
    for (let index = 0; index < 1_500; index++) source.ended.push(endedRow(`e${index}`));
    clock.advance(1_000);
    const { endings } = watch(feed).heard[0]!.data;
    assert.deepEqual([endings.length, endings[0]?.id, endings.at(-1)?.id], [1_000, 'e500', 'e1499']);
  });

  it('tells what was measured: the past at first, then each second once', () => {
    const { source, feed } = start();
    source.sampled = Array.from({ length: 400 }, (_, second) => sample(second));
    const viewer = watch(feed);
    assert.equal(viewer.heard[0]?.data.samples.length, 400);
    clock.advance(1_000);
    source.sampled.push(sample(400, 5), sample(401, 6));
    clock.advance(1_000);
    const told = viewer.heard.slice(1).map(({ data }) => data.samples.map(({ counts }) => counts.opened));
    assert.deepEqual(told, [[], [5, 6]]);
    source.sampled.push(sample(402));
    assert.equal(watch(feed).heard[0]?.data.samples.at(-1)?.counts.opened, 6, 'no second before its tick');
  });

  it('does nothing while nobody watches', () => {
    const { source } = start();
    clock.advance(60_000);
    assert.deepEqual([source.asked, clock.pending], [0, 0]);
  });

  it('rests again when the last viewer has left', async () => {
    const { source, feed } = start();
    const viewer = watch(feed);
    viewer.output.destroy();
    await once(viewer.output, 'close');
    clock.advance(1_000);
    const asked = source.asked;
    clock.advance(60_000);
    assert.equal(source.asked, asked);
  });

  it('says goodbye when it stops, and takes nobody any more', async () => {
    const { feed } = start();
    const viewer = watch(feed);
    feed.stop();
    await once(viewer.output, 'finish');
    assert.deepEqual(viewer.events, ['snapshot', 'bye']);
    assert.equal(feed.full, true);
  });
});
