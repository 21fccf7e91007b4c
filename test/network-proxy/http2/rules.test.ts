import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { PeerFrames, type PeerListener } from '../../../src/network-proxy/http2/peer-frames.ts';
import { eventually } from '../../support/eventually.ts';
import { forward, routeTo, target } from '../stage.ts';
import { Backend, FrameClient, frame, getRequest, Http2Stage, plainHead } from './stage.ts';

const [data, headers, priority, reset, settings, push, ping, goaway, windowUpdate, continuation] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
];
const [endStream, endHeaders, padded] = [1, 4, 8];
const errors = { protocol: 1, flowControl: 3, streamClosed: 5, frameSize: 6, refused: 7, compression: 9 };

const get = plainHead(getRequest);
const post = plainHead([[':method', 'POST'], ...getRequest.slice(1)]);
const uint32 = (value: number): Buffer =>
  Buffer.from([value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]);
const setting = (id: number, value: number): Buffer =>
  frame(settings, 0, 0, Buffer.concat([Buffer.from([0, id]), uint32(value)]));

let backend: Awaited<ReturnType<typeof Backend.http1>>;
let stage: Http2Stage;

before(async () => {
  backend = await Backend.http1((request, response) => {
    let length = 0;
    request.on('data', (bytes: Buffer) => {
      length += bytes.length;
    });
    request.on('end', () => response.end(request.url === '/big' ? Buffer.alloc(300_000) : `${length}`));
  });
  stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port)])) });
});
after(async () => {
  await stage.close();
  await backend.close();
});

/** What breaks the rules of a connection (RFC 9113 §5.4.1), and the code that is told. */
const breaks: Record<string, readonly [code: number, ...frames: Buffer[]]> = {
  'DATA on stream 0': [errors.protocol, frame(data, 0, 0, Buffer.alloc(1))],
  'HEADERS on stream 0': [errors.protocol, frame(headers, 5, 0, get)],
  'HEADERS on a stream of the server': [errors.protocol, frame(headers, 5, 2, get)],
  'RST_STREAM on stream 0': [errors.protocol, frame(reset, 0, 0, Buffer.alloc(4))],
  'RST_STREAM of a stream that was never begun': [errors.protocol, frame(reset, 0, 7, Buffer.alloc(4))],
  'RST_STREAM of the wrong size': [
    errors.frameSize,
    frame(headers, 4, 1, post),
    frame(reset, 0, 1, Buffer.alloc(5)),
  ],
  'DATA on a stream that was never begun': [errors.protocol, frame(data, 0, 7, Buffer.alloc(1))],
  'WINDOW_UPDATE on a stream that was never begun': [errors.protocol, frame(windowUpdate, 0, 7, uint32(1))],
  'WINDOW_UPDATE by 0': [errors.protocol, frame(windowUpdate, 0, 0, uint32(0))],
  'WINDOW_UPDATE beyond what a window may be': [
    errors.flowControl,
    frame(windowUpdate, 0, 0, uint32(2 ** 31 - 1)),
  ],
  'WINDOW_UPDATE of the wrong size': [errors.frameSize, frame(windowUpdate, 0, 0, Buffer.alloc(3))],
  'PRIORITY on stream 0': [errors.protocol, frame(priority, 0, 0, Buffer.alloc(5))],
  'SETTINGS on a stream': [errors.protocol, frame(settings, 0, 1)],
  'SETTINGS of the wrong size': [errors.frameSize, frame(settings, 0, 0, Buffer.alloc(5))],
  'an acknowledgement of SETTINGS that says something': [
    errors.frameSize,
    frame(settings, 1, 0, Buffer.alloc(6)),
  ],
  'a window that is too large in SETTINGS': [errors.flowControl, setting(4, 2 ** 31)],
  'a frame size that is too small in SETTINGS': [errors.protocol, setting(5, 16_383)],
  'ENABLE_PUSH that is neither 0 nor 1': [errors.protocol, setting(2, 2)],
  PUSH_PROMISE: [errors.protocol, frame(push, 4, 1, Buffer.concat([uint32(2), get]))],
  'PING on a stream': [errors.protocol, frame(ping, 0, 1, Buffer.alloc(8))],
  'PING of the wrong size': [errors.frameSize, frame(ping, 0, 0, Buffer.alloc(7))],
  'GOAWAY of the wrong size': [errors.frameSize, frame(goaway, 0, 0, Buffer.alloc(7))],
  'a frame that is too large': [errors.frameSize, frame(data, 0, 1, Buffer.alloc(16_385))],
  'CONTINUATION without a head': [errors.protocol, frame(continuation, 4, 1, get)],
  'a head that another frame interrupts': [
    errors.protocol,
    frame(headers, 1, 1, get),
    frame(ping, 0, 0, Buffer.alloc(8)),
  ],
  'a head that goes on on another stream': [
    errors.protocol,
    frame(headers, 1, 1, get),
    frame(continuation, 4, 3, get),
  ],
  'more padding than there is': [
    errors.protocol,
    frame(headers, 4, 1, post),
    frame(data, padded, 1, Buffer.from([9, 1])),
  ],
  'a head that cannot be decompressed': [errors.compression, frame(headers, 5, 1, Buffer.from([0x80]))],
};

for (const [name, [code, ...frames]] of Object.entries(breaks)) {
  // F3
  test(`${name} ends the connection, which is told why`, async () => {
    const place = stage.records.length;
    const client = new FrameClient(stage.port);
    client.send(...frames);
    assert.equal(await stage.reason(place), 'invalid-request');
    await eventually('it is told', () => client.goaways.length > 0);
    assert.deepEqual(client.goaways, [code]);
    await eventually('it is closed', () => client.closed);
  });
}

// RFC 9110 §10.1.4 compares the word without regard to case.
test('TE may say that trailers are welcome, in whatever case', async () => {
  const client = new FrameClient(stage.port);
  client.send(frame(headers, 5, 1, Buffer.concat([get, plainHead([['te', 'Trailers']])])));
  await eventually('it is answered', () =>
    client.frames.some(({ type, stream }) => type === headers && stream === 1),
  );
  client.socket.destroy();
});

test('what is no HTTP/2, or does not begin with SETTINGS, ends the connection', async () => {
  for (const first of [
    'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x08\x06\0\0\0\0\0ABCDEFGH',
  ]) {
    const place = stage.records.length;
    const client = new FrameClient(stage.port, first);
    assert.equal(await stage.reason(place), 'invalid-request');
    await eventually('it is closed', () => client.closed);
  }
});

/** What breaks the rules of its own stream, and the code of its reset. */
const streamBreaks: Record<string, readonly [code: number, ...frames: Buffer[]]> = {
  'more content than was announced': [
    errors.protocol,
    frame(headers, endHeaders, 1, Buffer.concat([post, plainHead([['content-length', '3']])])),
    frame(data, 0, 1, Buffer.alloc(4)),
  ],
  'less content than was announced': [
    errors.protocol,
    frame(headers, endHeaders, 1, Buffer.concat([post, plainHead([['content-length', '3']])])),
    frame(data, endStream, 1, Buffer.alloc(2)),
  ],
  'trailers that do not end the stream': [
    errors.protocol,
    frame(headers, endHeaders, 1, post),
    frame(headers, endHeaders, 1, plainHead([['x-sum', '1']])),
  ],
  'trailers with a pseudo-field': [
    errors.protocol,
    frame(headers, endHeaders, 1, post),
    frame(headers, endHeaders | endStream, 1, plainHead([[':path', '/']])),
  ],
  'WINDOW_UPDATE by 0': [
    errors.protocol,
    frame(headers, endHeaders, 1, post),
    frame(windowUpdate, 0, 1, uint32(0)),
  ],
  'a window beyond what it may be': [
    errors.flowControl,
    frame(headers, endHeaders, 1, post),
    frame(windowUpdate, 0, 1, uint32(2 ** 31 - 1)),
  ],
};

for (const [name, [code, ...frames]] of Object.entries(streamBreaks)) {
  // F3
  test(`${name} costs a client that stream only`, async () => {
    const client = new FrameClient(stage.port);
    client.send(...frames);
    await eventually('the stream is reset', () => client.resets.has(1));
    assert.equal(client.resets.get(1), code);
    client.send(frame(headers, 5, 3, get));
    await eventually('another one is answered', () =>
      client.frames.some(({ type, flags, stream }) => type === data && stream === 3 && (flags & 1) === 1),
    );
    assert.deepEqual(client.goaways, []);
    client.socket.destroy();
    await eventually('it is over', () => stage.core.inFlight === 0);
  });
}

test('padding, priorities, unknown frames, and heads in parts are read over', async () => {
  const client = new FrameClient(stage.port);
  const head = Buffer.concat([Buffer.from([3]), Buffer.from([0, 0, 0, 0, 9]), post, Buffer.alloc(3)]);
  client.send(
    frame(0xee, 0xff, 1, Buffer.alloc(100)),
    frame(headers, endHeaders | padded | 0x20, 1, head),
    frame(priority, 0, 1, Buffer.alloc(5)),
    frame(data, padded, 1, Buffer.from([2, 1, 2, 3, 0, 0])),
    frame(data, padded | endStream, 1, Buffer.from([0])),
    frame(headers, endStream, 3, get.subarray(0, 10)),
    frame(continuation, 0, 3, get.subarray(10, 11)),
    frame(continuation, 0, 3),
    frame(continuation, endHeaders, 3, get.subarray(11)),
  );
  const body = (id: number): string =>
    client.frames
      .filter(({ type, stream }) => type === data && stream === id)
      .map(({ payload }) => payload.toString())
      .join('');
  await eventually('both are answered', () => body(1) === '3' && body(3) === '0');
  client.socket.destroy();
});

test('more streams at once than are allowed are refused, and may be tried again', async () => {
  const client = new FrameClient(stage.port);
  client.send(...Array.from({ length: 102 }, (_, i) => frame(headers, endHeaders, 1 + 2 * i, post)));
  await eventually('two are refused', () => client.resets.size === 2);
  assert.deepEqual(
    [...client.resets],
    [
      [201, errors.refused],
      [203, errors.refused],
    ],
  );
  client.send(frame(data, endStream, 1), frame(headers, endHeaders | endStream, 205, get));
  await eventually(
    'one has ended, and another is answered',
    () =>
      client.frames.some(({ type, stream }) => type === headers && stream === 205) || client.resets.has(205),
  );
  client.socket.destroy();
});

// L5
test('an answer is sent as far as the windows of its stream and of the connection are open', async () => {
  const client = new FrameClient(stage.port);
  const big = plainHead([...getRequest.slice(0, 3), [':path', '/big']]);
  const got = (id: number): number =>
    client.frames
      .filter(({ type, stream }) => type === data && stream === id)
      .reduce((sum, { payload }) => sum + payload.length, 0);
  const settles = async (id: number, bytes: number): Promise<void> => {
    await eventually(
      () => `${got(id)} of ${bytes} bytes have come`,
      () => got(id) >= bytes,
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(got(id), bytes);
  };
  client.send(setting(4, 1000), frame(headers, 5, 1, big));
  await settles(1, 1000);
  client.send(frame(windowUpdate, 0, 1, uint32(500)));
  await settles(1, 1500);
  // Below 0 it has to be opened twice.
  client.send(setting(4, 400), frame(windowUpdate, 0, 1, uint32(600)));
  await settles(1, 1500);
  client.send(frame(windowUpdate, 0, 1, uint32(7)));
  await settles(1, 1507);
  client.send(frame(headers, 5, 3, big));
  await settles(3, 400);
  client.send(setting(4, 1_000_000));
  await eventually('the connection allows no more', () => got(1) + got(3) === 65_535);
  assert.ok(got(3) > 20_000 && got(1) > 20_000, `each has its share: ${got(1)} and ${got(3)}`);
  client.send(frame(windowUpdate, 0, 0, uint32(1_000_000)));
  await settles(1, 300_000);
  await settles(3, 300_000);
  const ends = client.frames.filter(({ type, flags }) => type === data && (flags & 1) === 1);
  assert.deepEqual(ends.map(({ stream }) => stream).sort(), [1, 3]);
  client.socket.destroy();
});

test('a head that is more than a frame goes on in CONTINUATION', async () => {
  const large = await Backend.http1((_, response) => {
    for (let i = 0; i < 5; i++) response.setHeader(`x-large-${i}`, `${i}`.repeat(8000));
    response.end('ok');
  });
  const inner = await Http2Stage.open({ route: routeTo(forward([target(large.port)])) });
  const client = inner.connect();
  const answer = await client.request();
  assert.equal(answer.body, 'ok');
  for (let i = 0; i < 5; i++) assert.equal(answer.headers[`x-large-${i}`], `${i}`.repeat(8000));
  await client.close();
  const byHand = new FrameClient(inner.port);
  byHand.send(frame(headers, 5, 1, get));
  await eventually('the answer has ended', () =>
    byHand.frames.some(({ type, flags }) => type === data && flags === 1),
  );
  const head = byHand.frames.filter(({ stream }) => stream === 1);
  assert.deepEqual(
    head.map(({ type, flags }) => [type, flags]),
    [
      [headers, 0],
      [continuation, 0],
      [continuation, endHeaders],
      [data, endStream],
    ],
  );
  byHand.socket.destroy();
  await inner.close();
  await large.close();
});

// L5
test('answers that wait for a slow connection come whole, each head before its body', async () => {
  const client = new FrameClient(stage.port);
  const big = plainHead([...getRequest.slice(0, 3), [':path', '/big']]);
  client.send(setting(4, 2 ** 30), frame(windowUpdate, 0, 0, uint32(2 ** 30)));
  client.socket.pause();
  const count = 90;
  for (let i = 0; i < count; i++) client.send(frame(headers, 5, 1 + 2 * i, i % 3 === 0 ? get : big));
  await eventually(
    'the connection takes no more',
    () => (stage.records.at(-1)?.client.pendingBytes ?? 0) > 0,
  );
  await eventually('every backend has begun', () => (stage.core.pools.statistics[0]?.opened ?? 0) > 10);
  client.socket.resume();
  const ends = (): number =>
    client.frames.filter(({ type, flags }) => type === data && (flags & 1) === 1).length;
  await eventually(
    () => `${ends()} of ${count} have ended`,
    () => ends() === count,
  );
  const bytes = new Map<number, number>();
  for (const { type, stream, payload } of client.frames) {
    if (type === headers) bytes.set(stream, 0);
    if (type === data) bytes.set(stream, (bytes.get(stream) as number) + payload.length);
  }
  for (const [stream, length] of bytes)
    assert.equal(length, (stream - 1) % 6 === 0 ? 1 : 300_000, `${stream}`);
  client.socket.destroy();
});

test('a client that sends more than its windows allow loses its stream, or the connection', async () => {
  const waits = await Backend.http1(() => {});
  const held = await Http2Stage.open({ route: routeTo(forward([target(waits.port)])) });
  const client = new FrameClient(held.port);
  client.send(frame(headers, endHeaders, 1, post));
  await eventually('it waits', () => held.core.pools.statistics[0]?.busy === 1);
  for (let i = 0; i < 2000 && !client.resets.has(1) && !client.closed; i++) {
    client.send(...Array.from({ length: 8 }, () => frame(data, 0, 1, Buffer.alloc(16_384))));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.equal(client.resets.get(1), errors.flowControl);
  client.socket.destroy();
  await held.close();
  await waits.close();
});

test('every byte that a value may have arrives as it was sent, whatever its code', async () => {
  const seen: string[] = [];
  const echo = await Backend.http1((request, response) => {
    seen.push(`${request.headers['x-byte']}`);
    response.end();
  });
  const inner = await Http2Stage.open({ route: routeTo(forward([target(echo.port)])) });
  const client = inner.connect();
  const values: string[] = [];
  for (let byte = 0x21; byte <= 0xff; byte++) {
    if (byte !== 0x7f) values.push(`${'e'.repeat(30)}${String.fromCharCode(byte)}${'e'.repeat(30)}`);
  }
  for (const value of values) await client.request({ 'x-byte': value });
  assert.deepEqual(seen, values);
  await client.close();
  await inner.close();
  await echo.close();
});

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** Everything that is told of some bytes, which come in the pieces that `sizes` say. */
function told(bytes: Buffer, sizes: () => number): string[] {
  const events: string[] = [];
  const textOf = (detail: unknown): string =>
    Buffer.isBuffer(detail) ? detail.toString('hex') : JSON.stringify(detail);
  let body = '';
  /** DATA may be told in pieces. */
  const tellBody = ([stream, content, , , ended]: Parameters<PeerListener['onBody']>): void => {
    body += content.toString('hex');
    if (ended) events.push(`body of ${stream}: ${body}`);
  };
  const listener = new Proxy({} as PeerListener, {
    get:
      (_, event) =>
      (...details: unknown[]): void => {
        if (event !== 'onBody') events.push(`${String(event)} ${details.map(textOf).join(' ')}`);
        else tellBody(details as Parameters<PeerListener['onBody']>);
      },
  });
  const frames = new PeerFrames(listener, { listBytes: 16_384, fields: 100 });
  for (let at = 0; at < bytes.length; ) {
    const size = sizes();
    frames.read(Buffer.from(bytes.subarray(at, at + size)), undefined);
    at += size;
  }
  return events;
}

test('frames are read alike, however they come in pieces', () => {
  const bytes = Buffer.concat([
    preface,
    setting(4, 70_000),
    frame(headers, endHeaders, 1, post),
    frame(data, 0, 1, Buffer.from('some')),
    frame(data, padded | endStream, 1, Buffer.from([1, 7, 0])),
    frame(headers, 0, 3, get.subarray(0, 9)),
    frame(continuation, endHeaders, 3, get.subarray(9)),
    frame(ping, 0, 0, Buffer.from('ABCDEFGH')),
    frame(goaway, 0, 0, Buffer.alloc(8)),
  ]);
  const whole = told(bytes, () => bytes.length);
  assert.equal(whole.length, 9);
  for (let size = 1; size < 40; size++)
    assert.deepEqual(
      told(bytes, () => size),
      whole,
      `${size} at once`,
    );
  for (let cut = 1; cut < bytes.length; cut++) {
    let first = true;
    const split = (): number => {
      const size = first ? cut : bytes.length;
      first = false;
      return size;
    };
    assert.deepEqual(told(bytes, split), whole, `cut at ${cut}`);
  }
});

/** The same numbers each time. */
function generator(): (below: number) => number {
  let seed = 1;
  return (below) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
}

const payloads = [
  get,
  post,
  Buffer.alloc(8),
  Buffer.alloc(4),
  uint32(5),
  plainHead([['x-sum', '1']]),
  Buffer.alloc(0),
];

test('no bytes whatever make the reader fail', () => {
  const random = generator();
  for (let round = 0; round < 4000; round++) {
    const frames = Array.from({ length: 1 + random(8) }, () =>
      frame(random(11), random(256), random(6), payloads[random(payloads.length)]),
    );
    const bytes = Buffer.concat([preface, frame(settings, 0, 0), ...frames]);
    for (let change = random(4); change > 0; change--) {
      bytes[preface.length + random(bytes.length - preface.length)] = random(256);
    }
    told(bytes, () => 1 + random(100));
  }
});

test('whatever frames come in whatever order, nothing stays and others are served', async () => {
  const random = generator();
  const likely = [data, headers, headers, reset, settings, windowUpdate, continuation, ping];
  for (let round = 0; round < 40; round++) {
    const clients = Array.from({ length: 10 }, () => new FrameClient(stage.port));
    for (const client of clients) {
      const frames = Array.from({ length: 1 + random(30) }, () => {
        const type = likely[random(likely.length)] as number;
        const fits = type === headers ? payloads[random(2)] : payloads[random(payloads.length)];
        return frame(type, random(2) * 4 + random(2), 1 + 2 * random(6), fits);
      });
      client.send(...frames);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (const client of clients) client.socket.destroy();
  }
  await eventually('all have ended', () => stage.http2.size === 0);
  await eventually('no request is under way', () => stage.core.inFlight === 0);
  const client = stage.connect();
  assert.equal((await client.request()).body, '0');
  await client.close();
});

// F3
test('a client that wants a smaller table than usual is told once that none is used', async () => {
  const client = new FrameClient(stage.port);
  const heads = (): number[] =>
    client.frames.filter(({ type }) => type === headers).map(({ payload }) => payload[0]!);
  client.send(setting(1, 100), frame(headers, 5, 1, get));
  await eventually('it is answered', () => heads().length === 1);
  client.send(setting(1, 8192), setting(1, 0), frame(headers, 5, 3, get));
  await eventually('it is answered again', () => heads().length === 2);
  assert.deepEqual(heads(), [0x20, 0x88]);
  client.socket.destroy();
  for (const headerTableSize of [0, 4095, 4096, 65_536]) {
    const whole = stage.connect({ settings: { headerTableSize } });
    assert.deepEqual([(await whole.request()).status, (await whole.request()).status], [200, 200]);
    await whole.close();
  }
});

test('of many windows in one SETTINGS frame the last one counts', () => {
  const told: number[] = [];
  const noted = new Proxy({} as PeerListener, {
    get: (_, name) => (value: number) => void (name === 'onInitialWindow' && told.push(value)),
  });
  const one = (value: number): Buffer => Buffer.concat([Buffer.from([0, 4]), uint32(value)]);
  const peer = new PeerFrames(noted, { listBytes: 65_536, fields: 100 });
  const values = Array.from({ length: 2000 }, (_, i) => one(i));
  peer.read(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), undefined);
  peer.read(frame(settings, 0, 0, Buffer.concat(values)), undefined);
  assert.deepEqual(told, [1999]);
});
