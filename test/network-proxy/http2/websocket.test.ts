import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import http from 'node:http';
import type http2 from 'node:http2';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { onFin } from '../../support/hang-up.ts';
import { SkippingClock } from '../../support/skipping-clock.ts';
import { forward, routeTo, target } from '../stage.ts';
import { Backend, FrameClient, frame, Http2Stage, plainHead } from './stage.ts';

/** A backend of HTTP/1.1 that upgrades and sends everything back, or does what a test says. */
async function upgradingBackend(onUpgrade?: (request: http.IncomingMessage, socket: Duplex) => void) {
  const server = http.createServer((_, response) => {
    response.statusCode = 426;
    response.end('no');
  });
  const requests: http.IncomingMessage[] = [];
  const sockets: Duplex[] = [];
  server.on('upgrade', (request, socket) => {
    requests.push(request);
    sockets.push(socket);
    socket.on('error', () => {});
    if (onUpgrade !== undefined) return onUpgrade(request, socket);
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\nhello `,
    );
    socket.pipe(socket);
  });
  const backend = await new Backend(server).listen();
  return { backend, requests, sockets };
}

const connect = {
  ':method': 'CONNECT',
  ':protocol': 'websocket',
  ':scheme': 'http',
  ':authority': 'a.test',
  ':path': '/chat?x',
  'sec-websocket-version': '13',
  'sec-websocket-protocol': 'chat',
} as const;

class WebSocketStream {
  readonly stream: http2.ClientHttp2Stream;
  headers: http2.IncomingHttpHeaders | null = null;
  text = '';
  ended = false;

  constructor(session: http2.ClientHttp2Session) {
    this.stream = session.request(connect, { endStream: false });
    this.stream.on('response', (headers) => {
      this.headers = headers;
    });
    this.stream.setEncoding('latin1').on('data', (chunk: string) => {
      this.text += chunk;
    });
    this.stream.on('end', () => {
      this.ended = true;
    });
    this.stream.on('error', () => {});
  }

  static async open(session: http2.ClientHttp2Session): Promise<WebSocketStream> {
    if (session.remoteSettings.enableConnectProtocol !== true) {
      await eventually(
        'extended CONNECT is offered',
        () => session.remoteSettings.enableConnectProtocol === true,
      );
    }
    const socket = new WebSocketStream(session);
    await eventually('there is an answer', () => socket.headers !== null || socket.stream.destroyed);
    return socket;
  }
}

// W4
test('a WebSocket over HTTP/2 reaches a backend of HTTP/1.1', async () => {
  const { backend, requests } = await upgradingBackend();
  const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port)])) });
  const client = stage.connect();
  const socket = await WebSocketStream.open(client.session);
  assert.equal(socket.headers?.[':status'], 200);
  assert.equal(socket.headers?.['sec-websocket-protocol'], 'chat');
  for (const name of ['sec-websocket-accept', 'upgrade', 'connection'])
    assert.equal(socket.headers?.[name], undefined, name);
  const [{ method, url, headers } = assert.fail()] = requests;
  assert.deepEqual([method, url, headers.host, headers.upgrade], ['GET', '/chat?x', 'a.test', 'websocket']);
  assert.equal(Buffer.from(headers['sec-websocket-key'] ?? '', 'base64').length, 16);
  socket.stream.write('there');
  await eventually('it comes back', () => socket.text === 'hello there');
  // Others use the same session meanwhile.
  assert.equal((await client.request()).status, 426);
  socket.stream.end();
  await eventually('both sides have ended', () => socket.ended && socket.stream.destroyed);
  assert.equal(socket.stream.rstCode, 0);
  await eventually('it is over', () => stage.core.entries.length === 2);
  const entry = stage.core.entries.find(({ path }) => path === '/chat');
  assert.deepEqual([entry?.status, entry?.error], [101, null]);
  await client.close();
  assert.equal(await stage.reason(), 'client-closed');
  await stage.close();
  await backend.close();
});

// W4
test('a WebSocket over HTTP/2 that the backend refuses is answered as it says', async () => {
  const { backend } = await upgradingBackend((_, socket) => {
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno');
  });
  const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port)])) });
  const client = stage.connect();
  for (let round = 0; round < 5; round++) {
    const socket = await WebSocketStream.open(client.session);
    assert.equal(socket.headers?.[':status'], 403);
    await eventually('the answer is complete', () => socket.ended && socket.text === 'no');
    await eventually('the stream is over', () => socket.stream.destroyed);
  }
  await client.close();
  await stage.close();
  await eventually('no socket is left', () => backend.sockets.size === 0);
  await backend.close();
});

// W4
test('a reset on either side of a WebSocket over HTTP/2 reaches the other, and only that', async () => {
  const { backend, sockets } = await upgradingBackend();
  const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port)])) });
  const client = stage.connect();
  // By hand: Node's own client sends END_STREAM before it resets.
  const first = new FrameClient(stage.port);
  first.send(frame(1, 4, 1, plainHead(Object.entries(connect))));
  await eventually('the first is open', () => first.frames.some(({ type }) => type === 0));
  const second = await WebSocketStream.open(client.session);
  await eventually('both are open', () => second.text === 'hello ');
  first.send(frame(3, 0, 1, Buffer.from([0, 0, 0, 8])));
  await eventually('the backend has lost the first', () => sockets[0]?.destroyed === true);
  assert.equal(sockets[1]?.destroyed, false);
  (sockets[1] as net.Socket).resetAndDestroy();
  await eventually('the client has lost the second', () => second.stream.destroyed);
  const errors = stage.core.entries.map(({ error }) => error);
  assert.equal(errors[0], 'client-reset');
  assert.equal(errors.length, 2);
  first.socket.destroy();
  const third = await WebSocketStream.open(client.session);
  await eventually('the session is still good', () => third.text === 'hello ');
  third.stream.end();
  await eventually('it is over', () => third.stream.destroyed);
  await client.close();
  await stage.close();
  await backend.close();
});

// W4, L8
test('half of a WebSocket over HTTP/2 that is left is not waited for without end', async () => {
  const clock = new SkippingClock();
  const { backend, sockets } = await upgradingBackend();
  const route = routeTo(forward([target(backend.port)]), { halfCloseMs: 60_000, inactivityMs: 0 });
  const stage = await Http2Stage.open({ clock, route });
  const client = stage.connect();
  const socket = await WebSocketStream.open(client.session);
  await eventually('it is open', () => socket.text === 'hello ');
  sockets[0]?.unpipe();
  sockets[0]?.end();
  await eventually('the client has read the end', () => socket.ended);
  clock.skip(50_000);
  socket.stream.write('more');
  await eventually('it has come', () => sockets[0]?.readableLength === 4);
  clock.skip(20_000);
  socket.stream.write('x');
  assert.equal(socket.stream.destroyed, false);
  await eventually('the stream is over', () => {
    clock.skip(61_000);
    return socket.stream.destroyed;
  });
  assert.equal(stage.core.entries[0]?.error, 'half-close-timeout');
  await client.close();
  await stage.close();
  await backend.close();
});

// W4
test('the end of the session ends its WebSockets, by one cause', async () => {
  const { backend, sockets } = await upgradingBackend();
  const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port)])) });
  const client = stage.connect();
  const socket = await WebSocketStream.open(client.session);
  await eventually('it is open', () => socket.text === 'hello ');
  client.destroy();
  await eventually('the backend has lost it', () => sockets[0]?.destroyed === true);
  await stage.reason();
  await eventually('it is logged', () => stage.core.entries.length === 1);
  await stage.close();
  await backend.close();
});

// W4
test('a WebSocket by HTTP/1.1 reaches a backend of HTTP/2 that takes extended CONNECT', async () => {
  let seen: http2.IncomingHttpHeaders = {};
  const backend = await Backend.http2(
    (stream, headers) => {
      seen = headers;
      stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' });
      stream.pipe(stream);
    },
    { settings: { enableConnectProtocol: true } },
  );
  const stage = await Http2Stage.open({
    route: routeTo(forward([target(backend.port, { protocol: 'http2' })])),
  });
  const key = Buffer.alloc(16, 7).toString('base64');
  const request = http.get({
    ...{ host: '127.0.0.1', port: stage.http1Port, path: '/chat', agent: false },
    headers: {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Key': key,
      'Sec-WebSocket-Version': '13',
    },
  });
  const [response, socket] = await new Promise<[http.IncomingMessage, Duplex]>((resolve, reject) => {
    request.on('upgrade', (answer, upgraded) => resolve([answer, upgraded]));
    request.on('error', reject);
  });
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  assert.equal(response.headers['sec-websocket-accept'], accept);
  assert.equal(response.headers.upgrade, 'websocket');
  assert.deepEqual([seen[':method'], seen[':protocol'], seen[':path']], ['CONNECT', 'websocket', '/chat']);
  assert.equal(seen['sec-websocket-key'], undefined);
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  socket.write('to and fro');
  await eventually('it comes back', () => text === 'to and fro');
  socket.end();
  await eventually('it is over', () => socket.destroyed);
  await stage.close();
  await backend.close();
});

// W4
test('a WebSocket over HTTP/2 goes on over HTTP/2 where the backend takes it', async () => {
  const backend = await Backend.http2(
    (stream) => {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    },
    { settings: { enableConnectProtocol: true } },
  );
  const stage = await Http2Stage.open({
    route: routeTo(forward([target(backend.port, { protocol: 'http2' })])),
  });
  const client = stage.connect();
  const socket = await WebSocketStream.open(client.session);
  socket.stream.write('twice');
  await eventually('it comes back', () => socket.text === 'twice');
  socket.stream.end();
  await eventually('it is over', () => socket.stream.destroyed && socket.ended);
  await client.close();
  await stage.close();
  await backend.close();
});

// W4
test('a WebSocket over HTTP/2 whose client ends before it is open is half closed', async () => {
  let ended = false;
  const { backend } = await upgradingBackend((_, socket) => {
    socket.on('end', () => {
      ended = true;
      socket.end('bye');
    });
    socket.resume();
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  });
  const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port)])) });
  const client = new FrameClient(stage.port);
  client.send(frame(1, 4, 1, plainHead(Object.entries(connect))), frame(0, 1, 1));
  await eventually('the backend hears of it', () => ended);
  await eventually('so does the client', () =>
    client.frames.some(({ type, flags }) => type === 0 && (flags & 1) === 1),
  );
  await eventually('it is over', () => stage.core.entries.length === 1);
  assert.deepEqual([stage.core.entries[0]?.status, stage.core.entries[0]?.error], [101, null]);
  client.socket.destroy();
  await stage.close();
  await backend.close();
});

for (const code of [0, 8]) {
  // W4
  test(`a WebSocket over HTTP/2 that is reset with ${code} is reset at the backend, not ended`, async () => {
    const fates: string[] = [];
    const { backend } = await upgradingBackend((_, socket) => {
      onFin(socket as net.Socket, () => fates.push('end'));
      socket.on('close', () => fates.push('close'));
      socket.resume();
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    });
    const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port)])) });
    const client = new FrameClient(stage.port);
    client.send(frame(1, 4, 1, plainHead(Object.entries(connect))));
    await eventually('it is open', () => client.frames.some(({ type }) => type === 1));
    client.send(frame(0, 0, 1, Buffer.from('half')), frame(3, 0, 1, Buffer.from([0, 0, 0, code])));
    await eventually('the backend hears of it', () => fates.includes('close'));
    assert.deepEqual(fates, ['close']);
    await eventually('it is over', () => stage.core.entries.length === 1);
    assert.equal(stage.core.entries[0]?.error, 'client-reset');
    client.socket.destroy();
    await stage.close();
    await backend.close();
  });
}
