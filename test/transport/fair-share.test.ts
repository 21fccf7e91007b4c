import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FairReader, FairShare, turnShareBytes } from '../../src/transport/fair-share.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

class Reader implements FairReader {
  turn = 0;
  turnBytes = 0;
  resumed = 0;

  turnBegan(): void {
    this.resumed++;
  }
}

const buffer = 64 * 1024;

// L27
test('beside another active reader a direction stops at its share, until the next turn', () => {
  const clock = new VirtualClock({ seed: 1 });
  const share = new FairShare(clock);
  const bulk = new Reader();
  const small = new Reader();
  assert.equal(share.spend(small, 100), false);
  for (let read = buffer; read < turnShareBytes; read += buffer)
    assert.equal(share.spend(bulk, buffer), false);
  assert.equal(share.spend(bulk, buffer), true);
  assert.equal(bulk.resumed, 0);
  clock.runUntilIdle();
  assert.equal(bulk.resumed, 1);
  assert.equal(small.resumed, 0);
});

// L27
test('whoever was active in the turn before counts too, also when the bulk transfer is first', () => {
  const clock = new VirtualClock({ seed: 1 });
  const share = new FairShare(clock);
  const bulk = new Reader();
  share.spend(bulk, buffer);
  share.spend(new Reader(), 100);
  clock.runUntilIdle();
  assert.equal(share.spend(bulk, turnShareBytes), true);
});

test('a direction alone is never held up', () => {
  const clock = new VirtualClock({ seed: 1 });
  const share = new FairShare(clock);
  const bulk = new Reader();
  for (let turn = 0; turn < 5; turn++) {
    for (let read = 0; read < 8 * turnShareBytes; read += buffer)
      assert.equal(share.spend(bulk, buffer), false);
    clock.runUntilIdle();
  }
  assert.equal(bulk.resumed, 0);
});

test('small messages never cost a callback of their own', () => {
  const clock = new VirtualClock({ seed: 1 });
  const share = new FairShare(clock);
  const readers = Array.from({ length: 50 }, () => new Reader());
  for (const reader of readers) assert.equal(share.spend(reader, 200), false);
  assert.equal(clock.pending, 0);
});

test('a reader that yields of its own accord goes on in the next turn', () => {
  const clock = new VirtualClock({ seed: 1 });
  const share = new FairShare(clock);
  const reader = new Reader();
  share.yieldTurn(reader);
  assert.equal(reader.resumed, 0);
  clock.runUntilIdle();
  assert.equal(reader.resumed, 1);
});
