import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { scoped } from '../support/scoped.ts';
import { SkippingClock } from '../support/skipping-clock.ts';
import { acting, tcp } from './routes.ts';
import { Stage } from './stage.ts';
import { SynSwallower } from './syn-swallower.ts';

// L1, L2
test('a refused dial closes its own client, and the next one is served', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const dead = await stage.deadPort();
  const staged = await stage.proxy([tcp(dead, { name: 'dead' }), tcp(backend.port, { name: 'alive' })]);
  const client = stage.connect(staged.portOf('dead')).send('anybody there?');
  assert.equal(await client.ending(), 'fin');
  client.end();
  const { termination, target } = await staged.endedAs('connect-refused in dialing');
  assert.deepEqual([termination?.error?.code, termination?.initiator], ['ECONNREFUSED', 'target']);
  assert.deepEqual(target, { host: '127.0.0.1', port: dead });
  assert.equal(staged.active, 0);
  const next = stage.connect(staged.portOf('alive')).end('hello');
  await next.gets('hello');
  await staged.ended(2);
});

// L1, L2
test('many refused dials at once leave nothing', async (t) => {
  const stage = scoped(t, new Stage());
  const staged = await stage.proxy([tcp(await stage.deadPort())]);
  const clients = Array.from({ length: 200 }, () => stage.connect(staged.port));
  for (const client of clients) {
    await client.ending();
    client.end();
  }
  await staged.ended(200);
  assert.deepEqual(staged.reasons(), { 'connect-refused': 200 });
});

// L9
test('a client that resets, or ends without a byte, aborts the dial', async (t) => {
  const swallower = scoped(t, await SynSwallower.start());
  const stage = scoped(t, new Stage());
  const staged = await stage.proxy([tcp(swallower.port)]);
  const resetting = stage.connect(staged.port);
  await staged.inState('dialing');
  resetting.reset();
  await staged.endedAs('client-reset in dialing');
  const ending = stage.connect(staged.port);
  await staged.inState('dialing');
  ending.end();
  const { termination } = await staged.ended(2);
  assert.deepEqual([termination?.reason, termination?.phase], ['client-closed', 'dialing']);
  assert.equal(await ending.ending(), 'fin');
});

// L9
test('a client that resets after bytes aborts the dial too', async (t) => {
  const swallower = scoped(t, await SynSwallower.start());
  const stage = scoped(t, new Stage());
  const staged = await stage.proxy([tcp(swallower.port)]);
  const client = stage.connect(staged.port).send('request');
  await eventually('the bytes were read', () => staged.live[0]?.bytes.fromClient === 7);
  client.reset();
  const { bytes } = await staged.endedAs('client-reset in dialing');
  assert.equal(bytes.fromClient, 7);
});

// L9
test('clients that leave just as their dial completes leave no connection to the backend', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend(({ socket }) => socket.on('end', () => socket.end()));
  const staged = await stage.proxy([tcp(backend.port)]);
  const clients = Array.from({ length: 200 }, () => stage.connect(staged.port));
  await Promise.all(
    clients.map(async (client, index) => {
      await client.connected();
      if (index % 2 === 0) client.reset();
      else client.socket.destroy();
    }),
  );
  await staged.ended(200);
  await eventually('the backend has nobody', () => backend.peers.every(({ closed }) => closed));
  assert.equal(staged.active, 0);
});

// L9
test('a target function that answers after its client has left dials nobody', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const answer = Promise.withResolvers<string>();
  let aborted = false;
  const host = (context: { signal: AbortSignal }) => {
    context.signal.addEventListener('abort', () => {
      aborted = true;
    });
    return answer.promise;
  };
  const staged = await stage.proxy([tcp(0, { action: { target: { host, port: backend.port } } })]);
  const client = stage.connect(staged.port);
  await staged.inState('dialing');
  client.reset();
  await staged.endedAs('client-reset in dialing');
  assert.equal(aborted, true);
  answer.resolve('127.0.0.1');
  const second = stage.connect(staged.port);
  await backend.peer(0);
  assert.equal(backend.peers.length, 1);
  second.reset();
  await staged.ended(2);
});

// L10
test('a thousand clients of a backend that swallows SYNs all end by their connect deadline', async (t) => {
  const swallower = scoped(t, await SynSwallower.start());
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const staged = await stage.proxy(
    [tcp(swallower.port, { timeouts: { connectMs: 600_000 } })],
    {},
    { clock },
  );
  const clients = Array.from({ length: 1000 }, () => stage.connect(staged.port).send('x'));
  await staged.settled(1000);
  await eventually('all are dialing', () => staged.live.every(({ state }) => state === 'dialing'));
  clock.skip(601_000);
  for (const client of clients) {
    assert.equal(await client.ending(), 'fin');
    client.end();
  }
  await staged.ended(1000);
  assert.deepEqual(staged.reasons(), { 'connect-timeout': 1000 });
});

test('what a client sends during a dial is bounded, and all of it arrives', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const reached = Promise.withResolvers<string>();
  const staged = await stage.proxy([
    tcp(0, {
      limits: { pendingBytesPerConnection: 65_536 },
      action: { target: { host: () => reached.promise, port: backend.port } },
    }),
  ]);
  const request = Buffer.alloc(32 * 1024 * 1024, 'request ');
  const client = stage.connect(staged.port).send(request);
  await eventually('the proxy stops reading', () => (staged.live[0]?.bytes.fromClient ?? 0) >= 65_536);
  await eventually('the client waits', () => client.socket.writableNeedDrain);
  assert.ok((staged.live[0]?.bytes.fromClient ?? 0) <= 65_536 + 262_144);
  reached.resolve('127.0.0.1');
  const server = await backend.peer();
  client.end();
  assert.equal(await server.ending(), 'fin');
  assert.ok(server.received.equals(request));
  server.end();
  await staged.endedAs('client-closed');
});

test('of several targets a dead one is passed over, and the turns go by weight', async (t) => {
  const stage = scoped(t, new Stage());
  const [one, two] = [await stage.backend(), await stage.backend()];
  const targets = [
    { host: '127.0.0.1', port: await stage.deadPort() },
    { host: '127.0.0.1', port: one.port, weight: 2 },
    { host: '127.0.0.1', port: two.port },
  ];
  const staged = await stage.proxy([acting({ type: 'forward', targets }, { name: 'several' })]);
  const clients = Array.from({ length: 12 }, () => stage.connect(staged.port).send('x'));
  await eventually('every client has a server', () => one.peers.length + two.peers.length === 12);
  assert.ok(one.peers.length > two.peers.length && two.peers.length > 0);
  for (const client of clients) client.reset();
  await staged.ended(12);
  const dialled = staged.endings.flatMap(({ events }) => events.filter(({ what }) => what === 'dialing'));
  assert.ok(dialled.length > 12, 'the dead one was tried');
  assert.deepEqual(staged.reasons(), { 'client-reset': 12 });
});

test('when every target is dead the last failure is the reason', async (t) => {
  const stage = scoped(t, new Stage());
  const targets = [
    { host: '127.0.0.1', port: await stage.deadPort() },
    { socket: join(tmpdir(), 'smartproxy-nobody-listens-here.sock') },
  ];
  const staged = await stage.proxy([acting({ type: 'forward', targets })]);
  const client = stage.connect(staged.port).send('x');
  await client.ending();
  client.end();
  const { events } = await staged.ended();
  assert.equal(events.filter(({ what }) => what === 'dial-failed').length, 2);
});

test('a unix socket is a target like any other', async (t) => {
  const stage = scoped(t, new Stage());
  const folder = mkdtempSync(join(tmpdir(), 'smartproxy-dialing-'));
  const path = join(folder, 'backend.sock');
  const server = createServer((socket) => socket.pipe(socket)).listen(path);
  await once(server, 'listening');
  const staged = await stage.proxy([acting({ type: 'forward', target: { socket: path } })]);
  const client = stage.connect(staged.port).end('over a file');
  assert.equal(await client.ending(), 'fin');
  await client.gets('over a file');
  const { target } = await staged.endedAs('client-closed');
  assert.deepEqual(target, { host: path, port: 0 });
  server.close();
  await once(server, 'close');
  rmSync(folder, { recursive: true });
});

test('a target function is told of the connection, and may be asynchronous', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const seen: unknown[] = [];
  const target = {
    host: async ({ client, localPort, route, tls, connectionId }: Record<string, unknown>) => {
      seen.push({ client, localPort, route, tls, connectionId });
      return 'localhost';
    },
    port: () => backend.port,
  };
  const staged = await stage.proxy([acting({ type: 'forward', target } as never, { name: 'chosen' })]);
  const client = stage.connect(staged.port).end('hello');
  await client.gets('hello');
  const { id } = await staged.endedAs('client-closed');
  const port = (seen[0] as { client: { port: number } }).client.port;
  assert.deepEqual(seen, [
    {
      client: { ip: '127.0.0.1', port },
      localPort: staged.port,
      route: 'chosen',
      tls: false,
      connectionId: id,
    },
  ]);
});

test('a target function that throws, rejects or gives nonsense ends its own connection only', async (t) => {
  const stage = scoped(t, new Stage());
  const bad = [
    () => {
      throw new Error('thrown');
    },
    () => Promise.reject(new Error('rejected')),
    () => 'not a host/name',
    () => undefined as never,
    async () => 42 as never,
  ];
  const staged = await stage.proxy(
    bad.map((host, index) => tcp(0, { name: `bad-${index}`, action: { target: { host, port: 9 } } })),
  );
  for (const index of bad.keys()) {
    const client = stage.connect(staged.portOf(`bad-${index}`)).end();
    assert.equal(await client.ending(), 'fin');
    const { termination } = await staged.ended(index + 1);
    assert.deepEqual(
      [termination?.reason, termination?.phase, termination?.initiator],
      ['target-selection-failed', 'dialing', 'proxy'],
    );
    assert.notEqual(termination?.error, null);
  }
});

test('a target function that never answers has as long as a dial, and is the reason', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const never = new Promise<string>(() => {});
  const staged = await stage.proxy(
    [tcp(0, { timeouts: { connectMs: 60_000 }, action: { target: { host: () => never, port: 9 } } })],
    {},
    { clock },
  );
  const client = stage.connect(staged.port).send('x');
  await staged.inState('dialing');
  clock.skip(61_000);
  assert.equal(await client.ending(), 'fin');
  client.end();
  await staged.endedAs('target-selection-failed in dialing');
});

test('a name that does not exist is the name’s fault', async (t) => {
  const stage = scoped(t, new Stage());
  const staged = await stage.proxy([
    tcp(0, { action: { target: { host: 'does-not-exist.invalid', port: 9 } } }),
  ]);
  const client = stage.connect(staged.port).send('x');
  assert.equal(await client.ending(), 'fin');
  client.end();
  await staged.endedAs('dns-failed in dialing');
});
