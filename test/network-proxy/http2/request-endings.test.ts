import assert from 'node:assert/strict';
import type http from 'node:http';
import { test } from 'node:test';
import type { ResolvedTarget } from '../../../src/config/resolved.ts';
import { eventually } from '../../support/eventually.ts';
import { RawBackend } from '../raw-peer.ts';
import { forward, routeTo, target } from '../stage.ts';
import { Backend, FrameClient, FrameServer, frame, getRequest, Http2Stage, plainHead } from './stage.ts';

const post = [[':method', 'POST'], ...getRequest.slice(1)] as const;
const endStream = 1;
const endHeaders = 4;
const [data, headers, resetFrame] = [0, 1, 3];

/** What a whole request was, as a backend of Node's read it. */
interface Seen {
  method: string | undefined;
  body: string;
  trailers: Record<string, unknown>;
}

/** Answers with what it was asked, once the request is complete. */
async function echo(protocol: ResolvedTarget['protocol'], seen: Seen[] = []) {
  const tell = (method: string | undefined, body: string, trailers: object): void => {
    seen.push({ method, body, trailers: { ...trailers } });
  };
  if (protocol === 'http1') {
    return Backend.http1((request: http.IncomingMessage, response) => {
      let body = '';
      request.setEncoding('latin1').on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        tell(request.method, body, request.trailers);
        response.end('ok');
      });
    });
  }
  return Backend.http2((stream, fields) => {
    let body = '';
    let trailers = {};
    stream.setEncoding('latin1').on('data', (chunk) => {
      body += chunk;
    });
    stream.on('trailers', (last) => {
      trailers = { 'x-sum': last['x-sum'] };
    });
    stream.on('end', () => {
      if (stream.rstCode !== 0) return;
      tell(fields[':method'], body, trailers);
      stream.respond({ ':status': 200 });
      stream.end('ok');
    });
  });
}

/** The answer is complete. */
async function answered(client: FrameClient, stream = 1): Promise<void> {
  await eventually(
    () => `stream ${stream} is answered; resets ${JSON.stringify([...client.resets])}`,
    () => client.frames.some((one) => one.stream === stream && one.type <= headers && (one.flags & 1) === 1),
  );
}

/** Waits until a figure has grown, and then for a while has not. */
async function stalls(figure: () => number): Promise<void> {
  let last = 0;
  let looks = 0;
  await eventually('it stalls', () => {
    looks = figure() === last ? looks + 1 : 0;
    last = figure();
    return last > 65_536 && looks > 40;
  });
}

/** What follows a head at once, and what the backend must see of it. */
const endings: Record<string, { frames: Buffer[]; body: string; trailers: Record<string, unknown> }> = {
  'an empty frame': { frames: [frame(data, endStream, 1)], body: '', trailers: {} },
  'a frame with everything': {
    frames: [frame(data, endStream, 1, Buffer.from('hello'))],
    body: 'hello',
    trailers: {},
  },
  'a body and an empty frame': {
    frames: [frame(data, 0, 1, Buffer.from('hello')), frame(data, endStream, 1)],
    body: 'hello',
    trailers: {},
  },
  'trailers and no body': {
    frames: [frame(headers, endStream | endHeaders, 1, plainHead([['x-sum', '0']]))],
    body: '',
    trailers: { 'x-sum': '0' },
  },
  'a body and trailers': {
    frames: [
      frame(data, 0, 1, Buffer.from('hello')),
      frame(headers, endStream | endHeaders, 1, plainHead([['x-sum', '5']])),
    ],
    body: 'hello',
    trailers: { 'x-sum': '5' },
  },
};

for (const protocol of ['http1', 'http2'] as const) {
  for (const method of ['POST', 'GET', 'HEAD']) {
    // F3
    test(`a ${method} that ends right behind its head is whole for a backend of ${protocol}`, async () => {
      const seen: Seen[] = [];
      const backend = await echo(protocol, seen);
      const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port, { protocol })])) });
      const client = new FrameClient(stage.port);
      const names = Object.keys(endings);
      for (const [index, { frames, body, trailers }] of Object.values(endings).entries()) {
        const stream = 1 + 2 * index;
        const own = frames.map((one) => {
          const copy = Buffer.from(one);
          copy.writeUInt32BE(stream, 5);
          return copy;
        });
        const head = [[':method', method], ...getRequest.slice(1)] as [string, string][];
        client.send(frame(headers, endHeaders, stream, plainHead(head)), ...own);
        await answered(client, stream);
        assert.deepEqual(seen.at(-1), { method, body, trailers }, names[index]);
      }
      client.socket.destroy();
      await stage.close();
      await backend.close();
    });
  }

  // F3
  test(`a request that ends while it waits for a connection is whole for ${protocol}`, async () => {
    const seen: Seen[] = [];
    const backend = await echo(protocol, seen);
    const pool = { maxConnections: 1, maxWaiting: 10 };
    const stage = await Http2Stage.open({
      route: routeTo(forward([target(backend.port, { protocol })])),
      pool,
    });
    const client = new FrameClient(stage.port);
    client.send(frame(headers, endHeaders, 1, plainHead(post)));
    // By HTTP/2 a connection is waited for only until it is open: none of them waits for another.
    if (protocol === 'http1')
      await eventually('the only connection is busy', () => stage.core.pools.statistics[0]?.busy === 1);
    for (const [index, { frames }] of Object.values(endings).entries()) {
      client.send(frame(headers, endHeaders, 3 + 2 * index, plainHead(post)));
      for (const one of frames) {
        const own = Buffer.from(one);
        own.writeUInt32BE(3 + 2 * index, 5);
        client.send(own);
      }
    }
    await eventually('all have come', () => stage.core.forwarder.requests === 6);
    client.send(frame(data, endStream, 1));
    for (let stream = 1; stream <= 11; stream += 2) await answered(client, stream);
    const expected = Object.values(endings).map(({ body, trailers }) => ({ method: 'POST', body, trailers }));
    const first = { method: 'POST', body: '', trailers: {} };
    assert.deepEqual(seen.map(textOf).sort(), [first, ...expected].map(textOf).sort());
    client.socket.destroy();
    await stage.close();
    await backend.close();
  });

  for (const code of [0, 8]) {
    // H7
    test(`a request that is reset with ${code} at any moment is never whole for ${protocol}`, async () => {
      const seen: Seen[] = [];
      const backend = await echo(protocol, seen);
      const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port, { protocol })])) });
      const client = new FrameClient(stage.port);
      const reset = (stream: number): Buffer => frame(resetFrame, 0, stream, Buffer.from([0, 0, 0, code]));
      const head = (stream: number): Buffer => frame(headers, endHeaders, stream, plainHead(post));
      const half = (stream: number): Buffer => frame(data, 0, stream, Buffer.from('half'));
      const busy = (): number => stage.core.pools.statistics[0]?.busy ?? 0;
      const over = (count: number): Promise<void> =>
        eventually(`${count} are over`, () => stage.core.entries.length === count && busy() === 0);
      client.send(head(1), reset(1), head(3), half(3), reset(3));
      await over(2);
      client.send(head(5));
      await eventually('the request has a connection', () => busy() === 1);
      client.send(half(5), reset(5));
      await over(3);
      assert.deepEqual(
        stage.core.entries.map(({ error }) => error),
        ['client-reset', 'client-reset', 'client-reset'],
      );
      // What came to the backend before it is there once a later request is answered.
      client.send(head(7), frame(data, endStream, 7));
      await answered(client, 7);
      assert.deepEqual(seen, [{ method: 'POST', body: '', trailers: {} }]);
      client.socket.destroy();
      await stage.close();
      await backend.close();
    });

    // H7
    test(`a reset with ${code} is heard while the body waits for a backend of ${protocol}`, async () => {
      const nobody = (): void => {};
      const backend = await (protocol === 'http1' ? Backend.http1(nobody) : Backend.http2(nobody));
      const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port, { protocol })])) });
      const client = stage.connect();
      const stream = client.session.request({ ':authority': 'a.test', ':method': 'POST' });
      stream.on('error', () => {});
      stream.write(Buffer.alloc(30_000_000));
      await stalls(() => stage.records[0]?.client.bytesRead ?? 0);
      stream.close(code);
      await eventually('the request is over', () => stage.core.entries.length === 1);
      assert.equal(stage.core.entries[0]?.error, 'client-reset');
      client.destroy();
      await stage.close();
      await backend.close();
    });
  }
}

function textOf(seen: Seen): string {
  return JSON.stringify(seen);
}

// H8
test('a request without a byte of body is whole when it is sent again', async () => {
  const raw = await RawBackend.open((peer, number) => {
    peer.socket.on('data', () => {
      if (!peer.text.endsWith('\r\n\r\n')) return;
      if (number === 1 && peer.text.startsWith('POST')) peer.socket.destroy();
      else peer.send('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  const stage = await Http2Stage.open({ route: routeTo(forward([target(raw.port)])) });
  const client = new FrameClient(stage.port);
  client.send(frame(headers, endHeaders | endStream, 1, plainHead(getRequest)));
  await answered(client);
  const put = [[':method', 'PUT'], ...getRequest.slice(1)] as const;
  client.send(frame(headers, endHeaders, 3, plainHead(put)), frame(data, endStream, 3));
  await answered(client, 3);
  client.socket.destroy();
  await stage.close();
  await raw.close();
});

// H7
test('an answer that its backend resets with NO_ERROR is not made to look whole', async () => {
  const backend = await FrameServer.open((peer) => {
    peer.onRequest = (stream) => {
      peer.send(
        frame(headers, endHeaders, stream, Buffer.from([0x88])),
        frame(data, 0, stream, Buffer.from('half')),
        frame(resetFrame, 0, stream, Buffer.alloc(4)),
      );
    };
  });
  const stage = await Http2Stage.open({
    route: routeTo(forward([target(backend.port, { protocol: 'http2' })])),
  });
  const client = new FrameClient(stage.port);
  client.send(frame(headers, endHeaders | endStream, 1, plainHead(getRequest)));
  await eventually('the stream is over', () => client.resets.has(1) || stage.core.entries.length === 1);
  assert.equal(
    client.frames.some(({ type, flags }) => type === data && (flags & 1) === 1),
    false,
  );
  await eventually('the stream is reset', () => client.resets.has(1));
  client.socket.destroy();
  await stage.close();
  await backend.close();
});

/** A client whose request waits in the middle of its body, for a window that its backend does not open. */
async function openStuckUpload() {
  const backend = await FrameServer.open(() => {});
  const route = routeTo(forward([target(backend.port, { protocol: 'http2' })]));
  const stage = await Http2Stage.open({ route });
  const client = stage.connect();
  const answer = client.request({ ':method': 'POST' }, Buffer.alloc(200_000));
  await eventually('its window is full', () => backend.peers[0]?.bodyOf(1).length === 65_535);
  const close = async (): Promise<void> => {
    await client.close();
    await stage.close();
    await backend.close();
  };
  return { peer: backend.peers[0]!, answer, close };
}

// H7
test('a backend that resets an answer without an error while a body waits cuts it', async () => {
  const { peer, answer, close } = await openStuckUpload();
  assert.equal(peer.requests, 1);
  const cut = assert.rejects(answer);
  peer.send(
    frame(1, 4, 1, Buffer.from([0x88])),
    frame(0, 0, 1, Buffer.from('half')),
    frame(3, 0, 1, Buffer.alloc(4)),
  );
  await cut;
  await close();
});

// H7
test('a backend that resets a request without an error, answer or need of its body is heard', async () => {
  const { peer, answer, close } = await openStuckUpload();
  peer.send(frame(resetFrame, 0, 1, Buffer.alloc(4)));
  assert.equal((await answer).status, 502);
  await close();
});
