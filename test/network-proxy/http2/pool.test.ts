import assert from 'node:assert/strict';
import http2 from 'node:http2';
import net from 'node:net';
import { test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { SkippingClock } from '../../support/skipping-clock.ts';
import { forward, routeTo, target } from '../stage.ts';
import { Backend, FrameServer, frame, getByHttp1, Http2Stage, type Http2StageOptions } from './stage.ts';

const { NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM, NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM } =
  http2.constants;

function open(port: number, options: Partial<Http2StageOptions> = {}): Promise<Http2Stage> {
  return Http2Stage.open({ route: routeTo(forward([target(port, { protocol: 'http2' })])), ...options });
}

/** The body and the number of the session that it came over. */
function numbered(options: http2.ServerOptions = {}) {
  const numbers = new Map<http2.Http2Session, number>();
  return Backend.http2((stream, headers) => {
    const session = stream.session as http2.Http2Session;
    if (!numbers.has(session)) numbers.set(session, numbers.size + 1);
    let body = '';
    stream.setEncoding('latin1').on('data', (chunk) => {
      body += chunk;
    });
    stream.on('end', () => {
      if (stream.destroyed || headers[':path'] === '/never') return;
      stream.respond({ ':status': 200 });
      stream.end(`${numbers.get(session)} ${body}`.trim());
    });
  }, options);
}

test('many requests of many clients share one session', async () => {
  const backend = await numbered();
  const stage = await open(backend.port);
  const clients = [stage.connect(), stage.connect()];
  const bodies = await Promise.all(
    Array.from({ length: 40 }, async (_, i) => (await clients[i % 2]!.request()).body),
  );
  assert.deepEqual(new Set(bodies), new Set(['1']));
  assert.equal(backend.opened, 1);
  const [{ opened, reused, idle } = assert.fail()] = stage.core.pools.statistics;
  assert.deepEqual({ opened, reused, idle }, { opened: 1, reused: 39, idle: 1 });
  for (const client of clients) await client.close();
  await stage.close();
  await backend.close();
});

// F4
test('no more streams are opened than the backend allows: others wait, or get another session', async () => {
  const backend = await numbered({ settings: { maxConcurrentStreams: 5 } });
  const stage = await open(backend.port, { pool: { maxConnections: 2 } });
  const client = stage.connect();
  const answers = await Promise.all(Array.from({ length: 60 }, () => client.request()));
  assert.ok(answers.every(({ status }) => status === 200));
  assert.ok(backend.opened <= 2);
  await client.close();
  await stage.close();
  await backend.close();
});

// F2
test('a session that the backend has ended by GOAWAY is not used for the next request', async () => {
  const backend = await numbered();
  const stage = await open(backend.port);
  const client = stage.connect();
  assert.equal((await client.request()).body, '1');
  for (const session of backend.sessions) session.close();
  assert.equal((await client.request({ ':method': 'POST' }, 'x')).body, '2 x');
  await client.close();
  await stage.close();
  await backend.close();
});

// F2
test('a session that the backend closes without a word does not cost the next request', async () => {
  const backend = await numbered();
  const stage = await open(backend.port);
  const client = stage.connect();
  for (let round = 0; round < 20; round++) {
    const [socket] = backend.sockets;
    assert.equal((await client.request()).status, 200);
    socket?.end();
    assert.equal((await client.request()).status, 200);
  }
  await client.close();
  await stage.close();
  await backend.close();
});

// F2
test('requests that a GOAWAY says were not processed are repeated on another session', async () => {
  let answered = 0;
  // The first connection takes two streams and says that it has processed only the first.
  const backend = await FrameServer.open((peer, number) => {
    peer.onRequest = (stream) => {
      if (number > 1) return peer.answer(stream, `session ${number}`);
      if (stream === 1) return;
      peer.send(frame(7, 0, 0, Buffer.from([0, 0, 0, 1, 0, 0, 0, 0])));
      peer.answer(1, 'session 1');
      answered++;
    };
  });
  const stage = await open(backend.port);
  const client = stage.connect();
  const first = client.request({ ':path': '/first' });
  await eventually('the first is under way', () => backend.peers[0]?.requests === 1);
  const second = client.request({ ':method': 'POST', ':path': '/second' }, 'with a body');
  assert.equal((await first).body, 'session 1');
  assert.equal((await second).body, 'session 2');
  assert.equal(answered, 1);
  assert.equal(backend.peers[1]?.bodyOf(1), 'with a body');
  await client.close();
  await stage.close();
  await backend.close();
});

// F2
test('a stream that the backend refuses is repeated, whatever its method', async () => {
  let refused = 0;
  const backend = await Backend.http2((stream) => {
    if (refused++ === 0) return stream.close(NGHTTP2_REFUSED_STREAM);
    stream.respond({ ':status': 200 });
    stream.end('taken');
  });
  const stage = await open(backend.port);
  const client = stage.connect();
  assert.equal((await client.request({ ':method': 'POST' }, 'body')).body, 'taken');
  refused = 0;
  assert.equal((await getByHttp1(stage.http1Port, { method: 'POST' }, 'body')).body, 'taken');
  await client.close();
  await stage.close();
  await backend.close();
});

// F2
test('a backend that refuses for ever is a 502 in the end', async () => {
  let streams = 0;
  const backend = await Backend.http2((stream) => {
    streams++;
    stream.close(NGHTTP2_REFUSED_STREAM);
  });
  const stage = await open(backend.port);
  const client = stage.connect();
  assert.equal((await client.request()).status, 502);
  assert.ok(streams <= 6, `${streams} attempts`);
  await client.close();
  await stage.close();
  await backend.close();
});

test('a stream that the backend may have worked on is not repeated unless the method allows it', async () => {
  let streams = 0;
  const backend = await Backend.http2((stream) => {
    streams++;
    stream.close(NGHTTP2_CANCEL);
  });
  const stage = await open(backend.port);
  const client = stage.connect();
  assert.equal((await client.request({ ':method': 'POST' }, 'x')).status, 502);
  assert.equal(streams, 1);
  await client.close();
  await stage.close();
  await backend.close();
});

// F4
test('clients that give up all the time do not cost others their session', async () => {
  const backend = await numbered({ streamResetBurst: 150, streamResetRate: 1 });
  const stage = await open(backend.port);
  const [rude, polite] = [stage.connect(), stage.connect()];
  for (let round = 0; round < 12; round++) {
    const asked = Array.from({ length: 10 }, () => polite.request());
    const streams = Array.from({ length: 25 }, () =>
      rude.session.request({ ':path': '/never', ':authority': 'a.test' }),
    );
    for (const stream of streams) stream.on('error', () => {});
    await eventually('they are under way', () => streams.every(({ pending }) => !pending));
    for (const { status } of await Promise.all(asked)) assert.equal(status, 200);
    for (const stream of streams) stream.close(NGHTTP2_CANCEL);
    await eventually('they are over', () => streams.every(({ destroyed }) => destroyed));
  }
  assert.ok(backend.opened > 1, 'the session was left before the backend ended it');
  for (const client of [rude, polite]) await client.close();
  await stage.close();
  await backend.close();
});

// F4
test('a session that is crowded gets company', async () => {
  const waiting: http2.ServerHttp2Stream[] = [];
  const backend = await Backend.http2((stream) => {
    waiting.push(stream);
  });
  const stage = await open(backend.port, { pool: { maxWaiting: 1000 } });
  const clients = [stage.connect(), stage.connect(), stage.connect()];
  const asked = Array.from({ length: 240 }, (_, i) => clients[i % 3]!.request());
  await eventually(
    () => `all are at the backend (${waiting.length})`,
    () => waiting.length === 240,
  );
  assert.ok(backend.opened >= 3, `${backend.opened} sessions`);
  for (const stream of waiting) {
    stream.respond({ ':status': 200 });
    stream.end('ok');
  }
  for (const { status } of await Promise.all(asked)) assert.equal(status, 200);
  for (const client of clients) await client.close();
  await stage.close();
  await backend.close();
});

test('an unused session is closed after poolIdleMs', async () => {
  const clock = new SkippingClock();
  const backend = await numbered();
  const route = routeTo(forward([target(backend.port, { protocol: 'http2' })]), {
    poolIdleMs: 4000,
    keepAliveMs: 0,
  });
  const stage = await open(backend.port, { clock, route });
  const client = stage.connect();
  await client.request();
  await eventually('it is idle', () => stage.core.pools.statistics[0]?.idle === 1);
  clock.skip(4100);
  await eventually('the backend has no session', () => backend.sessions.size === 0);
  assert.equal((await client.request()).body, '2');
  await client.close();
  await stage.close();
  await backend.close();
});

test('a backend that is silent is asked with PING, and left where it does not answer', async () => {
  const clock = new SkippingClock();
  const backend = await FrameServer.open((peer) => {
    peer.onRequest = () => {};
  });
  const route = routeTo(forward([target(backend.port, { protocol: 'http2' })]), {
    responseHeadMs: 0,
    inactivityMs: 0,
  });
  const stage = await open(backend.port, { clock, route });
  const client = stage.connect();
  const asked = client.request({ ':method': 'POST' }, 'x');
  await eventually('the backend is asked', () => backend.peers[0]?.requests === 1);
  clock.skip(16_000);
  await eventually('the backend is sent PING', () => backend.peers[0]?.pings === 1);
  clock.skip(11_000);
  assert.equal((await asked).status, 504);
  await client.close();
  await stage.close();
  await backend.close();
});

test('what goes wrong before there is a session has its status', async () => {
  const closed = await numbered();
  const { port } = closed;
  await closed.close();
  const silent = net.createServer((socket) => socket.resume().on('error', () => {})).listen(0, '127.0.0.1');
  const text = net.createServer((socket) => void socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  text.listen(0, '127.0.0.1');
  const abrupt = net.createServer((socket) => void socket.destroy()).listen(0, '127.0.0.1');
  await eventually('all listen', () => [silent, text, abrupt].every(({ listening }) => listening));
  const portOf = (server: net.Server): number => (server.address() as net.AddressInfo).port;
  for (const [at, status, error] of [
    [port, 502, 'connect-refused'],
    [portOf(text), 502, 'invalid-response'],
    [portOf(abrupt), 502, /target-(closed|reset)/],
  ] as const) {
    const stage = await open(at);
    const client = stage.connect();
    assert.equal((await client.request()).status, status);
    const told = stage.core.entries[0]?.error ?? '';
    if (typeof error === 'string') assert.equal(told, error);
    else assert.match(told, error);
    await client.close();
    await stage.close();
  }
  const clock = new SkippingClock();
  const stage = await open(portOf(silent), { clock });
  const client = stage.connect();
  const asked = client.request();
  await eventually('it is dialled', () => stage.core.deadlines.size > 1);
  clock.skip(3000);
  clock.skip(3000);
  assert.equal((await asked).status, 504);
  await client.close();
  await stage.close();
  for (const server of [silent, text, abrupt]) await new Promise((resolve) => server.close(resolve));
});

test('GOAWAY with an error ends what was processed, and the next request gets a new session', async () => {
  const backend = await numbered();
  const stage = await open(backend.port);
  const client = stage.connect();
  const cut = client.request({ ':path': '/never', ':method': 'POST' }, 'x');
  await eventually('it is under way', () => backend.sessions.size === 1);
  await client.request();
  for (const session of backend.sessions) session.destroy(undefined, NGHTTP2_ENHANCE_YOUR_CALM);
  assert.equal((await cut).status, 502);
  assert.equal((await client.request()).body, '2');
  assert.equal(NGHTTP2_NO_ERROR, 0);
  await client.close();
  await stage.close();
  await backend.close();
});
