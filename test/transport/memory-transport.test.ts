import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Loan, TransportListener } from '../../src/base/transport.ts';
import { poison } from '../../src/transport/memory-loan.ts';
import {
  type MemoryOptions,
  type MemoryTransport,
  memoryPair,
} from '../../src/transport/memory-transport.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

interface Ear extends TransportListener {
  readonly heard: string[];
  readonly bytes: number[];
  onBytes?: (bytes: Uint8Array, loan?: Loan) => void;
}

function listen(transport: MemoryTransport): Ear {
  const ear: Ear = {
    heard: [],
    bytes: [],
    onData(bytes, loan) {
      ear.bytes.push(...bytes);
      ear.onBytes?.(bytes, loan);
    },
    onEnd: () => void ear.heard.push('end'),
    onDrain: () => void ear.heard.push('drain'),
    onFinish: () => void ear.heard.push('finish'),
    onError: (error) => void ear.heard.push(`error ${(error as { code?: string }).code}`),
    onClose: () => void ear.heard.push('close'),
  };
  transport.setListener(ear);
  return ear;
}

function pair(options: Partial<MemoryOptions> = {}) {
  const clock = new VirtualClock({ seed: 3 });
  const [a, b] = memoryPair({ clock, ...options });
  return { clock, a, b, atA: listen(a), atB: listen(b) };
}

const some = (count: number, from = 0): Uint8Array =>
  Uint8Array.from({ length: count }, (_, index) => (from + index) % 200);

test('every byte arrives once and in order, whatever the window, the segments and the pauses', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 12 }),
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 0, max: 50 }),
      fc.integer({ min: 1, max: 90 }),
      (sizes, windowBytes, segmentBytes, readBytes) => {
        const { clock, a, b, atA, atB } = pair({ windowBytes, segmentBytes, readBytes, latency: () => 2 });
        const sent: number[] = [];
        for (const size of sizes) {
          const bytes = some(size, sent.length);
          sent.push(...bytes);
          a.write(bytes);
        }
        a.end();
        atB.onBytes = () => {
          b.pause();
          clock.setTimer(1, () => b.resume());
        };
        b.resume();
        a.resume();
        clock.runUntilIdle();
        assert.deepEqual(atB.bytes, sent);
        assert.deepEqual(atB.heard, ['end']);
        assert.equal(a.bytesWritten, sent.length);
        assert.equal(b.bytesRead, sent.length);
        b.end();
        clock.runUntilIdle();
        assert.deepEqual(atA.heard.slice(-3), ['finish', 'end', 'close']);
        assert.deepEqual(atB.heard, ['end', 'finish', 'close']);
      },
    ),
  );
});

test('a writer is told to wait, sees what is pending, and hears the drain once', () => {
  const { clock, a, b, atA } = pair({ windowBytes: 100 });
  assert.equal(a.write(some(60)), true);
  assert.equal(a.write(some(60)), false);
  assert.equal(a.pendingBytes, 20);
  assert.equal(a.bytesWritten, 100);
  clock.runUntilIdle();
  assert.deepEqual(atA.heard, []);
  b.resume();
  clock.runUntilIdle();
  assert.deepEqual(atA.heard, ['drain']);
  assert.equal(a.pendingBytes, 0);
});

test('a paused end hears neither FIN nor RST; a write of its own tells it of the RST', () => {
  const { clock, a, b, atB } = pair();
  a.write(some(5));
  clock.runUntilIdle();
  a.reset();
  clock.runUntilIdle();
  assert.deepEqual(atB.heard, []);
  b.write(some(1));
  clock.runUntilIdle();
  assert.deepEqual(atB.heard, ['error ECONNRESET', 'close']);
});

test('what arrived before a RST can still be read', () => {
  const { clock, a, b, atB } = pair();
  a.write(some(5));
  clock.runUntilIdle();
  a.reset();
  b.resume();
  clock.runUntilIdle();
  assert.deepEqual(atB.bytes, [...some(5)]);
  assert.deepEqual(atB.heard, ['error ECONNRESET', 'close']);
});

test('closing with unread bytes, and bytes that reach a closed end, give RST', () => {
  for (const unread of [true, false]) {
    const { clock, a, b, atA } = pair({ latency: () => 1 });
    a.resume();
    if (unread) a.write(some(5));
    clock.runUntilIdle();
    b.destroy();
    clock.runUntilIdle();
    if (!unread) {
      assert.deepEqual(atA.heard, ['end'], 'nothing was unread: FIN');
      a.write(some(5));
      clock.runUntilIdle();
    }
    assert.deepEqual(atA.heard.slice(-2), ['error ECONNRESET', 'close']);
  }
});

test('after the call read memory is poisoned, unless the loan was taken, and then when it is back', () => {
  const { clock, a, b, atB } = pair({ lendShare: 1 });
  const seen: { bytes: Uint8Array; loan: Loan | undefined }[] = [];
  atB.onBytes = (bytes, loan) => {
    seen.push({ bytes, loan });
    if (seen.length === 2) loan?.take();
  };
  b.resume();
  for (const from of [0, 10, 20]) {
    a.write(some(4, from));
    clock.runUntilIdle();
  }
  assert.equal(seen.length, 2, 'nothing is read while the memory is lent');
  const [first, second] = seen as [(typeof seen)[0], (typeof seen)[0]];
  assert.ok(b.lent);
  assert.deepEqual(atB.bytes, [...some(4), ...some(4, 10)]);
  assert.equal(first.loan === second.loan, false);
  assert.deepEqual([...second.bytes], [...some(4, 10)]);
  second.loan?.giveBack();
  assert.ok([...second.bytes].every((byte) => byte === poison));
  assert.throws(() => second.loan?.giveBack());
  assert.throws(() => first.loan?.take());
  clock.runUntilIdle();
  assert.equal(seen.length, 3);
  assert.equal(b.lent, false);
});

test('a write keeps a loan only for what the kernel did not take, and gives it back when it closes', () => {
  const { clock, a } = pair({ windowBytes: 10 });
  const calls: string[] = [];
  const loan: Loan = { take: () => void calls.push('take'), giveBack: () => void calls.push('back') };
  a.write(some(10), loan);
  assert.deepEqual(calls, []);
  a.write(some(10), loan);
  assert.deepEqual(calls, ['take']);
  a.destroy();
  assert.deepEqual(calls, ['take', 'back']);
  clock.runUntilIdle();
});

test('a vanished end is closed and nobody is told', () => {
  const { clock, a, atA } = pair();
  a.resume();
  a.vanish();
  clock.runUntilIdle();
  assert.ok(a.closed);
  assert.deepEqual(atA.heard, []);
  assert.equal(clock.pending, 0);
});

test('nothing is told synchronously, and nothing after close', () => {
  const { clock, a, b, atA, atB } = pair();
  b.resume();
  b.end();
  a.reset();
  a.reset();
  a.destroy();
  assert.equal(a.write(some(1)), false);
  assert.deepEqual([atA.heard, atB.heard], [[], []]);
  clock.runUntilIdle();
  a.fail('ETIMEDOUT');
  clock.runUntilIdle();
  assert.deepEqual(atA.heard, ['close']);
  assert.deepEqual(atB.heard, ['finish', 'error ECONNRESET', 'close']);
  assert.equal(clock.pending, 0);
});
