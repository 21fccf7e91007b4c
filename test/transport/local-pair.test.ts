import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PeerAddress } from '../../src/base/transport.ts';
import { type LocalEnd, localPair } from '../../src/transport/local-pair.ts';
import { eventually, pattern, Recorder, turns } from './rig.ts';

const here: PeerAddress = { ip: '127.0.0.1', port: 1 };
const there: PeerAddress = { ip: '127.0.0.2', port: 2 };

/** Two ends, both read. */
function joined(): { near: LocalEnd; far: LocalEnd; heard: Recorder; farHeard: Recorder } {
  const [near, far] = localPair(here, there);
  const [heard, farHeard] = [new Recorder(), new Recorder()];
  near.setListener(heard);
  far.setListener(farHeard);
  near.resume();
  far.resume();
  return { near, far, heard, farHeard };
}

test('what one end writes the other reads, later, whole, and in memory of its own', async () => {
  const { near, far, farHeard } = joined();
  assert.deepEqual([near.local, near.peer, far.local, far.peer], [here, there, there, here]);
  const bytes = pattern(1000, 1);
  const expected = Buffer.from(bytes);
  near.write(bytes);
  near.write(bytes.subarray(0, 10));
  bytes.fill(0);
  assert.equal(farHeard.chunks.length, 0, 'nobody is called within a write');
  assert.equal(near.pendingBytes, 1010);
  await eventually(() => farHeard.bytes.length === 1010);
  assert.deepEqual(farHeard.bytes, Buffer.concat([expected, expected.subarray(0, 10)]));
  assert.deepEqual([near.bytesWritten, near.pendingBytes, far.bytesRead], [1010, 0, 1010]);
  for (const chunk of farHeard.chunks) assert.equal(chunk.buffer.byteLength >= chunk.length, true);
});

test('a writer waits for a reader that has paused, and is told when it has read', async () => {
  const { near, far, heard, farHeard } = joined();
  far.pause();
  let written = 0;
  while (near.write(pattern(8192, written))) written++;
  assert.equal(written, 7);
  await turns(3);
  assert.equal(farHeard.chunks.length, 0);
  assert.equal(heard.heard('drain'), false);
  far.resume();
  await eventually(() => heard.heard('drain'));
  assert.equal(farHeard.bytes.length, 65_536);
  assert.equal(near.write(pattern(1, 1)), true);
});

test('FIN comes behind everything, each way by itself, and both close the ends', async () => {
  const { near, far, heard, farHeard } = joined();
  near.write(Buffer.from('last'));
  near.end();
  assert.equal(near.write(Buffer.from('more')), false);
  await eventually(() => farHeard.heard('end'));
  assert.equal(farHeard.bytes.toString(), 'last');
  await eventually(() => heard.heard('finish'));
  assert.deepEqual([near.writeFinished, near.readEnded, near.closed], [true, false, false]);
  far.write(Buffer.from('answer'));
  far.end();
  await eventually(() => heard.heard('close') && farHeard.heard('close'));
  assert.equal(heard.bytes.toString(), 'answer');
  assert.deepEqual(heard.events, ['finish', 'end', 'close']);
  assert.deepEqual(farHeard.events, ['end', 'finish', 'close']);
});

test('a reset is an error for the other end, and what was under way is lost', async () => {
  const { near, heard, farHeard } = joined();
  near.write(Buffer.from('lost'));
  near.reset();
  near.reset();
  await eventually(() => heard.heard('close') && farHeard.heard('close'));
  assert.deepEqual(heard.events, ['close']);
  assert.deepEqual(farHeard.events, ['error', 'close']);
  assert.equal((farHeard.error as NodeJS.ErrnoException).code, 'ECONNRESET');
  assert.equal(farHeard.bytes.length, 0);
});

test('an end that is broken off tells the other why', async () => {
  const { near, farHeard } = joined();
  const error = new Error('why');
  near.breakOff(error);
  await eventually(() => farHeard.heard('close'));
  assert.equal(farHeard.error, error);
});

test('an end that was destroyed lets what it wrote arrive, and a FIN needs no reader', async () => {
  const { near, far, heard, farHeard } = joined();
  near.write(Buffer.from('last'));
  near.destroy();
  far.end();
  await eventually(() => farHeard.heard('close'));
  assert.equal(farHeard.bytes.toString(), 'last');
  assert.deepEqual(farHeard.events, ['end', 'finish', 'close']);
  assert.deepEqual(heard.events, ['close']);
});

test('who writes to an end that is gone hears of a reset', async () => {
  const { near, far, farHeard } = joined();
  near.destroy();
  assert.equal(far.write(Buffer.from('x')), false);
  await eventually(() => farHeard.heard('close'));
  assert.deepEqual(farHeard.events, ['error', 'close']);
});

test('an end without a listener reads nothing, and the next one hears everything', async () => {
  const { near, far, farHeard } = joined();
  far.setListener(null);
  near.write(Buffer.from('kept'));
  near.end();
  await turns(3);
  assert.equal(farHeard.chunks.length, 0);
  const next = new Recorder();
  far.setListener(next);
  await eventually(() => next.heard('end'));
  assert.equal(next.bytes.toString(), 'kept');
});
