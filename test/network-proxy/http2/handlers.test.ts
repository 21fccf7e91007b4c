import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import { WebSocketServer } from 'ws';
import type { ResolvedAction, RouteContext } from '../../../src/config/resolved.ts';
import { eventually } from '../../support/eventually.ts';
import { routeTo } from '../stage.ts';
import { answerOf, Http2Stage } from './stage.ts';

type Handle = Extract<ResolvedAction, { type: 'handler' }>['handle'];

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const open = (handle: Handle): Promise<Http2Stage> =>
  Http2Stage.open({ route: routeTo({ type: 'handler', handle }, {}, 'handler') });

test('a handler gets requests of HTTP/2 as bytes of HTTP/1.1, many at once', async () => {
  const heads: string[] = [];
  const contexts: RouteContext[] = [];
  const stage = await open(async (stream, context) => {
    contexts.push(context);
    const [head] = (await once(stream, 'data')) as [Buffer];
    heads.push(head.toString('latin1'));
    await eventually('all have come', () => heads.length === 20);
    stream.end(`HTTP/1.1 200 OK\r\nX-Path: ${context.request?.path}\r\n\r\nfor ${context.request?.path}`);
  });
  const client = stage.connect();
  const paths = Array.from({ length: 20 }, (_, index) => `/${index}`);
  const answers = await Promise.all(
    paths.map((path) => client.request({ ':path': path, cookie: ['a=1', 'b=2'] })),
  );
  assert.deepEqual(
    answers.map(({ body, headers }) => [body, headers['x-path']]),
    paths.map((path) => [`for ${path}`, path]),
  );
  for (const head of heads)
    assert.match(head, /^GET \/\d+ HTTP\/1\.1\r\nHost: a\.test\r\ncookie: a=1; b=2\r\n/);
  assert.deepEqual(contexts.map(({ request }) => request?.path).sort(), [...paths].sort());
  assert.equal(contexts[0]?.request?.host, 'a.test');
  await client.close();
  await stage.close();
});

test('a server of Node’s serves requests of HTTP/2, with bodies and trailers', async () => {
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('latin1')) body += chunk;
    response.setHeader('trailer', 'x-sum');
    response.write(`you said ${body}, `);
    response.addTrailers({ 'x-sum': String(request.trailers['x-sum']) });
    response.end('and no more');
  });
  const stage = await open((stream) => void server.emit('connection', stream));
  const client = stage.connect();
  const answer = await client.request({ ':method': 'POST' }, 'hello', { 'x-sum': '5' });
  assert.deepEqual(
    [answer.status, answer.body, answer.trailers['x-sum']],
    [200, 'you said hello, and no more', '5'],
  );
  await client.close();
  await stage.close();
});

// W4
test('a WebSocket over HTTP/2 reaches a server of the program’s own', async () => {
  const sockets = new WebSocketServer({ noServer: true });
  const server = http.createServer();
  server.on('upgrade', (request, socket, head) => {
    sockets.handleUpgrade(request, socket as never, head, (webSocket) => {
      webSocket.on('message', (data, isBinary) => webSocket.send(data, { binary: isBinary }));
    });
  });
  const stage = await open((stream) => void server.emit('connection', stream));
  const client = stage.connect();
  await once(client.session, 'remoteSettings');
  const stream = client.session.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'http',
      ':authority': 'a.test',
      ':path': '/chat',
      'sec-websocket-version': '13',
    },
    { endStream: false },
  );
  const [headers] = await once(stream, 'response');
  assert.equal((headers as Record<string, unknown>)[':status'], 200);
  // A masked text frame "hi", and its echo without a mask.
  stream.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
  let echo = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    echo = Buffer.concat([echo, chunk]);
  });
  await eventually('the echo is complete', () => echo.length >= 4);
  assert.deepEqual([...echo], [0x81, 2, 0x68, 0x69]);
  stream.close();
  await once(stream, 'close');
  await client.close();
  await stage.close();
});

// L24
test('a handler that fails costs its own stream only', async () => {
  const stage = await open(async (stream, { request }) => {
    if (request?.path === '/ok') return void stream.write(ok);
    if (request?.path === '/half') {
      stream.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error('secret');
  });
  const client = stage.connect();
  const [failed, half, good] = await Promise.allSettled([
    client.request({ ':path': '/failed' }),
    client.request({ ':path': '/half' }),
    client.request({ ':path': '/ok' }),
  ]);
  assert.equal(failed.status === 'fulfilled' && failed.value.status, 500);
  assert.doesNotMatch(failed.status === 'fulfilled' ? failed.value.body : '', /secret/);
  assert.match(String(half.status === 'rejected' && half.reason), /INTERNAL_ERROR/);
  assert.equal(good.status === 'fulfilled' && good.value.body, 'ok');
  assert.equal((await client.request({ ':path': '/ok' })).body, 'ok');
  await client.close();
  assert.equal(await stage.reason(), 'client-closed');
  await stage.close();
});

test('a request that the client gives up ends the handler’s stream, and no other', async () => {
  const streams = new Map<string, Duplex>();
  const aborted: string[] = [];
  const stage = await open((stream, { request, signal }) => {
    const path = request?.path ?? '';
    streams.set(path, stream);
    signal.addEventListener('abort', () => aborted.push(path));
  });
  const client = stage.connect();
  const given = client.session.request({ ':authority': 'a.test', ':path': '/given' });
  const kept = client.session.request({ ':authority': 'a.test', ':path': '/kept' });
  const answered = answerOf(kept);
  await eventually('both are handled', () => streams.size === 2);
  given.close(8);
  await eventually('one is over', () => streams.get('/given')?.destroyed === true);
  assert.deepEqual(aborted, ['/given']);
  streams.get('/kept')?.end(ok);
  assert.equal((await answered).body, 'ok');
  await client.close();
  await stage.close();
});
