import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReceiveWindow } from '../../../src/network-proxy/http2/receive-window.ts';
import { RequestBody } from '../../../src/network-proxy/http2/request-body.ts';
import { ownMemory } from '../../../src/transport/portable-transport.ts';

/** A body whose owner keeps what it is shown, and pauses after each piece if it is told to. */
function bodyOf(options: { pauses?: boolean } = {}) {
  const shown: Buffer[] = [];
  const opened: number[] = [];
  let ends = 0;
  const owner = {
    bodyRead(bytes: Uint8Array): void {
      shown.push(Buffer.from(bytes));
      if (options.pauses) body.pause();
    },
    bodyEnded(): void {
      ends++;
    },
  };
  const window = new ReceiveWindow(100_000, (bytes) => opened.push(bytes));
  const body: RequestBody = new RequestBody(owner, window, false);
  return { body, shown, opened, ends: () => ends };
}

test('what comes while a body is paused is shown in order, and opens the window only then', () => {
  const { body, shown, opened, ends } = bodyOf();
  const sent: Buffer[] = [];
  for (let i = 0; i < 40; i++) {
    const piece = Buffer.alloc([1, 7, 3000, 4096, 9000][i % 5] as number, i);
    sent.push(piece);
    const read = Buffer.from(piece);
    body.arrived(read, i % 2 === 0 ? ownMemory : undefined);
    if (i % 2 === 1) read.fill(0xff);
  }
  body.end(null);
  const whole = Buffer.concat(sent);
  assert.deepEqual([shown.length, opened, ends(), body.unread], [0, [], 0, whole.length]);
  body.resume();
  assert.ok(Buffer.concat(shown).equals(whole));
  assert.equal(opened.length, 2);
  assert.deepEqual([ends(), body.unread, body.complete], [1, 0, true]);
});

test('an owner that pauses within a call is shown no more, and hears the end last', () => {
  const { body, shown, ends } = bodyOf({ pauses: true });
  for (let i = 0; i < 3; i++) body.arrived(Buffer.alloc(5000, i), ownMemory);
  body.end([['x-sum', '1']]);
  for (let calls = 1; calls <= 3; calls++) {
    assert.equal(ends(), 0);
    body.resume();
    assert.equal(shown.length, calls);
  }
  assert.equal(ends(), 1);
  assert.deepEqual(body.trailers, [['x-sum', '1']]);
});

test('many small pieces that wait cost no more than their bytes', () => {
  const { body, shown } = bodyOf();
  for (let i = 0; i < 50_000; i++) body.arrived(Buffer.from([i & 255]), ownMemory);
  body.resume();
  assert.ok(shown.length < 20, `${shown.length} pieces`);
  assert.equal(
    shown.reduce((sum, { length }) => sum + length, 0),
    50_000,
  );
});

test('a body that is stopped tells nothing any more', () => {
  const { body, shown, ends } = bodyOf();
  body.arrived(Buffer.from('some'), ownMemory);
  body.stop();
  body.arrived(Buffer.from('more'), ownMemory);
  body.end(null);
  body.resume();
  assert.deepEqual([shown.length, ends(), body.unread], [0, 0, 0]);
});
