import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Transport } from '../../src/base/transport.ts';
import {
  type FirstBytes,
  type FirstBytesFailure,
  type FirstBytesOptions,
  type FirstBytesReader,
  readFirstBytes,
} from '../../src/first-bytes/reader.ts';
import { type MemoryTransport, memoryPair } from '../../src/transport/memory-transport.ts';
import { buildHello, buildHelloMessage, concat, inRecords, latin1 } from '../support/client-hellos.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const limits = { proxyHeader: 'none', detect: true, maxBytes: 65_536 } as const;

/** A client and a reader at the other end of a connection in memory. */
class Scene {
  readonly clock = new VirtualClock();
  readonly client: MemoryTransport;
  readonly server: MemoryTransport;
  readonly reader: FirstBytesReader;
  readonly results: (FirstBytes | FirstBytesFailure)[] = [];

  constructor(options: Partial<FirstBytesOptions> = {}, readBytes = 65_536) {
    [this.client, this.server] = memoryPair({ clock: this.clock, readBytes, windowBytes: 1 << 20 });
    this.reader = readFirstBytes(this.server, { ...limits, ...options }, (result) =>
      this.results.push(result),
    );
  }

  send(bytes: Uint8Array | string): this {
    this.client.write(typeof bytes === 'string' ? latin1(bytes) : bytes);
    this.clock.flush();
    return this;
  }

  end(): this {
    this.client.end();
    this.clock.flush();
    return this;
  }

  /** The one result, with proof that the reader has let go of everything. */
  get result(): FirstBytes | FirstBytesFailure {
    assert.equal(this.results.length, 1);
    assert.equal(this.server.listener, null);
    assert.equal(this.server.paused, true);
    assert.equal(this.reader.bufferedBytes, 0);
    assert.equal(this.clock.pending, 0);
    return this.results[0] as FirstBytes | FirstBytesFailure;
  }

  get read(): FirstBytes {
    assert.equal(this.result.outcome, 'read', JSON.stringify(this.result));
    return this.result as FirstBytes;
  }

  get failed(): FirstBytesFailure {
    assert.equal(this.result.outcome, 'failed', JSON.stringify(this.result));
    return this.result as FirstBytesFailure;
  }
}

function remaining(transport: Transport, clock: VirtualClock): { bytes: Uint8Array; ended: boolean } {
  const seen: { bytes: Uint8Array; ended: boolean } = { bytes: new Uint8Array(0), ended: false };
  transport.setListener({
    onData: (bytes) => (seen.bytes = concat(seen.bytes, bytes)),
    onEnd: () => (seen.ended = true),
    onDrain() {},
    onFinish() {},
    onError() {},
    onClose() {},
  });
  transport.resume();
  clock.flush();
  return seen;
}

const postQuantum = buildHello({ serverName: 'last.a.test', keyShareBytes: 1248, alpn: ['h2'] });

// T1
test('every byte of a hello in two segments is in the result, in order, wherever it is cut', () => {
  for (let at = 1; at < postQuantum.length; at++) {
    const scene = new Scene().send(postQuantum.subarray(0, at));
    assert.equal(scene.results.length, 0);
    assert.equal(scene.reader.bufferedBytes, at);
    const { kind, hello, bytes, ended } = scene.send(postQuantum.subarray(at)).read;
    assert.deepEqual([kind, hello?.serverName, ended], ['tls', 'last.a.test', false]);
    assert.deepEqual(new Uint8Array(bytes), postQuantum);
  }
});

// T2
test('a hello in one-byte records, one byte at a time, comes out as it went in', () => {
  const bytes = inRecords(buildHelloMessage({ serverName: 'a.test' }), [1]);
  const scene = new Scene({}, 1).send(bytes);
  assert.equal(scene.read.hello?.serverName, 'a.test');
  assert.deepEqual(new Uint8Array(scene.read.bytes), bytes);
});

test('the bytes are owned: exactly as long as their memory, untouched when the read buffer is reused', () => {
  const { bytes } = new Scene({}, 100).send(postQuantum).read;
  assert.equal(bytes.buffer.byteLength, postQuantum.length);
  assert.deepEqual(new Uint8Array(bytes), postQuantum);
});

test('what comes after the hello is either in the result or still in the transport, once', () => {
  const sent = concat(postQuantum, latin1('and early data'));
  for (const readBytes of [1, 100, postQuantum.length, postQuantum.length + 3, 65_536]) {
    const scene = new Scene({}, readBytes).send(sent).end();
    const { bytes, ended } = scene.read;
    const rest = remaining(scene.server, scene.clock);
    assert.deepEqual(concat(bytes, rest.bytes), sent);
    assert.deepEqual([ended, rest.ended], [false, true]);
  }
});

// T3
test('a hello over the limit is too large, however it comes, and is never plain text', () => {
  for (const maxBytes of [64, 500, postQuantum.length - 1]) {
    for (const readBytes of [1, 7, 65_536]) {
      const { reason, tls } = new Scene({ maxBytes }, readBytes).send(postQuantum).failed;
      assert.deepEqual([reason, tls], ['initial-data-too-large', true]);
    }
  }
  assert.equal(
    new Scene({ maxBytes: postQuantum.length }).send(concat(postQuantum, postQuantum)).read.kind,
    'tls',
  );
});

// T3
test('a hello in ever smaller records is given up as soon as it cannot fit: no more than that is held', () => {
  const scene = new Scene({ maxBytes: 4096 }, 1);
  const tiny = inRecords(buildHelloMessage({ keyShareBytes: 3000 }), [1]);
  scene.send(tiny.subarray(0, 1000));
  assert.equal(scene.reader.bufferedBytes, 1000);
  assert.equal(scene.send(tiny.subarray(1000)).failed.reason, 'initial-data-too-large');
  assert.ok(scene.server.bytesRead < 4096, String(scene.server.bytesRead));
});

// T9
test('a client that ends in the middle of a hello is client-closed at every byte, and nothing is held', () => {
  const hello = buildHello();
  for (let at = 0; at < hello.length; at++) {
    const scene = new Scene();
    if (at > 0) scene.send(hello.subarray(0, at));
    const { reason, error } = scene.end().failed;
    assert.deepEqual([reason, error], ['client-closed', null]);
  }
});

// T9
test('a client that resets in the middle of a hello is client-reset, one that fell silent client-timed-out', () => {
  const hello = buildHello();
  for (const at of [0, 1, 5, 9, 60, hello.length - 1]) {
    const reset = new Scene();
    if (at > 0) reset.send(hello.subarray(0, at));
    reset.client.reset();
    reset.clock.flush();
    assert.equal(reset.failed.reason, 'client-reset');
    assert.match(reset.failed.error?.message ?? '', /ECONNRESET/);
    const lost = new Scene();
    lost.server.fail('ETIMEDOUT');
    lost.clock.flush();
    assert.equal(lost.failed.reason, 'client-timed-out');
  }
});

// T4, P4
test('stop ends a reading that gets nowhere: detached, buffer freed, no result, and again without harm', () => {
  for (const options of [{}, { proxyHeader: 'required' }] as const) {
    const scene = new Scene(options).send(options.proxyHeader ? 'PROXY TCP' : '\x16\x03\x01');
    scene.reader.stop();
    scene.reader.stop();
    assert.deepEqual(
      [scene.reader.bufferedBytes, scene.server.listener, scene.server.paused],
      [0, null, true],
    );
    scene.send(postQuantum).end();
    assert.equal(scene.results.length, 0);
  }
});

test('stop after the result leaves the new owner alone', () => {
  const scene = new Scene().send(postQuantum);
  const rest = remaining(scene.server, scene.clock);
  scene.reader.stop();
  scene.send('more');
  assert.deepEqual(rest.bytes, latin1('more'));
});

// T10
test('clear text, garbage and broken hellos each have an outcome of their own', () => {
  const kind = (text: string) => new Scene().send(text).read.kind;
  assert.equal(kind('GET / HTTP/1.1\r\n'), 'http');
  assert.equal(new Scene().send('PRI * HTTP/2.0\r\n').read.http2, true);
  assert.equal(kind('\0\x01\x02'), 'other');
  assert.equal(kind('EHLO a.test\r\n'), 'other');
  const broken = new Scene().send('\x16\x03\x01\0\x05\x02\0\0\0\0').failed;
  assert.deepEqual([broken.reason, broken.why, broken.tls], ['invalid-hello', 'not a ClientHello', true]);
});

test('a short word and FIN is decided by the FIN, which the next owner does not hear again', () => {
  const scene = new Scene().send('PING').end();
  assert.deepEqual([scene.read.kind, scene.read.ended], ['other', true]);
  assert.deepEqual(new Uint8Array(scene.read.bytes), latin1('PING'));
  assert.equal(remaining(scene.server, scene.clock).ended, false);
});

test('where nothing is to be detected and no header is due, the result is there at once', () => {
  const scene = new Scene({ detect: false });
  assert.deepEqual([scene.read.kind, scene.read.bytes.length], ['none', 0]);
});
