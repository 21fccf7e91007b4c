import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { RawBackend, RawPeer } from '../raw-peer.ts';
import { forward, routeTo, Stage, target } from '../stage.ts';

const get = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

function reasonsOf(stage: Stage): string[] {
  return stage.core.manager.terminations(100).map((record) => record.termination?.reason ?? '');
}

async function stageFor(backend: RawBackend): Promise<Stage> {
  return Stage.open({ route: routeTo(forward([target(backend.port)])) });
}

// H6
test('pipelined requests are answered in order, one at a time', async () => {
  const backend = await RawBackend.answering((request) => {
    const path = request.split(' ')[1]!;
    return `HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`;
  });
  const stage = await stageFor(backend);
  const client = RawPeer.connect(stage.port);
  const paths = Array.from({ length: 200 }, (_, index) => `/${index}`);
  client.send(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`).join(''));
  await client.reads('HTTP/1.1 200 OK', 200);
  await client.reads('\r\n\r\n/199');
  assert.deepEqual(
    client.text.match(/\r\n\r\n\/\d+/g)?.map((text) => text.slice(4)),
    paths,
  );
  assert.equal(backend.peers.length, 1);
  client.socket.destroy();
  await backend.close();
  await stage.close();
});

// H6
test('answers that nobody reads are not piled up', async () => {
  const body = 'x'.repeat(100_000);
  const route = routeTo({ type: 'respond', status: 200, headers: {}, body });
  const stage = await Stage.open({ route });
  const client = RawPeer.connect(stage.port);
  client.socket.pause();
  client.send(get.repeat(500));
  const pending = () => Math.max(0, ...stage.core.manager.live().map((record) => record.client.pendingBytes));
  await eventually('the client’s window is full', () => pending() > 0);
  const { requests } = stage.core.forwarder;
  assert.ok(requests < 500 && pending() <= body.length + 1_000, `${requests} requests, ${pending()} bytes`);
  client.socket.resume();
  await client.reads(body, 500);
  client.socket.destroy();
  await stage.close();
});

// H6
test('pipelined requests whose client leaves release everything', async () => {
  const backend = await RawBackend.answering((_request, number) => (number < 3 ? ok : null));
  const stage = await stageFor(backend);
  for (const leave of ['destroy', 'resetAndDestroy'] as const) {
    const client = RawPeer.connect(stage.port);
    client.send(get.repeat(20));
    await client.reads(ok, 2);
    client.socket[leave]();
  }
  await eventually('no connection is left', () => stage.core.manager.size === 0);
  await eventually('the backend heard of it', () =>
    backend.peers.every(({ closed, ended }) => closed || ended),
  );
  await backend.close();
  await stage.close();
});

// H6
test('what was asked before a FIN is answered, and then the connection ends', async () => {
  const backend = await RawBackend.answering(() => ok);
  const stage = await stageFor(backend);
  const client = RawPeer.connect(stage.port);
  client.send(get.repeat(3));
  client.socket.end();
  await client.closes();
  assert.equal(client.text.split('HTTP/1.1 200 OK').length, 4);
  assert.match(client.text, /Connection: close\r\n\r\nok$/);
  await backend.close();
  await stage.close();
  assert.deepEqual(reasonsOf(stage), ['client-closed']);
});

// H7
test('a client that resets in mid-answer ends the backend’s work at once', async () => {
  const backend = await RawBackend.open((peer) => {
    peer.socket.once('data', () => peer.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'));
  });
  const stage = await stageFor(backend);
  const client = RawPeer.connect(stage.port);
  client.send(get);
  await client.reads('half');
  client.socket.resetAndDestroy();
  await eventually('the backend sees a reset', () => backend.peers[0]!.error === 'ECONNRESET');
  await backend.close();
  await stage.close();
  assert.deepEqual(reasonsOf(stage), ['client-reset']);
  assert.equal(stage.core.entries[0]?.error, 'client-reset');
});

// H7
test('a backend that dies in mid-body never makes an answer look whole', async () => {
  const heads = ['Content-Length: 100\r\n\r\nhalf', 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'];
  for (const head of heads) {
    for (const how of ['destroy', 'resetAndDestroy'] as const) {
      const backend = await RawBackend.open((peer) => {
        peer.socket.once('data', () => {
          peer.socket.write(`HTTP/1.1 200 OK\r\n${head}`, () => setImmediate(() => peer.socket[how]()));
        });
      });
      const stage = await stageFor(backend);
      const client = RawPeer.connect(stage.port);
      client.send(get);
      await eventually('the client sees a reset', () => client.error === 'ECONNRESET');
      assert.equal(client.ended, false, 'no FIN');
      await backend.close();
      await stage.close();
      assert.match(stage.core.entries[0]?.error ?? '', /^target-(closed|reset)$/);
    }
  }
});

// H7
test('a client that leaves in mid-upload resets the backend', async () => {
  const backend = await RawBackend.open(() => {});
  const stage = await stageFor(backend);
  const client = RawPeer.connect(stage.port);
  client.send('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100\r\n\r\nhalf');
  await eventually('the half arrives', () => backend.peers[0]?.text.endsWith('half') === true);
  client.socket.end();
  await eventually('the backend sees a reset', () => backend.peers[0]!.error === 'ECONNRESET');
  await backend.close();
  await stage.close();
});

// H8
test('a connection that the backend closed as it was reused costs a safe request nothing', async () => {
  const backend = await RawBackend.open((peer, number) => {
    let requests = 0;
    peer.socket.on('data', () => {
      if (++requests === 1 || number > 1) peer.send(ok);
      else peer.socket.resetAndDestroy();
    });
  });
  const stage = await stageFor(backend);
  const client = RawPeer.connect(stage.port);
  client.send(get);
  await client.reads(ok);
  client.send(get);
  await client.reads(ok, 2);
  assert.equal(backend.peers.length, 2);
  client.socket.destroy();
  await backend.close();
  await stage.close();
  assert.deepEqual(
    stage.core.entries.map(({ status, retried }) => ({ status, retried })),
    [
      { status: 200, retried: false },
      { status: 200, retried: true },
    ],
  );
});

// H8
test('a request that may have been worked on is not repeated', async () => {
  const cases: [request: string, answerPart: string][] = [
    ['POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n', ''],
    ['PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nxy', ''],
    [get, 'HTTP/1.1 2'],
  ];
  for (const [request, answerPart] of cases) {
    const backend = await RawBackend.open((peer) => {
      let requests = 0;
      peer.socket.on('data', () => {
        if (++requests === 1) return peer.send(ok);
        peer.send(answerPart);
        setImmediate(() => peer.socket.end());
      });
    });
    const stage = await stageFor(backend);
    const client = RawPeer.connect(stage.port);
    client.send(get);
    await client.reads(ok);
    client.send(request);
    await client.reads('HTTP/1.1 502 Bad Gateway');
    assert.equal(backend.peers.length, 1);
    client.socket.destroy();
    await backend.close();
    await stage.close();
    assert.equal(stage.core.entries[1]?.retried, false);
  }
});

// H8
test('a repeated request that fails again is a 502', async () => {
  const backend = await RawBackend.open((peer, number) => {
    let requests = 0;
    peer.socket.on('data', () => {
      if (number === 1 && ++requests === 1) peer.send(ok);
      else peer.socket.resetAndDestroy();
    });
  });
  const stage = await stageFor(backend);
  const client = RawPeer.connect(stage.port);
  client.send(get);
  await client.reads(ok);
  client.send(get);
  await client.reads('HTTP/1.1 502 Bad Gateway');
  assert.equal(backend.peers.length, 2);
  client.socket.destroy();
  await backend.close();
  await stage.close();
});

// H9
test('a backend’s connection that speaks while nobody asks is never used again', async () => {
  const backend = await RawBackend.open((peer, number) => {
    peer.socket.on('data', () => peer.send(number === 1 ? ok : ok.replace('ok', 'ko')));
  });
  const stage = await stageFor(backend);
  const client = RawPeer.connect(stage.port);
  client.send(get);
  await client.reads(ok);
  backend.peers[0]!.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
  await eventually('it is reset', () => backend.peers[0]!.closed);
  client.send(get);
  await client.reads('ko');
  assert.doesNotMatch(client.text, /evil/);
  client.socket.destroy();
  await backend.close();
  await stage.close();
});

// H9
test('bytes behind an answer end the backend’s connection, not the client’s', async () => {
  const backend = await RawBackend.answering(() => `${ok}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`);
  const stage = await stageFor(backend);
  const client = RawPeer.connect(stage.port);
  client.send(get.repeat(2));
  await client.reads(ok, 2);
  assert.doesNotMatch(client.text, /evil/);
  assert.equal(backend.peers.length, 2);
  client.socket.destroy();
  await backend.close();
  await stage.close();
});

test('a malformed request is answered and never reaches a backend', async () => {
  const backend = await RawBackend.answering(() => ok);
  const cases: [text: string, status: number][] = [
    ['GET / HTTP/1.1\r\n\r\n', 400],
    ['GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(5000)}\r\n\r\n`, 431],
    [`GET /${'x'.repeat(5000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
    ['BREW / HTTP/1.1\r\nHost: a\r\n\r\n', 501],
    ['CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n', 501],
    ['GET / HTTP/2.0\r\nHost: a\r\n\r\n', 505],
  ];
  const stage = await Stage.open({ route: routeTo(forward([target(backend.port)])), headerBytes: 4096 });
  for (const [text, status] of cases) {
    const client = RawPeer.connect(stage.port);
    client.send(text);
    await client.closes();
    assert.match(
      client.text,
      new RegExp(`^HTTP/1.1 ${status} .*Connection: close\r\n\r\n${status} `, 's'),
      text,
    );
    assert.match(client.text, /Request: \S+-1\n$/);
  }
  assert.equal(backend.peers.length, 0);
  await backend.close();
  await stage.close();
  assert.equal(reasonsOf(stage).filter((reason) => reason === 'invalid-request').length, cases.length - 1);
});

// H5
test('a malformed HEAD is told so without content, which would be taken for the next answer', async () => {
  const stage = await Stage.open({ route: routeTo({ type: 'block', how: 'close' }) });
  const client = RawPeer.connect(stage.port);
  client.send('HEAD / HTTP/1.1\r\nHost: a.test\r\nX : y\r\n\r\n');
  await client.closes();
  assert.match(client.text, /^HTTP\/1\.1 400 Bad Request\r\n.*Content-Length: [1-9]\d*\r\n.*\r\n\r\n$/s);
  await stage.close();
});

test('a malformed chunk ends the request on both sides', async () => {
  const backend = await RawBackend.open(() => {});
  const stage = await stageFor(backend);
  const client = RawPeer.connect(stage.port);
  client.send('POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n');
  await eventually('the first chunk arrives', () => backend.peers[0]?.text.endsWith('a\r\n') === true);
  client.send('nonsense\r\n');
  await client.closes();
  assert.match(client.text, /^HTTP\/1\.1 400 Bad Request/);
  await eventually('the backend sees a reset', () => backend.peers[0]!.error === 'ECONNRESET');
  await backend.close();
  await stage.close();
  assert.equal(stage.core.entries[0]?.error, 'chunk-size');
});

test('what a backend says wrongly is a 502 without its words', async () => {
  const answers = [
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
    'nothing but nonsense\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
  ];
  for (const answer of answers) {
    const backend = await RawBackend.answering(() => answer);
    const stage = await stageFor(backend);
    const client = RawPeer.connect(stage.port);
    client.send(get);
    const text = await client.reads('Request: ');
    assert.match(text, /^HTTP\/1\.1 502 Bad Gateway/);
    assert.equal(client.ended, false, 'the client may ask again');
    client.socket.destroy();
    await backend.close();
    await stage.close();
    assert.equal(stage.core.entries[0]?.error, 'invalid-response');
  }
});

test('a backend that refuses is a 502, and the next target is tried before that', async () => {
  const closed = await RawBackend.open(() => {});
  const deadPort = closed.port;
  await closed.close();
  const backend = await RawBackend.answering(() => ok);
  const dead = await Stage.open({ route: routeTo(forward([target(deadPort)])) });
  const client = RawPeer.connect(dead.port);
  client.send(get);
  await client.reads('HTTP/1.1 502 Bad Gateway');
  client.socket.destroy();
  await dead.close();
  assert.equal(dead.core.entries[0]?.error, 'connect-refused');

  const stage = await Stage.open({ route: routeTo(forward([target(deadPort), target(backend.port)])) });
  const second = RawPeer.connect(stage.port);
  second.send(get.repeat(4));
  await second.reads(ok, 4);
  second.socket.destroy();
  await backend.close();
  await stage.close();
});
