import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RawBackend, RawPeer } from '../raw-peer.ts';
import { forward, routeTo, Stage, target } from '../stage.ts';

interface Exchange {
  request: string;
  answer: string;
  /** The backend closes after its answer. */
  backendCloses?: boolean;
}

/** Sends one request, lets the backend answer, and returns what each side saw once the client is done. */
async function exchange({ request, answer, backendCloses = false }: Exchange, until: string | null) {
  const backend = await RawBackend.open((peer) => {
    peer.socket.once('data', () => {
      peer.send(answer);
      if (backendCloses) peer.socket.end();
    });
  });
  const stage = await Stage.open({ route: routeTo(forward([target(backend.port)])) });
  const client = RawPeer.connect(stage.port);
  client.send(request);
  if (until === null) await client.closes();
  else await client.reads(until);
  const seen = { client: client.text, backend: backend.peers[0]?.text ?? '', closed: client.ended };
  client.socket.destroy();
  await backend.close();
  await stage.close();
  return { ...seen, entry: stage.core.entries[0] };
}

const get = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';

// H5
test('an answer with a length keeps the connection', async () => {
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
  const { client, closed } = await exchange({ request: get, answer }, 'hello');
  assert.equal(client, answer);
  assert.equal(closed, false);
});

// H5
test('chunks and trailers go through untouched', async () => {
  const answer =
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n' +
    '5;a=b\r\nhello\r\n00\r\nX-Sum: 1\r\n\r\n';
  const { client, closed } = await exchange({ request: get, answer }, 'X-Sum: 1\r\n\r\n');
  assert.equal(client, answer);
  assert.equal(closed, false);
});

// H5
test('an answer that ends with the connection ends the client’s too, after its last byte', async () => {
  const answer = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhello';
  const { client } = await exchange({ request: get, answer, backendCloses: true }, null);
  assert.equal(client, 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nhello');
});

// H5
test('a HEAD, a 204 and a 304 have no body whatever their fields say', async () => {
  const cases = [
    { method: 'HEAD', answer: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n' },
    { method: 'HEAD', answer: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' },
    { method: 'GET', answer: 'HTTP/1.1 204 No Content\r\n\r\n' },
    { method: 'GET', answer: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n' },
  ];
  for (const { method, answer } of cases) {
    const backend = await RawBackend.answering(() => answer);
    const stage = await Stage.open({ route: routeTo(forward([target(backend.port)])) });
    const client = RawPeer.connect(stage.port);
    client.send(`${method} / HTTP/1.1\r\nHost: a.test\r\n\r\n`.repeat(2));
    await client.reads('HTTP/1.1 ', 2);
    await client.reads('\r\n\r\n', 2);
    assert.equal(client.text, answer.repeat(2));
    client.socket.destroy();
    await backend.close();
    await stage.close();
  }
});

// H5
test('interim answers are forwarded, but not to HTTP/1.0', async () => {
  const interim = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  const modern = await exchange({ request: get, answer: interim + answer }, 'ok');
  assert.equal(modern.client, interim + answer);
  const old = await exchange({ request: 'GET / HTTP/1.0\r\n\r\n', answer: interim + answer }, null);
  assert.equal(old.client, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
});

// H5
test('an HTTP/1.0 client gets the content of chunks, then the end of the connection', async () => {
  const answer = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n';
  const { client, backend } = await exchange({ request: 'GET /x HTTP/1.0\r\n\r\n', answer }, null);
  assert.equal(client, 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello!');
  assert.match(backend, /^GET \/x HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n/);
});

// H5
test('an HTTP/1.0 client that asks for it keeps its connection', async () => {
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  const request = 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n';
  const { client, closed } = await exchange({ request, answer }, 'ok');
  assert.match(client, /Connection: keep-alive\r\n\r\nok$/);
  assert.equal(closed, false);
});

// H5
test('Connection: close of the client ends it after the answer, and that of the backend does not', async () => {
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';
  const asked = await exchange(
    { request: 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', answer, backendCloses: true },
    null,
  );
  assert.equal(asked.client, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
  const unasked = await exchange({ request: get, answer, backendCloses: true }, 'ok');
  assert.equal(unasked.client, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  assert.equal(unasked.closed, false);
});

// H5
test('a chunked request reaches the backend as it was written', async () => {
  const body = '3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n';
  const backend = await RawBackend.open((peer) => {
    peer.socket.on('data', () => {
      if (peer.text.endsWith('X-T: 1\r\n\r\n')) peer.send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    });
  });
  const stage = await Stage.open({ route: routeTo(forward([target(backend.port)])) });
  const client = RawPeer.connect(stage.port);
  const request = `POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;
  for (const byte of request) client.send(byte);
  await client.reads('200 OK');
  const seen = backend.peers[0]!.text;
  assert.ok(seen.startsWith('POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n'), seen);
  assert.ok(seen.endsWith(`\r\n\r\n${body}`), seen);
  client.socket.destroy();
  await backend.close();
  await stage.close();
});

test('100-continue is asked of the backend and told to the client', async () => {
  const backend = await RawBackend.open((peer) => {
    peer.socket.on('data', () => {
      if (peer.text.endsWith('\r\n\r\n')) peer.send('HTTP/1.1 100 Continue\r\n\r\n');
      if (peer.text.endsWith('hello')) peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  const stage = await Stage.open({ route: routeTo(forward([target(backend.port)])) });
  const client = RawPeer.connect(stage.port);
  client.send('POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
  await client.reads('100 Continue\r\n\r\n');
  client.send('hello');
  await client.reads('\r\n\r\nok');
  assert.equal(client.ended, false);
  client.socket.destroy();
  await backend.close();
  await stage.close();
});

test('an answer that comes before the body is complete is forwarded, and the connection ends with it', async () => {
  const answer = 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno';
  const request = 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000\r\n\r\nabc';
  const { client, entry } = await exchange({ request, answer }, null);
  assert.equal(client, 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno');
  assert.equal(entry?.status, 413);
});

test('a large body goes both ways unchanged, with readers of any speed', async () => {
  const block = Buffer.alloc(1 << 20, 'smartproxy ');
  const backend = await RawBackend.open((peer) => {
    let got = 0;
    let head = -1;
    peer.socket.on('data', (chunk) => {
      got += chunk.length;
      if (head < 0) head = peer.text.indexOf('\r\n\r\n') + 4;
      if (got < head + 8 * block.length) return;
      peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${8 * block.length}\r\n\r\n`);
      for (let i = 0; i < 8; i++) peer.socket.write(block);
    });
  });
  const stage = await Stage.open({ route: routeTo(forward([target(backend.port)])) });
  const client = RawPeer.connect(stage.port);
  client.send(`POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${8 * block.length}\r\n\r\n`);
  for (let i = 0; i < 8; i++) client.socket.write(block);
  const whole = block.toString('latin1').repeat(8);
  await client.reads('200 OK');
  client.socket.pause();
  await new Promise((resolve) => setImmediate(resolve));
  client.socket.resume();
  await client.reads(block.toString('latin1'), 8);
  assert.ok(client.text.endsWith(`\r\n\r\n${whole}`));
  assert.ok(backend.peers[0]!.text.endsWith(`\r\n\r\n${whole}`));
  client.socket.destroy();
  await backend.close();
  await stage.close();
  const entry = stage.core.entries[0]!;
  assert.equal(entry.bytes.toClient, client.text.length);
  const head = `POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${8 * block.length}\r\n\r\n`;
  assert.equal(entry.bytes.fromClient, head.length + 8 * block.length);
});
