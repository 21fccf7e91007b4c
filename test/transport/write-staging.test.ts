import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slabBytes, WriteStaging } from '../../src/transport/write-staging.ts';

test('a place that was given back is the next one’s, and one that was kept is nobody’s', () => {
  const staging = new WriteStaging();
  const first = staging.reserve(100);
  const { memory } = staging;
  staging.release(memory, first, first + 100);
  assert.equal(staging.reserve(50), first);
  staging.release(memory, first + 20, first + 50);
  assert.equal(staging.reserve(10), first + 20, 'only the end was given back');
});

test('a place is not given back below one that was reserved later', () => {
  const staging = new WriteStaging();
  const first = staging.reserve(100);
  const second = staging.reserve(100);
  assert.ok(second >= first + 100);
  staging.release(staging.memory, first, first + 100);
  assert.ok(staging.reserve(10) >= second + 100);
});

test('where no room is left there is other memory, and the former is let go', () => {
  const staging = new WriteStaging();
  staging.reserve(slabBytes - 10);
  const { memory } = staging;
  const start = staging.reserve(11);
  assert.notEqual(staging.memory, memory);
  assert.equal(start, 0);
  staging.release(memory, 0, slabBytes - 10);
  assert.equal(staging.reserve(1), 11, 'what is given back too late is nothing');
});

test('more than a piece of memory has is reserved in one piece, once', () => {
  const staging = new WriteStaging();
  staging.reserve(10);
  const start = staging.reserve(3 * slabBytes);
  assert.ok(staging.memory.length >= start + 3 * slabBytes);
  staging.release(staging.memory, start, start + 3 * slabBytes);
  staging.reserve(10);
  assert.equal(staging.memory.length, slabBytes);
});

test('what was staged and kept stays, and what was not is overwritten by the next', () => {
  const staging = new WriteStaging();
  const kept = staging.stage(Buffer.from('kept'));
  staging.keep(kept);
  const passing = staging.stage(Buffer.from('passing'));
  const next = staging.stage(Buffer.from('another'));
  assert.equal(kept.toString(), 'kept');
  assert.equal(passing.toString(), 'another');
  assert.equal(next.toString(), 'another');
});
