import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Timeouts } from '../../../src/config/resolved.ts';
import type { MemoryTransport } from '../../../src/transport/memory-transport.ts';
import { watch } from '../../connection/table.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { forward, MemoryStage, routeTo, target } from '../stage.ts';

const get = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';

class Scene {
  readonly clock = new VirtualClock();
  readonly stage: MemoryStage;
  readonly client: MemoryTransport;
  readonly seen: ReturnType<typeof watch>;
  readonly #record;

  constructor(timeouts: Partial<Timeouts> = {}, { windowBytes = 65_536, dialMs = 0 } = {}) {
    this.stage = new MemoryStage(this.clock, { route: routeTo(forward([target(1)]), timeouts), dialMs });
    const { client, record } = this.stage.connect(windowBytes);
    this.client = client;
    this.#record = record;
    this.seen = watch(client);
    this.clock.flush();
  }

  send(text: string): void {
    this.client.write(Buffer.from(text, 'latin1'));
    this.clock.flush();
  }

  /** The backend's end of the connection that was opened last, reading. */
  backend(): { transport: MemoryTransport; seen: ReturnType<typeof watch> } {
    const transport = this.stage.dialled.at(-1)!;
    const seen = watch(transport);
    this.clock.flush();
    return { transport, seen };
  }

  answer(text: string): void {
    this.stage.dialled.at(-1)!.write(Buffer.from(text, 'latin1'));
    this.clock.flush();
  }

  get reason(): string | undefined {
    return this.#record.termination?.reason;
  }

  /** The client leaves too, and nothing stays: no timer, no record. */
  assertNothingLeft(): void {
    if (!this.client.gone) this.client.end();
    this.clock.advance(120_000);
    this.stage.core.assertNothingLeft();
    assert.equal(this.stage.core.deadlines.size, 0, 'deadlines');
    assert.equal(this.clock.pending, 0, 'timers');
  }
}

// H10
test('a head that comes byte by byte is answered with 408 when its time is over', () => {
  const scene = new Scene({ requestHeadMs: 10_000 });
  for (const byte of 'GET / HT') {
    scene.send(byte);
    scene.clock.advance(2_000);
  }
  assert.match(scene.seen.bytes(), /^HTTP\/1\.1 408 Request Timeout/);
  assert.equal(scene.reason, 'request-timeout');
  scene.assertNothingLeft();
});

// H10
test('a connection on which nothing is ever asked ends without a word', () => {
  const scene = new Scene({ requestHeadMs: 10_000 });
  scene.clock.advance(9_999);
  assert.equal(scene.reason, undefined);
  scene.clock.advance(2);
  assert.equal(scene.seen.bytes(), '');
  assert.equal(scene.reason, 'request-timeout');
  scene.assertNothingLeft();
});

// H10
test('an idle connection ends after keepAliveMs, which each answer starts anew', () => {
  const scene = new Scene({ keepAliveMs: 5_000, requestHeadMs: 1_000 });
  for (let i = 0; i < 3; i++) {
    scene.send(get);
    if (i === 0) scene.backend();
    scene.answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    scene.clock.advance(4_000);
  }
  assert.equal(scene.reason, undefined);
  scene.clock.advance(1_001);
  assert.equal(scene.reason, 'keep-alive-timeout');
  scene.assertNothingLeft();
});

// H10
test('a body that stands still is a 408, and the backend learns of it', () => {
  const scene = new Scene({ requestBodyMs: 3_000 });
  scene.send('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\n');
  const { seen } = scene.backend();
  for (let i = 0; i < 5; i++) {
    scene.clock.advance(2_000);
    scene.send('x');
  }
  assert.equal(scene.reason, undefined);
  scene.clock.advance(3_001);
  assert.match(scene.seen.bytes(), /^HTTP\/1\.1 408 Request Timeout/);
  assert.ok(seen.seen.includes('ECONNRESET'));
  assert.equal(scene.stage.core.entries[0]?.error, 'request-timeout');
  scene.assertNothingLeft();
});

// H10
test('a backend that does not answer is a 504, and the client may go on', () => {
  const scene = new Scene({ responseHeadMs: 7_000 });
  scene.send(get);
  const { seen } = scene.backend();
  scene.clock.advance(6_999);
  assert.equal(scene.seen.bytes(), '');
  scene.clock.advance(2);
  assert.match(scene.seen.bytes(), /^HTTP\/1\.1 504 Gateway Timeout/);
  assert.ok(seen.seen.includes('ECONNRESET'));
  assert.equal(scene.reason, undefined);
  scene.send(get);
  assert.equal(scene.stage.dialled.length, 2);
  scene.backend();
  scene.answer('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  assert.match(scene.seen.bytes(), /ok$/);
  scene.assertNothingLeft();
});

// H10
test('the backend’s time counts from the last byte of the request', () => {
  const scene = new Scene({ responseHeadMs: 5_000, requestBodyMs: 60_000 });
  scene.send('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\n');
  scene.backend();
  for (let i = 0; i < 3; i++) {
    scene.clock.advance(20_000);
    scene.send('x');
  }
  scene.clock.advance(4_999);
  assert.equal(scene.seen.bytes(), '');
  scene.clock.advance(2);
  assert.match(scene.seen.bytes(), /^HTTP\/1\.1 504/);
  scene.assertNothingLeft();
});

// H10
test('a reader that takes nothing for responseWriteMs is reset; a slow one is not', () => {
  const scene = new Scene({ responseWriteMs: 4_000 }, { windowBytes: 1_000 });
  const seen: string[] = [];
  scene.client.setListener({
    onData: () => scene.client.pause(),
    onEnd: () => seen.push('end'),
    onDrain() {},
    onFinish() {},
    onError: (error) => seen.push((error as NodeJS.ErrnoException).code ?? ''),
    onClose: () => seen.push('close'),
  });
  scene.send(get);
  scene.backend();
  scene.answer(`HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n${'x'.repeat(50_000)}`);
  for (let i = 0; i < 5; i++) {
    scene.clock.advance(3_000);
    assert.equal(scene.reason, undefined);
    scene.client.resume();
    scene.clock.flush();
  }
  scene.clock.advance(8_001);
  assert.equal(scene.reason, 'stalled-write');
  for (let i = 0; i < 10; i++) {
    scene.client.resume();
    scene.clock.flush();
  }
  assert.deepEqual(seen, ['ECONNRESET', 'close']);
  scene.assertNothingLeft();
});

// H7
test('a client that half-closed and hears nothing is taken to be gone', () => {
  const scene = new Scene({ cleanupGraceMs: 2_000 });
  scene.send(get);
  const { seen } = scene.backend();
  scene.client.end();
  scene.clock.advance(1_999);
  assert.equal(scene.reason, undefined);
  scene.clock.advance(2);
  assert.equal(scene.reason, 'client-closed');
  assert.ok(seen.seen.includes('ECONNRESET'));
  scene.assertNothingLeft();
});

test('a client that half-closed gets its answer, however long the body is', () => {
  const scene = new Scene({ cleanupGraceMs: 2_000 });
  scene.send(get);
  scene.backend();
  scene.client.end();
  scene.answer('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
  for (let i = 0; i < 5; i++) {
    scene.clock.advance(1_500);
    scene.answer('x');
  }
  assert.match(scene.seen.bytes(), /xxxxx$/);
  assert.equal(scene.reason, 'client-closed');
  assert.ok(scene.seen.seen.includes('end'));
  scene.assertNothingLeft();
});

test('a client that half-closed may read its answer slowly', () => {
  const scene = new Scene({ cleanupGraceMs: 2_000, responseWriteMs: 60_000 }, { windowBytes: 1_000 });
  let read = 0;
  scene.client.setListener({
    onData: (bytes) => {
      read += bytes.length;
      scene.client.pause();
    },
    onEnd() {},
    onDrain() {},
    onFinish() {},
    onError: (error) => assert.fail(error),
    onClose() {},
  });
  scene.send(get);
  scene.backend();
  scene.client.end();
  const answer = `HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n${'x'.repeat(5_000)}`;
  scene.answer(answer);
  const whole = answer.length + 'Connection: close\r\n'.length;
  for (let i = 0; i < 20 && read < whole; i++) {
    scene.clock.advance(5_000);
    scene.client.resume();
    scene.clock.flush();
  }
  assert.equal(read, whole);
  scene.client.resume();
  scene.assertNothingLeft();
  assert.equal(scene.reason, 'client-closed');
});

test('an unused backend’s connection is closed after poolIdleMs', () => {
  const scene = new Scene({ poolIdleMs: 4_000 });
  scene.send(get);
  const { seen } = scene.backend();
  scene.answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  scene.clock.advance(3_999);
  assert.deepEqual(seen.seen, []);
  assert.equal(scene.stage.core.pools.statistics[0]?.idle, 1);
  scene.clock.advance(2);
  assert.deepEqual(seen.seen, ['end']);
  assert.equal(scene.stage.core.pools.statistics[0]?.idle, 0);
  scene.assertNothingLeft();
});

test('a drain ends idle connections at once, and others with their answer', () => {
  const scene = new Scene();
  scene.send(get);
  scene.backend();
  const idle = scene.stage.connect();
  const idleSeen = watch(idle.client);
  scene.clock.flush();
  scene.stage.core.server.drain();
  scene.clock.flush();
  assert.equal(idle.record.termination?.reason, 'shutdown');
  assert.ok(idleSeen.seen.includes('end'));
  assert.equal(scene.reason, undefined);
  scene.answer('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  assert.match(scene.seen.bytes(), /Connection: close\r\n\r\nok$/);
  assert.equal(scene.reason, 'shutdown');
  idle.client.end();
  scene.assertNothingLeft();
});

// H10
test('the deadlines of a pipelined request count from when it is looked at, not from when it was read', () => {
  const scene = new Scene({ responseHeadMs: 5_000, connectMs: 1_000, poolIdleMs: 60_000 });
  const head = get.replace('GET', 'HEAD');
  scene.send(head + get);
  scene.backend();
  scene.clock.advance(4_000);
  scene.answer('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n');
  scene.clock.advance(4_999);
  assert.doesNotMatch(scene.seen.bytes(), / 504 /);
  scene.clock.advance(2);
  assert.match(scene.seen.bytes(), /\r\n\r\nHTTP\/1\.1 504 Gateway Timeout/);
  scene.assertNothingLeft();
});

// H10
test('a body that waited for its backend is not late when it may come at last', () => {
  const scene = new Scene({ requestBodyMs: 1_000, connectMs: 5_000 }, { dialMs: 3_000 });
  scene.send('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhalf ');
  scene.clock.advance(3_000);
  const { seen } = scene.backend();
  scene.clock.advance(999);
  assert.match(seen.bytes(), /half $/);
  assert.equal(scene.seen.bytes(), '');
  scene.send('other');
  scene.answer('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  assert.match(scene.seen.bytes(), /ok$/);
  scene.assertNothingLeft();
});

test('an ended connection whose client reads nothing waits for nothing more', () => {
  const scene = new Scene({ cleanupGraceMs: 2_000 }, { windowBytes: 100 });
  scene.client.pause();
  scene.send(`${get}nonsense\r\n\r\n`);
  scene.client.end();
  scene.backend();
  scene.answer('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  assert.equal(scene.reason, 'invalid-request');
  for (let left = 1_000; left > 0 && scene.clock.runNext(); left--);
  assert.equal(scene.clock.nextDueAt, undefined, 'it comes to rest');
  scene.client.resume();
  scene.assertNothingLeft();
});
