import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { ResolvedAction, RouteContext, Timeouts } from '../../../src/config/resolved.ts';
import { eventually } from '../../support/eventually.ts';
import { RawBackend, RawPeer } from '../raw-peer.ts';
import { forward, routeTo, Stage, target } from '../stage.ts';

type Handle = Extract<ResolvedAction, { type: 'handler' }>['handle'];

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const get = (path = '/'): string => `GET ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`;
const post = (body: string, path = '/'): string =>
  `POST ${path} HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

const open = (handle: Handle, timeouts: Partial<Timeouts> = {}): Promise<Stage> =>
  Stage.open({ route: routeTo({ type: 'handler', handle }, timeouts, 'handler') });

/** The connection's end, and the requests on it. */
function fate(stage: Stage) {
  const [last] = stage.core.manager.terminations(1);
  return { reason: last?.termination?.reason, errors: stage.core.entries.map(({ error }) => error) };
}

/** Reads a request up to the end of its head. */
async function headOf(stream: Duplex): Promise<string> {
  let read = '';
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    read += (chunk as Buffer).toString('latin1');
    if (read.includes('\r\n\r\n')) break;
  }
  return read;
}

/** Reads a request to its end. An iterator may give what is there in one piece or in several. */
async function requestOf(stream: Duplex): Promise<string> {
  let read = '';
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    read += (chunk as Buffer).toString('latin1');
    const [head = '', body] = read.split('\r\n\r\n', 2);
    const length = Number(/^Content-Length: (\d+)$/im.exec(head)?.[1] ?? 0);
    if (body !== undefined && body.length >= length) break;
  }
  return read;
}

test('a handler reads the request as bytes of HTTP/1.1, and what it writes is the answer', async () => {
  let read = '';
  let context: RouteContext | undefined;
  const stage = await open(async (stream, told) => {
    context = told;
    read = await requestOf(stream);
    stream.write('HTTP/1.1 201 Created\r\nX-Own: yes\r\nContent-Length: 2\r\n\r\n');
    stream.write('ok');
  });
  const client = RawPeer.connect(stage.port);
  client.send(post('hello', '/a?b'));
  const answer = await client.reads('\r\n\r\nok');
  assert.match(answer, /^HTTP\/1\.1 201 Created\r\nX-Own: yes\r\n/);
  assert.match(read, /^POST \/a\?b HTTP\/1\.1\r\nHost: a\.test\r\nContent-Length: 5\r\n/);
  assert.match(read, /\r\n\r\nhello$/);
  assert.match(read, /\r\nX-Forwarded-For: 127\.0\.0\.1\r\n/);
  assert.equal(context?.route, 'handler');
  assert.deepEqual(
    { ...context?.request, headers: { ...context?.request?.headers } },
    {
      method: 'POST',
      host: 'a.test',
      path: '/a',
      headers: { host: 'a.test', 'content-length': '5' },
    },
  );
  client.socket.destroy();
  await stage.close();
});

test('a connection goes on after a handler, and before it', async () => {
  const raw = await RawBackend.answering(() => ok);
  const handled = routeTo({ type: 'handler', handle: (stream) => void stream.write(ok) }, {}, 'handler');
  const forwarded = routeTo(forward([target(raw.port)]));
  const stage = await Stage.open({
    route: forwarded,
    match: ({ path }) => (path === '/handler' ? handled : forwarded),
  });
  const client = RawPeer.connect(stage.port);
  const paths = ['/', '/handler', '/handler', '/', '/handler'];
  client.send(paths.map(get).join(''));
  await client.reads(ok, paths.length);
  client.send(get('/handler'));
  await client.reads(ok, paths.length + 1);
  assert.deepEqual(
    stage.core.entries.map(({ route, status }) => [route, status]),
    [...paths, '/handler'].map((path) => [path === '/' ? 'site' : 'handler', 200]),
  );
  assert.equal(
    raw.peers
      .map(({ text }) => text)
      .join('')
      .includes('handler'),
    false,
  );
  client.socket.destroy();
  await stage.close();
  await raw.close();
});

// L24
test('a slow handler loses nothing: not the head, not the body, not the request behind it', async () => {
  const seen: string[] = [];
  const stage = await open(async (stream) => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    seen.push(await requestOf(stream));
    await new Promise((resolve) => setTimeout(resolve, 10));
    stream.write(ok);
  });
  const client = RawPeer.connect(stage.port);
  client.send(post('first', '/1') + post('second', '/2') + get('/3'));
  await client.reads(ok, 3);
  assert.deepEqual(
    seen.map((request) => [request.split(' ', 2)[1], request.slice(request.indexOf('\r\n\r\n') + 4)]),
    [
      ['/1', 'first'],
      ['/2', 'second'],
      ['/3', ''],
    ],
  );
  client.socket.destroy();
  await stage.close();
});

test('a context says what its own request was, also when the next one is there', async () => {
  const contexts: RouteContext[] = [];
  const stage = await open((stream, context) => {
    contexts.push(context);
    stream.write(ok);
  });
  const client = RawPeer.connect(stage.port);
  client.send(get('/1') + get('/2'));
  await client.reads(ok, 2);
  assert.deepEqual(
    contexts.map(({ request }) => request?.path),
    ['/1', '/2'],
  );
  client.socket.destroy();
  await stage.close();
});

test('the stream ends, and the signal is given, when the answer is complete', async () => {
  const events: string[] = [];
  const stage = await open((stream, { signal }) => {
    signal.addEventListener('abort', () => events.push('abort'));
    for (const event of ['end', 'close', 'error']) stream.on(event, () => events.push(event));
    stream.resume();
    stream.write(ok);
  });
  const client = RawPeer.connect(stage.port);
  client.send(get());
  await client.reads(ok);
  await eventually('the stream is closed', () => events.includes('close'));
  assert.deepEqual(events, ['abort', 'end', 'close']);
  client.socket.destroy();
  await stage.close();
});

for (const [name, answer] of Object.entries({
  'until its end': 'HTTP/1.1 200 OK\r\n\r\nhello',
  'in chunks': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'of HTTP/1.0': 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello',
})) {
  test(`a handler may answer ${name}, and finds that its own end went well`, async () => {
    const outcomes: string[] = [];
    const stage = await open(async (stream) => {
      stream.end(answer);
      await new Promise<void>((resolve, reject) => {
        stream.on('finish', resolve).on('error', reject);
      });
      outcomes.push('finished');
    });
    const client = RawPeer.connect(stage.port);
    client.send(get());
    await client.reads('hello');
    await eventually('the handler is done', () => outcomes.length === 1);
    client.socket.destroy();
    await stage.close();
    assert.deepEqual(fate(stage).errors, [null]);
  });
}

test('a handler may answer before it has read the request', async () => {
  const stage = await open(async (stream) => {
    const part = await headOf(stream);
    assert.match(part, /^POST/);
    stream.end('HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\n\r\n');
  });
  const client = RawPeer.connect(stage.port);
  client.send(post('x'.repeat(10), '/').replace('10\r\n', '10000000\r\n'));
  await client.reads('HTTP/1.1 413 Too Much\r\n');
  await client.closes();
  client.socket.destroy();
  await stage.close();
});

test('bodies larger than every buffer cross a handler both ways', async () => {
  const size = 5_000_000;
  const server = http.createServer((request, response) => {
    response.writeHead(200, { 'content-length': size });
    request.pipe(response);
  });
  const stage = await open((stream) => void server.emit('connection', stream));
  const request = http.request({ port: stage.port, method: 'POST', headers: { 'content-length': size } });
  request.end(Buffer.alloc(size, 'abcdefghij'));
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const body = await text(response);
  assert.equal(body.length, size);
  assert.equal(body, 'abcdefghij'.repeat(size / 10));
  request.destroy();
  await stage.close();
});

// L4
test('a client that asks and sends FIN gets its answer, also from a server of Node’s', async () => {
  const server = http.createServer((_, response) => {
    setTimeout(() => response.end('late'), 30);
  });
  const stage = await open((stream) => void server.emit('connection', stream));
  const client = RawPeer.connect(stage.port);
  client.send(get());
  client.socket.end();
  await client.reads('late');
  await client.closes();
  await stage.close();
  assert.equal(fate(stage).reason, 'client-closed');
});

test('a handler whose client leaves hears of it by its stream and its signal', async () => {
  const events: string[] = [];
  const stage = await open((stream, { signal }) => {
    signal.addEventListener('abort', () => events.push('abort'));
    stream.on('error', (error: NodeJS.ErrnoException) => events.push(`error ${error.code}`));
    stream.on('close', () => events.push('close'));
  });
  const client = RawPeer.connect(stage.port);
  client.send(get());
  await eventually('the request is under way', () => stage.core.inFlight === 1);
  client.socket.resetAndDestroy();
  await eventually('the stream is closed', () => events.includes('close'));
  assert.deepEqual(events, ['abort', 'error connection-closed', 'close']);
  await stage.close();
  assert.deepEqual(fate(stage), { reason: 'client-reset', errors: ['client-reset'] });
});

test('a handler that does not answer in time is given up, and the client told', async () => {
  let closed = false;
  const stage = await open(
    (stream) =>
      void stream.on('close', () => {
        closed = true;
      }),
    { responseHeadMs: 30 },
  );
  const client = RawPeer.connect(stage.port);
  client.send(get());
  await client.reads('HTTP/1.1 504 ');
  await eventually('its stream is closed', () => closed);
  client.socket.destroy();
  await stage.close();
  assert.deepEqual(fate(stage).errors, ['response-timeout']);
});

const failures: Record<string, Handle> = {
  throws: () => {
    throw new Error('secret');
  },
  rejects: async () => {
    throw new Error('secret');
  },
  'rejects late': async (stream) => {
    await headOf(stream);
    throw new Error('secret');
  },
  'rejects with nothing': () => Promise.reject(undefined),
  'destroys its stream with an error': (stream) => void stream.destroy(new Error('secret')),
  'throws in a listener': (stream) =>
    void stream.on('data', () => {
      throw new Error('secret');
    }),
};

for (const [name, handle] of Object.entries(failures)) {
  // L24
  test(`a handler that ${name} is a 500, and ends its own connection only`, async () => {
    const failing = routeTo({ type: 'handler', handle }, {}, 'failing');
    const other = routeTo({ type: 'respond', status: 200, headers: {}, body: 'ok' }, {}, 'other');
    const stage = await Stage.open({
      route: failing,
      match: ({ path }) => (path === '/other' ? other : failing),
    });
    const bystander = RawPeer.connect(stage.port);
    bystander.send(get('/other'));
    await bystander.reads('\r\n\r\nok');
    const client = RawPeer.connect(stage.port);
    client.send(get('/other') + get('/') + get('/other'));
    const answer = await client.reads('HTTP/1.1 500 ');
    await client.closes();
    assert.match(answer, /\r\nConnection: close\r\n/);
    assert.doesNotMatch(client.text, /secret/);
    assert.equal(client.text.match(/HTTP\/1\.1 200/g)?.length, 1, 'nothing behind it is answered');
    await eventually('its connection has ended', () => stage.core.manager.size === 1);
    const [ended] = stage.core.manager.terminations(1);
    assert.equal(ended?.termination?.reason, 'handler-failed');
    assert.equal(ended?.events.find(({ what }) => what === 'handler-failed')?.route, 'failing');
    assert.equal(stage.core.entries.at(-1)?.error, 'handler-failed');
    bystander.send(get('/other'));
    await bystander.reads('\r\n\r\nok', 2);
    bystander.socket.destroy();
    await stage.close();
  });
}

// H7
test('a handler that fails in the middle of its answer never makes it look whole', async () => {
  for (const half of [
    'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
    'HTTP/1.1 200 OK\r\n\r\nhalf',
  ]) {
    const stage = await open(async (stream) => {
      stream.write(half);
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw new Error('failed');
    });
    const client = RawPeer.connect(stage.port);
    client.send(get());
    await eventually('the connection is cut', () => client.closed);
    assert.equal(client.error, 'ECONNRESET');
    await stage.close();
    assert.deepEqual(fate(stage), { reason: 'handler-failed', errors: ['handler-failed'] });
  }
});

test('a handler that ends without an answer, or with none that is one, is a 502', async () => {
  const wrong: [Handle, string][] = [
    [(stream) => void stream.end(), 'handler-ended'],
    [(stream) => void stream.destroy(), 'handler-ended'],
    [(stream) => void stream.end('HTTP/1.1 200 OK\r\nContent-'), 'handler-ended'],
    [(stream) => void stream.end('hello, this is no answer\r\n\r\n'), 'invalid-response'],
    [(stream) => void stream.pipe(stream), 'invalid-response'],
  ];
  for (const [handle, error] of wrong) {
    const stage = await open(handle);
    const client = RawPeer.connect(stage.port);
    client.send(get());
    await client.reads('HTTP/1.1 502 ');
    client.socket.destroy();
    await stage.close();
    assert.deepEqual(fate(stage).errors, [error]);
  }
});

test('a handler that fails after its answer is written down, and nobody else hears of it', async () => {
  const stage = await open(async (stream) => {
    stream.write(ok);
    await new Promise((resolve) => stream.on('close', resolve));
    throw new Error('too late');
  });
  const client = RawPeer.connect(stage.port);
  client.send(get());
  await client.reads(ok);
  const failure = () => stage.core.manager.live()[0]?.trail.find(({ what }) => what === 'handler-failed');
  await eventually('it is written down', () => failure() !== undefined);
  assert.equal(failure()?.message, 'too late');
  client.send(get());
  await client.reads(ok, 2);
  client.socket.destroy();
  await stage.close();
});

test('a handler that answers more than it was asked has the rest dropped', async () => {
  const stage = await open((stream) => void stream.write(ok + ok));
  const client = RawPeer.connect(stage.port);
  client.send(get());
  await client.reads(ok);
  client.send(get());
  await client.reads(ok, 2);
  assert.equal(client.text, ok + ok);
  client.socket.destroy();
  await stage.close();
});

// H3
test('a handler may change the protocol, and has the bytes of the connection then', async () => {
  const stage = await open(async (stream) => {
    assert.match(await headOf(stream), /\r\nUpgrade: echo\r\n/i);
    stream.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello ');
    stream.pipe(stream);
  });
  const client = RawPeer.connect(stage.port);
  client.send('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  await client.reads('hello ');
  client.send('there');
  client.socket.end();
  await client.reads('hello there');
  await client.closes();
  await stage.close();
  assert.deepEqual(fate(stage), { reason: 'client-closed', errors: [null] });
});
