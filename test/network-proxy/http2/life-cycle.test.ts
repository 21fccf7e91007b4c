import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { SkippingClock } from '../../support/skipping-clock.ts';
import { RawBackend } from '../raw-peer.ts';
import { forward, routeTo, target } from '../stage.ts';
import {
  answerOf,
  Backend,
  FrameClient,
  FrameServer,
  frame,
  getRequest,
  Http2Stage,
  plainHead,
} from './stage.ts';

const postRequest = [[':method', 'POST'], ...getRequest.slice(1)] as const;

/** A backend that answers when it is told to. */
async function slowBackend() {
  const waiting: (() => void)[] = [];
  const backend = await Backend.http1((_, response) => {
    waiting.push(() => response.end('late'));
  });
  return { backend, waiting };
}

// F6
test('FIN without GOAWAY ends an idle session with its sockets and its record', async () => {
  const backend = await Backend.http1((_, response) => response.end('ok'));
  const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port)])) });
  const client = new FrameClient(stage.port);
  client.send(frame(1, 5, 1, plainHead(getRequest)));
  await eventually('the answer is complete', () =>
    client.frames.some(({ type, flags }) => type === 0 && (flags & 1) === 1),
  );
  client.socket.end();
  assert.equal(await stage.reason(), 'client-closed');
  await eventually('the client is closed', () => client.closed);
  await stage.close();
  await backend.close();
});

// F6
test('FIN without GOAWAY while a request is under way lets go of the backend too', async () => {
  const { backend, waiting } = await slowBackend();
  const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port)])) });
  const client = new FrameClient(stage.port);
  client.send(frame(1, 5, 1, plainHead(getRequest)));
  await eventually('the backend is asked', () => waiting.length === 1);
  client.socket.end();
  assert.equal(await stage.reason(), 'client-closed');
  await eventually('the backend is let go of', () => backend.sockets.size === 0);
  await stage.close();
  await backend.close();
});

test('a client that resets its connection is told apart from one that closes it', async () => {
  const { backend, waiting } = await slowBackend();
  const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port)])) });
  const client = new FrameClient(stage.port);
  client.send(frame(1, 5, 1, plainHead(getRequest)));
  await eventually('the backend is asked', () => waiting.length === 1);
  client.socket.resetAndDestroy();
  assert.equal(await stage.reason(), 'client-reset');
  await eventually('the backend is let go of', () => backend.sockets.size === 0);
  await stage.close();
  await backend.close();
});

// H7
test('a request that the client gives up is given up at the backend, and others go on', async () => {
  const { backend, waiting } = await slowBackend();
  const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port)])) });
  const client = stage.connect();
  const given = client.session.request({ ':authority': 'a.test' });
  const other = client.request();
  await eventually('both reached a backend', () => waiting.length === 2);
  given.close(http2.constants.NGHTTP2_CANCEL);
  await eventually('one connection is gone', () => backend.sockets.size === 1);
  for (const answer of waiting) answer();
  assert.equal((await other).body, 'late');
  assert.equal(stage.core.entries[0]?.error, 'client-reset');
  await client.close();
  await stage.close();
  await backend.close();
});

// H7
test('an answer that is cut is never made to look whole', async () => {
  const halves = {
    length: 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf',
    chunks: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
    close: 'HTTP/1.1 200 OK\r\n\r\nhalf',
  };
  for (const half of Object.values(halves)) {
    const raw = await RawBackend.answering(() => half);
    const stage = await Http2Stage.open({ route: routeTo(forward([target(raw.port)])) });
    const client = new FrameClient(stage.port);
    client.send(frame(1, 5, 1, plainHead(getRequest)));
    await eventually('half of it has come', () => client.frames.some(({ type }) => type === 0));
    raw.peers[0]?.socket.resetAndDestroy();
    await eventually('the stream is reset', () => client.resets.has(1));
    assert.equal(client.resets.get(1), http2.constants.NGHTTP2_INTERNAL_ERROR);
    const ended = client.frames.some(({ type, flags }) => type === 0 && (flags & 1) === 1);
    assert.equal(ended, false, 'END_STREAM');
    client.socket.destroy();
    await stage.close();
    await raw.close();
  }
});

// H7
test('a request that is cut is never made to look whole', async () => {
  const backend = await FrameServer.open(() => {});
  const stage = await Http2Stage.open({
    route: routeTo(forward([target(backend.port, { protocol: 'http2' })])),
  });
  const client = new FrameClient(stage.port);
  client.send(frame(1, 4, 1, plainHead(postRequest)), frame(0, 0, 1, Buffer.from('half')));
  await eventually('half of it has come', () => backend.peers[0]?.bodyOf(1) === 'half');
  client.send(frame(3, 0, 1, Buffer.from([0, 0, 0, 8])));
  await eventually('the stream is reset', () => backend.peers[0]?.resets === 1);
  assert.equal(backend.peers[0]?.ends, 0, 'END_STREAM');
  client.socket.destroy();
  await stage.close();
  await backend.close();
});

// H7
test('an answer that the backend cuts costs its stream only', async () => {
  const raw = await RawBackend.answering((request) => {
    if (!request.includes('/cut')) return 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
    setImmediate(() => raw.peers[0]?.socket.destroy());
    return 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf';
  });
  const stage = await Http2Stage.open({ route: routeTo(forward([target(raw.port)])) });
  const client = stage.connect();
  await assert.rejects(client.request({ ':path': '/cut' }), /INTERNAL_ERROR/);
  assert.equal((await client.request()).body, 'ok');
  await client.close();
  await stage.close();
  await raw.close();
});

test('draining refuses new streams, lets those under way finish, and ends as shutdown', async () => {
  const { backend, waiting } = await slowBackend();
  const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port)])) });
  const [idle, busy] = [stage.connect(), stage.connect()];
  const asked = busy.request();
  await eventually(
    'the backend is asked, both sessions are there',
    () => waiting.length === 1 && stage.http2.size === 2,
  );
  stage.http2.drain();
  await eventually('both are told', () => idle.goaway === 0 && busy.goaway === 0);
  waiting[0]?.();
  assert.equal((await asked).body, 'late');
  await eventually('both are closed', () => idle.closed && busy.closed);
  assert.deepEqual([await stage.reason(0), await stage.reason(1)], ['shutdown', 'shutdown']);
  await stage.close();
  await backend.close();
});

// H10
test('a session without a request, and one that has none any more, end by their deadlines', async () => {
  const clock = new SkippingClock();
  const backend = await Backend.http1((_, response) => response.end('ok'));
  const timeouts = { requestHeadMs: 50_000, keepAliveMs: 100_000 };
  const stage = await Http2Stage.open({ clock, route: routeTo(forward([target(backend.port)]), timeouts) });
  const [silent, used] = [stage.connect(), stage.connect()];
  await eventually('both are there', () => stage.http2.size === 2);
  const silentFirst = stage.records[0]?.client.peer.port === silent.session.socket.localPort ? 0 : 1;
  await used.request();
  clock.skip(60_000);
  assert.equal(await stage.reason(silentFirst), 'request-timeout');
  await eventually('the silent one is told', () => silent.goaway === 0);
  assert.equal((await used.request()).body, 'ok');
  clock.skip(60_000);
  assert.equal((await used.request()).body, 'ok');
  clock.skip(110_000);
  assert.equal(await stage.reason(1 - silentFirst), 'keep-alive-timeout');
  await stage.close();
  await backend.close();
});

// H10
test('a body that does not come is answered with 408', async () => {
  const clock = new SkippingClock();
  const backend = await Backend.http1((request, response) => {
    request.resume();
    request.on('end', () => response.end('ok'));
  });
  const stage = await Http2Stage.open({
    clock,
    route: routeTo(forward([target(backend.port)]), { requestBodyMs: 30_000, responseHeadMs: 0 }),
  });
  const client = stage.connect();
  const stream = client.session.request({ ':authority': 'a.test', ':method': 'POST' });
  const answered = answerOf(stream);
  stream.write('some');
  await eventually('it is on its way', () => backend.sockets.size === 1);
  clock.skip(31_000);
  assert.equal((await answered).status, 408);
  assert.equal((await client.request()).body, 'ok');
  await client.close();
  await stage.close();
  await backend.close();
});

// H10
test('a reader that takes nothing loses its stream, not its session', async () => {
  const clock = new SkippingClock();
  const backend = await Backend.http1((request, response) => {
    response.end(request.url === '/big' ? Buffer.alloc(4_000_000) : 'ok');
  });
  const stage = await Http2Stage.open({
    clock,
    route: routeTo(forward([target(backend.port)]), {
      responseWriteMs: 40_000,
      responseHeadMs: 0,
      inactivityMs: 0,
    }),
  });
  const client = stage.connect();
  const stream = client.session.request({ ':authority': 'a.test', ':path': '/big' });
  let failed: Error | null = null;
  stream.on('error', (error) => {
    failed = error;
  });
  await eventually(
    'the answer has begun',
    () => stage.core.entries.length === 0 && stream.readableLength >= 0 && stream.state.localWindowSize === 0,
  );
  await eventually('the request is over', () => {
    clock.skip(41_000);
    return stage.core.entries.length === 1;
  });
  assert.equal(stage.core.entries[0]?.error, 'stalled-write');
  stream.resume();
  await eventually('the stream is reset', () => stream.destroyed);
  assert.equal(failed, null);
  assert.equal(stream.rstCode, http2.constants.NGHTTP2_CANCEL);
  assert.equal((await client.request()).body, 'ok');
  await client.close();
  await stage.close();
  await backend.close();
});

// H10
test('a client that reads nothing at all loses its connection', async () => {
  const clock = new SkippingClock();
  const backend = await Backend.http1((_, response) => response.end(Buffer.alloc(500_000)));
  const stage = await Http2Stage.open({
    clock,
    route: routeTo(forward([target(backend.port)]), { responseWriteMs: 40_000, inactivityMs: 0 }),
  });
  const client = new FrameClient(stage.port);
  client.socket.pause();
  const wide = Buffer.from([0x3f, 0xff, 0xff, 0xff]);
  client.send(frame(4, 0, 0, Buffer.concat([Buffer.from([0, 4]), wide])), frame(8, 0, 0, wide));
  for (let id = 1; id < 200; id += 2) client.send(frame(1, 5, id, plainHead(getRequest)));
  await eventually('the connection takes no more', () => (stage.records[0]?.client.pendingBytes ?? 0) > 0);
  await eventually('it ends', () => {
    clock.skip(41_000);
    return stage.records[0]?.termination !== null;
  });
  assert.equal(await stage.reason(), 'stalled-write');
  client.socket.destroy();
  await stage.close();
  await backend.close();
});

test('an answer before the end of the request ends the request without an error', async () => {
  const backend = await Backend.http2((stream) => {
    stream.respond({ ':status': 403 });
    stream.end('no');
  });
  const stage = await Http2Stage.open({
    route: routeTo(forward([target(backend.port, { protocol: 'http2' })])),
  });
  const client = stage.connect();
  const stream = client.session.request({ ':authority': 'a.test', ':method': 'POST' });
  const answered = answerOf(stream);
  stream.write('never complete');
  const { status, body } = await answered;
  assert.deepEqual([status, body, stream.rstCode], [403, 'no', 0]);
  await client.close();
  await stage.close();
  await backend.close();
});

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
}

// L5
test('bodies of many megabytes cross both ways whole, with bounded memory', async () => {
  const size = 24_000_000;
  const bytes = Buffer.alloc(size, 'abcdefghijklmnopqrstuvwxyz');
  for (const protocol of ['http1', 'http2'] as const) {
    let most = 0;
    const backend =
      protocol === 'http1'
        ? await Backend.http1((request, response) => void request.pipe(response))
        : await Backend.http2((stream) => {
            stream.respond({ ':status': 200 });
            stream.pipe(stream);
          });
    const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port, { protocol })])) });
    const client = stage.connect();
    const stream = client.session.request({ ':authority': 'a.test', ':method': 'POST' });
    Readable.from(pieces(bytes)).pipe(stream);
    let at = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      assert.ok(chunk.equals(bytes.subarray(at, at + chunk.length)), `differs at ${at}`);
      at += chunk.length;
      most = Math.max(most, stage.records[0]!.client.pendingBytes);
    }
    assert.equal(at, size);
    assert.ok(most < 8_000_000, `${most} bytes were pending`);
    await client.close();
    await stage.close();
    await backend.close();
  }
});

// H11
test('every request of a session gets the route of its own name', async () => {
  const backend = await Backend.http1((_, response) => response.end('ok'));
  const route = routeTo(forward([target(backend.port)]));
  const stage = await Http2Stage.open({
    route,
    match: ({ host }) => (host === 'a.test' ? route : host === 'b.test' ? 'misdirected' : 'no-route'),
  });
  const client = stage.connect();
  const statuses = await Promise.all(
    ['a.test', 'b.test', 'c.test'].map(async (name) => (await client.request({ ':authority': name })).status),
  );
  assert.deepEqual(statuses, [200, 421, 404]);
  await client.close();
  await stage.close();
  await backend.close();
});
