import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { scoped } from '../support/scoped.ts';
import { SkippingClock } from '../support/skipping-clock.ts';
import { patternAt, patternBytes } from './pattern.ts';
import { tcp } from './routes.ts';
import { Stage } from './stage.ts';

// L4
test('a client that ends its half after the request gets the whole answer, and closed the connection', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const staged = await stage.proxy([tcp(backend.port)]);
  const client = stage.connect(staged.port).end('request');
  const server = await backend.peer();
  await server.gets('request');
  assert.equal(await server.ending(), 'fin');
  assert.equal((await staged.inState('half-closed')).clientEnded, true);
  server.end('answer');
  await client.gets('answer');
  assert.equal(await client.ending(), 'fin');
  const { bytes, targetEnded } = await staged.endedAs('client-closed in half-closed');
  assert.deepEqual({ bytes, targetEnded }, { bytes: { fromClient: 7, toClient: 6 }, targetEnded: true });
});

// L4
test('a client that sends its request and its FIN before the target is reached gets the whole answer', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const reached = Promise.withResolvers<string>();
  const staged = await stage.proxy([
    tcp(0, { action: { target: { host: () => reached.promise, port: backend.port } } }),
  ]);
  const client = stage.connect(staged.port).end('early request');
  await eventually('the FIN was read', () => staged.live[0]?.clientEnded === true);
  assert.equal(staged.live[0]?.state, 'dialing');
  reached.resolve('127.0.0.1');
  const server = await backend.peer();
  assert.equal(await server.ending(), 'fin');
  await server.gets('early request');
  server.end('answer');
  assert.equal(await client.ending(), 'fin');
  await client.gets('answer');
  await staged.endedAs('client-closed in half-closed');
});

test('a server that ends its half first closed the connection, and gets what the client still sends', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const staged = await stage.proxy([tcp(backend.port)]);
  const client = stage.connect(staged.port).send('1');
  const server = await backend.peer();
  server.end('goodbye');
  assert.equal(await client.ending(), 'fin');
  await client.gets('goodbye');
  client.end('2');
  assert.equal(await server.ending(), 'fin');
  await server.gets('12');
  await staged.endedAs('target-closed in half-closed');
});

// L5
test('a backend that sends 50 MB and closes, and a reader that stops for a while, lose no byte', async (t) => {
  const stage = scoped(t, new Stage());
  const size = 50 * 1024 * 1024;
  const backend = await stage.backend(({ socket }) => {
    let sent = 0;
    const send = (): void => {
      while (sent < size) {
        const chunk = patternBytes(sent, Math.min(256 * 1024, size - sent));
        sent += chunk.length;
        if (!socket.write(chunk)) return;
      }
      socket.end();
    };
    socket.on('drain', send);
    send();
  });
  const staged = await stage.proxy([tcp(backend.port)]);
  const client = stage.connect(staged.port);
  let wrong = 0;
  client.onBytes = (bytes) => {
    const at = client.receivedBytes - bytes.length;
    if (!bytes.equals(patternBytes(at, bytes.length))) wrong++;
  };
  await eventually('it has begun', () => client.receivedBytes > 0);
  client.socket.pause();
  const server = await backend.peer();
  const held = () => server.socket.bytesWritten - server.socket.writableLength - client.receivedBytes;
  let still = 0;
  let last = -1;
  await eventually('the backend waits, and nothing moves any more', () => {
    still = held() === last && server.socket.writableLength > 0 ? still + 1 : 0;
    last = held();
    return still > 20 || server.socket.writableEnded;
  });
  // What the kernel's buffers take on four sockets, and one relay buffer.
  assert.ok(held() < 40 * 1024 * 1024, `${held()} bytes are on their way`);
  assert.equal(server.socket.writableEnded, false);
  client.socket.resume();
  assert.equal(await client.ending(), 'fin');
  assert.deepEqual({ received: client.receivedBytes, wrong }, { received: size, wrong: 0 });
  assert.equal(patternAt(0), patternAt(251));
  client.end();
  const { bytes } = await staged.endedAs('target-closed');
  assert.equal(bytes.toClient, size);
});

// L7
test('a half-closed connection lives as long as the other half streams', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const backend = await stage.backend();
  const timeouts = { halfCloseMs: 100_000, inactivityMs: 0 };
  const staged = await stage.proxy([tcp(backend.port, { timeouts })], {}, { clock });
  const client = stage.connect(staged.port).end('subscribe');
  const server = await backend.peer();
  assert.equal(await server.ending(), 'fin');
  for (let count = 1; count <= 8; count++) {
    clock.skip(60_000);
    server.send('.');
    await eventually('the byte came', () => client.receivedBytes === count);
  }
  assert.deepEqual([staged.active, staged.live[0]?.state], [1, 'half-closed']);
  server.end();
  await staged.endedAs('client-closed in half-closed');
});

// L8
test('a half-closed connection whose other side falls silent is reset by its deadline', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const backend = await stage.backend();
  const staged = await stage.proxy(
    [tcp(backend.port, { timeouts: { halfCloseMs: 100_000 } })],
    {},
    { clock },
  );
  const client = stage.connect(staged.port).end('request');
  const server = await backend.peer();
  assert.equal(await server.ending(), 'fin');
  await staged.inState('half-closed');
  clock.skip(99_000);
  assert.equal(staged.active, 1);
  clock.skip(2_000);
  await staged.endedAs('half-close-timeout in half-closed');
  server.send('too late');
  await server.gone();
  // A RST after a FIN is EPIPE to whoever writes next.
  assert.match(server.error?.code ?? '', /^(EPIPE|ECONNRESET)$/);
  assert.equal(await client.ending(), 'reset');
});

// L13
test('a one-way upload without any reply is not idle', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const backend = await stage.backend();
  const staged = await stage.proxy(
    [tcp(backend.port, { timeouts: { inactivityMs: 100_000 } })],
    {},
    { clock },
  );
  const client = stage.connect(staged.port).send('.');
  const server = await backend.peer();
  for (let count = 2; count <= 10; count++) {
    clock.skip(60_000);
    client.send('.');
    await eventually('the byte came', () => server.receivedBytes === count);
  }
  assert.equal(staged.active, 1);
  clock.skip(101_000);
  await staged.endedAs('inactivity in established');
  assert.deepEqual([await client.ending(), await server.ending()], ['reset', 'reset']);
});

// L19
test('a reset on either side is a reset on the other', async (t) => {
  for (const from of ['client', 'target'] as const) {
    const stage = scoped(t, new Stage());
    const backend = await stage.backend();
    const staged = await stage.proxy([tcp(backend.port)]);
    const client = stage.connect(staged.port).send('half of a trans');
    const server = await backend.peer();
    await server.gets('half of a trans');
    const [dying, other] = from === 'client' ? [client, server] : [server, client];
    dying.reset();
    assert.equal(await other.ending(), 'reset');
    const { termination } = await staged.endedAs(`${from}-reset in established`);
    assert.deepEqual([termination?.initiator, termination?.error?.code], [from, 'ECONNRESET']);
    assert.deepEqual(staged.proxy.getStatistics().cleanup, { graceful: 0, forced: 1, orphaned: 0 });
  }
});

// L19
test('a reset of a half-closed connection is a reset on the other side too', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const staged = await stage.proxy([tcp(backend.port)]);
  const client = stage.connect(staged.port).end('request');
  const server = await backend.peer();
  assert.equal(await server.ending(), 'fin');
  server.send('half an ans');
  await client.gets('half an ans');
  server.reset();
  assert.equal(await client.ending(), 'reset');
  await staged.endedAs('target-reset in half-closed');
});
