import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { SkippingClock } from '../../support/skipping-clock.ts';
import { forward, routeTo, target } from '../stage.ts';
import { Backend, FrameClient, frame, getRequest, Http2Stage, plainHead } from './stage.ts';

const calmDown = 11;
const get = plainHead(getRequest);
const malformed = plainHead([...getRequest, ['connection', 'x']]);
const cancel = Buffer.from([0, 0, 0, 8]);
const times = (count: number, make: (index: number) => Buffer): Buffer<ArrayBuffer> =>
  Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));

/** Each attack, and what may be said to it. */
const attacks: Record<string, { send: (client: FrameClient) => void; codes: number[] }> = {
  'rapid reset': {
    send: (client) =>
      client.send(
        times(3000, (i) => Buffer.concat([frame(1, 5, 1 + 2 * i, get), frame(3, 0, 1 + 2 * i, cancel)])),
      ),
    codes: [calmDown],
  },
  'rapid reset without an error': {
    send: (client) =>
      client.send(
        times(3000, (i) =>
          Buffer.concat([frame(1, 5, 1 + 2 * i, get), frame(3, 0, 1 + 2 * i, Buffer.alloc(4))]),
        ),
      ),
    codes: [calmDown],
  },
  'requests that break a rule': {
    send: (client) => client.send(times(3000, (i) => frame(1, 5, 1 + 2 * i, malformed))),
    codes: [calmDown, 1, 2],
  },
  'heads in endless CONTINUATION frames': {
    send: (client) =>
      client.send(
        frame(1, 1, 1, get),
        times(1000, () => frame(9, 0, 1)),
      ),
    codes: [1, 2, calmDown],
  },
  PING: {
    send: (client) => client.send(times(3000, () => frame(6, 0, 0, Buffer.alloc(8)))),
    codes: [calmDown, 2],
  },
  SETTINGS: { send: (client) => client.send(times(3000, () => frame(4, 0, 0))), codes: [calmDown, 2] },
  'empty DATA': {
    send: (client) =>
      client.send(
        frame(1, 4, 1, plainHead([...getRequest])),
        times(3000, () => frame(0, 0, 1)),
      ),
    codes: [calmDown, 1, 2],
  },
  PRIORITY: {
    send: (client) =>
      client.send(times(200_000, (i) => frame(2, 0, 1 + 2 * (i % 50), Buffer.from([0, 0, 0, 0, 10])))),
    codes: [calmDown],
  },
  WINDOW_UPDATE: {
    send: (client) => client.send(times(200_000, () => frame(8, 0, 0, Buffer.from([0, 0, 0, 1])))),
    codes: [calmDown],
  },
  'frames of unknown types': {
    send: (client) => client.send(times(200_000, () => frame(0xee, 0, 0, Buffer.alloc(8)))),
    codes: [calmDown],
  },
};

for (const [name, { send, codes }] of Object.entries(attacks)) {
  // F1
  test(`a flood of ${name} ends its own connection only`, async () => {
    const backend = await Backend.http1((_, response) => response.end('ok'));
    const clock = new SkippingClock();
    const stage = await Http2Stage.open({ clock, route: routeTo(forward([target(backend.port)])) });
    const other = stage.connect();
    assert.equal((await other.request()).body, 'ok');
    const attacker = new FrameClient(stage.port);
    await eventually('the session is served', () => stage.records.length === 2);
    send(attacker);
    const record = stage.records[1]!;
    await eventually(
      () => `the connection ends (${record.state}, ${JSON.stringify(attacker.goaways)})`,
      () => {
        if (record.client.bytesRead > 1_000_000) clock.skip(1000);
        return record.termination !== null;
      },
    );
    assert.equal(record.termination?.reason, 'protocol-abuse', record.termination?.error?.message);
    await eventually('the attacker is told', () => attacker.goaways.length > 0 || attacker.closed);
    for (const code of attacker.goaways) assert.ok(codes.includes(code), `GOAWAY ${code}`);
    await eventually('the attacker is closed', () => attacker.closed);
    assert.equal((await other.request()).body, 'ok');
    await other.close();
    await stage.close();
    await backend.close();
  });
}

// F1
test('what browsers and gRPC do in bursts is no flood', async () => {
  const backend = await Backend.http1((request, response) => {
    if (request.url !== '/slow') response.end('ok');
  });
  const stage = await Http2Stage.open({ route: routeTo(forward([target(backend.port)])) });
  const client = stage.connect();
  // Somebody leaves a page that loads 100 things, twice.
  for (let page = 0; page < 2; page++) {
    const streams = Array.from({ length: 100 }, () =>
      client.session.request({ ':path': '/slow', ':authority': 'a.test' }),
    );
    for (const stream of streams) {
      stream.on('error', () => {});
      // Once the session is open it has its number at once, and nothing tells that it is ready.
      if (stream.pending) stream.on('ready', () => stream.close(8));
      else stream.close(8);
    }
    await eventually('every stream is closed', () => streams.every((stream) => stream.destroyed));
  }
  // A PING for each round trip, and a change of the window for each answer.
  for (let i = 0; i < 200; i++) {
    const pinged = new Promise((resolve) => client.session.ping(resolve));
    assert.equal((await client.request()).body, 'ok');
    await pinged;
  }
  await client.close();
  assert.equal(await stage.reason(), 'client-closed');
  await stage.close();
  await backend.close();
});

// F1
test('bodies that come after their requests were answered are no flood, as long as they were allowed', async () => {
  const clock = new SkippingClock();
  const backend = await Backend.http1((_, response) => response.end('ok'));
  const { port } = backend;
  await backend.close();
  const stage = await Http2Stage.open({ clock, route: routeTo(forward([target(port)])) });
  const client = new FrameClient(stage.port);
  const streams = Array.from({ length: 16 }, (_, index) => 1 + 2 * index);
  const post = plainHead([...getRequest].map(([name, value]) => [name, name === ':method' ? 'POST' : value]));
  for (const stream of streams) client.send(frame(1, 4, stream, post));
  await eventually('every request is answered', () => client.resets.size === streams.length);
  const [record] = stage.records;
  const inspected = async (): Promise<void> => {
    for (let look = 0; look < 3; look++) {
      clock.skip(1_100);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await inspected();
  const body = frame(0, 0, 1, Buffer.alloc(16_000));
  const sendBodies = async (count: number): Promise<void> => {
    const before = record!.client.bytesRead;
    const bodies = Array.from({ length: count }, (_, index) => {
      const bytes = Buffer.from(body);
      bytes.writeUInt32BE(streams[index % streams.length]!, 5);
      return bytes;
    });
    client.send(...bodies);
    const isRead = () =>
      record!.client.bytesRead - before >= count * body.length || record!.termination !== null;
    await eventually('all of it is read', isRead);
    await inspected();
  };
  // A window of 256 KiB each: 16 of its frames.
  await sendBodies(8 * streams.length);
  await sendBodies(8 * streams.length);
  assert.deepEqual([client.goaways, record!.termination], [[], null]);
  await sendBodies(8 * streams.length);
  await eventually('what was never allowed is too much', () => record!.termination !== null);
  assert.equal(record!.termination?.reason, 'protocol-abuse');
  await eventually('the client is closed', () => client.closed);
  await stage.close();
});

// F1
test('bodies that nobody reads, as their requests are answered before, are no flood', async () => {
  const gone = await Backend.http1(() => {});
  const { port } = gone;
  await gone.close();
  const clock = new SkippingClock();
  const stage = await Http2Stage.open({ clock, route: routeTo(forward([target(port)])) });
  const client = stage.connect();
  for (let i = 0; i < 30; i++) {
    const answer = await client.request({ ':method': 'POST' }, Buffer.alloc(60_000));
    assert.equal(answer.status, 502);
  }
  clock.skip(1000);
  assert.equal((await client.request()).status, 502);
  await client.close();
  assert.equal(await stage.reason(), 'client-closed');
  await stage.close();
});

// F1
test('bodies of streams that are refused while a session drains are no flood', async () => {
  const clock = new SkippingClock();
  const backend = await Backend.http1(() => {});
  const stage = await Http2Stage.open({ clock, route: routeTo(forward([target(backend.port)])) });
  const client = new FrameClient(stage.port);
  client.send(frame(1, 5, 1, get));
  await eventually('a request is under way', () => stage.core.pools.statistics[0]?.busy === 1);
  stage.http2.drain();
  await eventually('the client is told', () => client.goaways.length === 1);
  const body = frame(0, 0, 0, Buffer.alloc(16_000));
  for (let stream = 3; stream < 43; stream += 2) {
    body.writeUInt32BE(stream, 5);
    client.send(frame(1, 4, stream, get), ...Array.from({ length: 8 }, () => body));
  }
  await eventually('all are refused', () => client.resets.size === 20);
  const [record] = stage.records;
  await eventually('all is read', () => record!.client.bytesRead > 20 * 8 * body.length);
  clock.skip(1100);
  clock.skip(1100);
  assert.deepEqual([client.goaways, record!.termination], [[0], null]);
  client.socket.destroy();
  await stage.close();
  await backend.close();
});
