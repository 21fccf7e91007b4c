import assert from 'node:assert/strict';
import type http2 from 'node:http2';
import { after, before, test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { RawBackend } from '../raw-peer.ts';
import { forward, routeTo, target } from '../stage.ts';
import { Backend, FrameClient, frame, getByHttp1, getRequest, Http2Stage, plainHead } from './stage.ts';

let raw: RawBackend;
let stage: Http2Stage;
let answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

before(async () => {
  raw = await RawBackend.answering(() => answer);
  stage = await Http2Stage.open({ route: routeTo(forward([target(raw.port)])) });
});
after(async () => {
  await stage.close();
  await raw.close();
});

/** What an HTTP/1.1 backend reads of a request. */
async function seenByHttp1(headers: http2.OutgoingHttpHeaders, body: string | null = null): Promise<string> {
  answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  const before = raw.peers.map(({ text }) => text.length);
  const client = stage.connect();
  await client.request(headers, body);
  await client.close();
  return raw.peers.map(({ text }, index) => text.slice(before[index] ?? 0)).join('');
}

// F3
test('`:authority` becomes Host, and crumbs of Cookie are put together', async () => {
  const seen = await seenByHttp1({
    ':path': '/x?y',
    ':authority': 'A.test:8080',
    cookie: ['a=1', 'b=2', 'c=3'],
    te: 'trailers',
    'x-twice': ['1', '2'],
  });
  assert.match(seen, /^GET \/x\?y HTTP\/1\.1\r\nHost: A\.test:8080\r\n/);
  assert.match(seen, /\r\ncookie: a=1; b=2; c=3\r\n/);
  assert.doesNotMatch(seen, /\r\nte:/i);
  assert.match(seen, /\r\nx-twice: 1/);
  assert.match(seen, /\r\nVia: 2 smartproxy\r\n/);
  assert.doesNotMatch(seen, /:(method|scheme|path|authority)/);
});

// F3
test('a body without a length goes on in chunks, with its trailers', async () => {
  answer = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n';
  const client = stage.connect();
  const from = raw.peers.at(-1)?.text.length ?? 0;
  await client.request({ ':method': 'POST', ':path': '/chunks' }, 'hello', { 'x-sum': '5' });
  await client.close();
  const seen = raw.peers
    .map(({ text }) => text)
    .join('')
    .slice(-400);
  assert.match(seen, /Transfer-Encoding: chunked\r\n/i);
  assert.match(seen, /\r\n5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n$/);
  assert.ok(from >= 0);
});

// F3
test('fields of one connection are left out of answers, and those that Connection names', async () => {
  answer = [
    'HTTP/1.1 200 Fine',
    'Connection: keep-alive, X-Private',
    'Keep-Alive: timeout=5',
    'X-Private: secret',
    'Proxy-Connection: x',
    'Set-Cookie: a=1',
    'Set-Cookie: b=2',
    'X-Two: 1',
    'X-Two: 2',
    'Transfer-Encoding: chunked',
    '',
    '2\r\nok\r\n0\r\nX-Trailer: t\r\n\r\n',
  ].join('\r\n');
  const client = stage.connect();
  const { status, headers, body, trailers } = await client.request();
  await client.close();
  assert.deepEqual([status, body], [200, 'ok']);
  assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2']);
  assert.equal(headers['x-two'], '1, 2');
  assert.equal(trailers['x-trailer'], 't');
  for (const name of ['connection', 'keep-alive', 'x-private', 'proxy-connection', 'transfer-encoding']) {
    assert.equal(headers[name], undefined, name);
  }
});

test('answers without content are framed right', async () => {
  const client = stage.connect();
  answer = 'HTTP/1.1 204 No Content\r\n\r\n';
  assert.deepEqual(pick(await client.request()), [204, '', undefined]);
  answer = 'HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n';
  assert.deepEqual(pick(await client.request()), [304, '', '7']);
  answer = 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n';
  assert.deepEqual(pick(await client.request({ ':method': 'HEAD' })), [200, '', '7']);
  answer = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1';
  const hinted = await client.request();
  assert.deepEqual(
    hinted.interim.map((fields) => [fields[':status'], fields.link]),
    [[103, '</a.css>']],
  );
  await client.close();

  function pick(got: { status: number; body: string; headers: http2.IncomingHttpHeaders }) {
    return [got.status, got.body, got.headers['content-length']];
  }
});

/** Sends one head, and tells how its stream was refused. */
async function refusal(fields: readonly (readonly [string, string])[], flags = 5): Promise<string> {
  const client = new FrameClient(stage.port);
  const requests = raw.peers.map(({ text }) => text.length).join();
  client.send(frame(1, flags, 1, plainHead(fields)));
  await eventually(
    'the stream is refused',
    () => client.resets.has(1) || client.frames.some((f) => f.type === 1),
  );
  assert.equal(
    raw.peers.map(({ text }) => text.length).join(),
    requests,
    `nothing reached the backend: ${fields.at(-1)}`,
  );
  const answered = client.frames.some(({ type }) => type === 1);
  client.socket.destroy();
  return answered ? 'answered' : `reset ${client.resets.get(1)}`;
}

// F3
test('a request that HTTP/2 forbids is refused before it reaches anybody', async () => {
  const without = (name: string) => getRequest.filter(([field]) => field !== name);
  for (const field of [
    ['connection', 'x'],
    ['transfer-encoding', 'chunked'],
    ['keep-alive', 'x'],
    ['proxy-connection', 'x'],
    ['upgrade', 'x'],
    ['te', 'gzip'],
    ['X-Upper', 'x'],
    [':path', '/again'],
    [':unknown', 'x'],
  ] as const) {
    assert.equal(await refusal([...getRequest, field]), 'reset 1', field.join());
  }
  assert.equal(await refusal(without(':path')), 'reset 1');
  assert.equal(await refusal(without(':method')), 'reset 1');
  assert.equal(await refusal([['x-early', '1'], ...getRequest]), 'reset 1');
  for (const value of ['x', '-1', '+1', '1,1', '']) {
    assert.equal(await refusal([...getRequest, ['content-length', value]], 4), 'reset 1', value);
  }
  assert.match(await refusal([...getRequest, ['content-length', '5']]), /answered|reset/);
});

// F3
test('a field that HTTP/1.1 could not carry never reaches it', async () => {
  for (const line of [
    ['x-line', 'a\nGET /smuggled'],
    ['x-line', 'a\rb'],
    ['x-line', 'a\0b'],
    ['x-line y', 'z'],
  ] as const) {
    const client = new FrameClient(stage.port);
    const known = raw.peers.map(({ text }) => text).join('').length;
    client.send(frame(1, 5, 1, plainHead([...getRequest, line])));
    await eventually('an end comes', () => client.resets.has(1) || client.frames.some((f) => f.type === 1));
    client.socket.destroy();
    const seen = raw.peers
      .map(({ text }) => text)
      .join('')
      .slice(known);
    assert.doesNotMatch(seen, /x-line|smuggled/);
  }
});

// F3
test('what could not be said in HTTP/1.1 is answered with 400 or 501', async () => {
  const client = stage.connect();
  /** 400 also where the stream was reset for it. */
  const status = async (headers: http2.OutgoingHttpHeaders) =>
    client.request(headers).then(
      (answer) => answer.status,
      () => 400,
    );
  assert.equal(await status({ host: 'b.test' }), 400, 'Host and :authority differ');
  assert.equal(await status({ ':authority': 'user@a.test' }), 400);
  assert.equal(await status({ ':authority': 'a.test:0' }), 400);
  assert.equal(await status({ ':path': '/a#b' }), 400);
  assert.equal(await status({ ':path': '*', ':method': 'GET' }), 400);
  assert.equal(await status({ ':method': 'BREW' }), 501);
  assert.equal(await status({ ':path': `/${'a'.repeat(20_000)}` }), 414);
  await client.close();
  const same = await seenByHttp1({ host: 'a.test' });
  assert.equal(same.match(/host:/gi)?.length, 2, 'Host once, and X-Forwarded-Host');
});

test('a head that is too large, or has too many fields, is answered with 431, and told', async () => {
  const backend = await Backend.http1((_, response) => response.end('ok'));
  const route = routeTo(forward([target(backend.port)]));
  const inner = await Http2Stage.open({ route, headerBytes: 8192 });
  const client = inner.connect();
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, place) => [`x-${place}`, '']));
  assert.equal((await client.request({ 'x-big': 'a'.repeat(7500) })).status, 200);
  const large = await client.request({ 'x-big': 'a'.repeat(9000) });
  assert.equal(large.status, 431);
  assert.match(large.body, /Request: .*-s\d+/);
  assert.equal((await client.request(many(300))).status, 431);
  // Far beyond it nothing of it is kept.
  await assert.rejects(client.request({ 'x-big': 'a'.repeat(40_000) }), /ENHANCE_YOUR_CALM/);
  assert.equal((await client.request()).status, 200);
  const told = inner.records[0]!.trail.filter(({ what }) => what === 'request-failed');
  assert.deepEqual(
    told.map(({ status, error }) => [status, error]),
    [
      [431, 'head-too-large'],
      [431, 'too-many-fields'],
    ],
  );
  await client.close();
  await inner.close();
  await backend.close();
});

// F3, H4
test('a request by HTTP/1.1 becomes one of HTTP/2', async () => {
  let seen: http2.IncomingHttpHeaders = {};
  const backend = await Backend.http2((stream, headers) => {
    seen = headers;
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '2' }));
    stream.end('ok');
  });
  const route = routeTo(forward([target(backend.port, { protocol: 'http2' })]));
  const inner = await Http2Stage.open({ route });
  const got = await getByHttp1(inner.http1Port, {
    path: '/p?q',
    headers: {
      Host: 'B.test',
      Connection: 'close, X-Hop, TE',
      'X-Hop': '1',
      TE: 'trailers, deflate',
      'X-Kept': 'Kept',
      'Keep-Alive': 'x',
    },
  });
  assert.deepEqual([got.status, got.body, got.trailers['x-sum']], [200, 'ok', '2']);
  assert.deepEqual(
    [seen[':method'], seen[':path'], seen[':authority'], seen[':scheme'], seen.te, seen['x-kept']],
    ['GET', '/p?q', 'B.test', 'http', 'trailers', 'Kept'],
  );
  for (const name of ['host', 'connection', 'x-hop', 'keep-alive']) assert.equal(seen[name], undefined, name);
  assert.equal(seen.via, '1.1 smartproxy');
  await inner.close();
  await backend.close();
});

test('an answer of HTTP/2 without content is framed right for HTTP/1.1', async () => {
  const backend = await Backend.http2((stream, headers) => {
    const status = Number(headers['x-status']);
    stream.respond({ ':status': status, ...(status === 200 && { 'content-length': '9' }) });
    stream.end();
  });
  const inner = await Http2Stage.open({
    route: routeTo(forward([target(backend.port, { protocol: 'http2' })])),
  });
  for (const [method, status] of [
    ['GET', 204],
    ['GET', 304],
    ['HEAD', 200],
  ] as const) {
    const got = await getByHttp1(inner.http1Port, { method, headers: { 'x-status': status } });
    assert.equal(got.status, status);
    assert.equal(got.body, '');
    assert.equal(got.headers['transfer-encoding'], undefined);
  }
  await inner.close();
  await backend.close();
});

// H11
test('what a stranger says of other clients is replaced, in any spelling; each request anew', async () => {
  const plain = await seenByHttp1({});
  assert.match(plain, /\r\nX-Forwarded-For: 127\.0\.0\.1\r\n/);
  const told = await seenByHttp1({
    'x-forwarded-for': '192.0.2.1',
    x_forwarded_proto: 'https',
    'x-real-ip': '192.0.2.2',
    forwarded: 'for=192.0.2.3',
  });
  assert.match(told, /\r\nX-Forwarded-For: 127\.0\.0\.1\r\n/);
  assert.match(told, /\r\nForwarded: for=127\.0\.0\.1;host="a\.test";proto=http\r\n/);
  assert.doesNotMatch(told, /192\.0\.2|x_forwarded|x-real-ip/i);
  const client = stage.connect();
  const seen = raw.peers.map(({ text }) => text).join('').length;
  for (const name of ['a.test', 'b.test', 'a.test']) await client.request({ ':authority': name });
  await client.close();
  const hosts = raw.peers
    .map(({ text }) => text)
    .join('')
    .slice(seen)
    .match(/X-Forwarded-Host: [a-z.]+/g);
  assert.deepEqual(hosts, [
    'X-Forwarded-Host: a.test',
    'X-Forwarded-Host: b.test',
    'X-Forwarded-Host: a.test',
  ]);
});
