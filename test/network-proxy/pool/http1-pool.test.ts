import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../../src/base/clock.ts';
import type { ResolvedTargetTls } from '../../../src/config/resolved.ts';
import { type BackendSpec, keyOf } from '../../../src/network-proxy/pool/backend-spec.ts';
import type { SecureClient } from '../../../src/network-proxy/pool/connecting.ts';
import { watch } from '../../connection/table.ts';
import { eventually } from '../../support/eventually.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { RawBackend, RawPeer } from '../raw-peer.ts';
import { forward, MemoryStage, routeTo, Stage, target } from '../stage.ts';

const get = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

const tls: ResolvedTargetTls = { ca: null, certFile: null, keyFile: null, serverName: null, verify: true };
const base: BackendSpec = {
  endpoint: { host: '10.0.0.1', port: 443 },
  protocol: 'http1',
  tls,
  proxyHeader: null,
};

// H12
test('whatever makes two connections differ makes their pools differ', () => {
  const variants: BackendSpec[] = [
    base,
    { ...base, endpoint: { host: '10.0.0.1', port: 444 } },
    { ...base, endpoint: { host: '10.0.0.2', port: 443 } },
    { ...base, endpoint: { socket: '10.0.0.1' } },
    { ...base, endpoint: { host: '10.0.0.1', port: 443, dns: 'resolver' } },
    { ...base, protocol: 'http2' },
    { ...base, protocol: 'auto' },
    { ...base, tls: null },
    { ...base, tls: { ...tls, serverName: 'a.test' } },
    { ...base, tls: { ...tls, serverName: 'b.test' } },
    { ...base, tls: { ...tls, verify: false } },
    { ...base, tls: { ...tls, ca: 'ca.pem' } },
    { ...base, tls: { ...tls, certFile: 'a.pem', keyFile: 'a.key' } },
    { ...base, proxyHeader: Buffer.from('PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n') },
    { ...base, proxyHeader: Buffer.from('PROXY TCP4 1.1.1.1 2.2.2.2 2 2\r\n') },
  ];
  assert.equal(new Set(variants.map(keyOf)).size, variants.length);
  assert.equal(keyOf({ ...base, tls: { ...tls } }), keyOf(base));
  assert.equal(keyOf({ ...base, tls: { ...tls, serverName: '10.0.0.1' } }), keyOf(base));
});

// H12
test('requests with different client addresses in the PROXY header never share a connection', async () => {
  const backend = await RawBackend.answering(() => ok);
  const action = forward([target(backend.port)], {}, { sendProxyProtocol: 1 });
  const stage = await Stage.open({ route: routeTo(action) });
  const clients = [RawPeer.connect(stage.port), RawPeer.connect(stage.port)];
  for (const client of clients) {
    client.send(get.repeat(2));
    await client.reads(ok, 2);
  }
  assert.equal(backend.peers.length, 2);
  backend.peers.forEach((peer, index) => {
    const port = clients[index]!.socket.localPort;
    assert.match(peer.text, new RegExp(`^PROXY TCP4 127.0.0.1 127.0.0.1 ${port} 80\r\nGET / `));
    assert.equal(peer.text.split('PROXY').length, 2);
  });
  for (const client of clients) client.socket.destroy();
  await backend.close();
  await stage.close();
});

// H12
test('TLS is spoken with the target that asks for it, after the PROXY header', async () => {
  const backend = await RawBackend.answering(() => ok);
  const asked: (string | null)[] = [];
  const secure: SecureClient = (transport, spec, handlers) => {
    asked.push(spec.tls?.serverName ?? null);
    const timer = systemClock.setImmediate(() => handlers.onSecured(transport, null));
    return { abort: () => timer.cancel() };
  };
  const targets = ['a.test', 'b.test'].map((serverName) =>
    target(backend.port, { tls: { ...tls, serverName } }),
  );
  const stage = await Stage.open({ route: routeTo(forward(targets)), secure });
  const client = RawPeer.connect(stage.port);
  client.send(get.repeat(4));
  await client.reads(ok, 4);
  assert.deepEqual(asked, ['a.test', 'b.test']);
  client.socket.destroy();
  await backend.close();
  await stage.close();
});

test('a TLS handshake that fails is a 502', async () => {
  const backend = await RawBackend.answering(() => ok);
  const secure: SecureClient = (transport, _spec, handlers) => {
    const timer = systemClock.setImmediate(() => {
      transport.destroy();
      handlers.onFailed(new Error('self-signed certificate'));
    });
    return { abort: () => timer.cancel() };
  };
  const stage = await Stage.open({ route: routeTo(forward([target(backend.port, { tls })])), secure });
  const client = RawPeer.connect(stage.port);
  client.send(get);
  await client.reads('HTTP/1.1 502');
  client.socket.destroy();
  await backend.close();
  await stage.close();
  assert.equal(stage.core.entries[0]?.error, 'target-tls-failed');
});

test('what was used last is used first, and the statistics add up', async () => {
  const backend = await RawBackend.answering(() => ok);
  const stage = await Stage.open({ route: routeTo(forward([target(backend.port)])) });
  const clients = Array.from({ length: 3 }, () => RawPeer.connect(stage.port));
  for (const client of clients) client.send(get);
  for (const client of clients) await client.reads(ok);
  const idle = await statisticsOf(stage, (now) => now.idle === backend.peers.length);
  for (let i = 0; i < 5; i++) {
    clients[0]!.send(get);
    await clients[0]!.reads(ok, 2 + i);
  }
  const after = await statisticsOf(stage, ({ busy }) => busy === 0);
  assert.equal(after.opened, idle.opened);
  assert.equal(after.opened + after.reused, 8);
  const requests = backend.peers.map((peer) => peer.text.split('GET / ').length - 1).sort();
  assert.ok(requests.at(-1)! >= 6, `one connection has all the rest: ${requests}`);
  for (const client of clients) client.socket.destroy();
  await backend.close();
  await stage.close();
});

async function statisticsOf(stage: Stage, check: (now: { idle: number; busy: number }) => boolean) {
  await eventually('the pool is as expected', () => check(stage.core.pools.statistics[0]!));
  return stage.core.pools.statistics[0]!;
}

test('a full pool makes requests wait, in order, and hands its connection on', async () => {
  const backend = await RawBackend.answering(() => ok);
  const stage = await Stage.open({
    route: routeTo(forward([target(backend.port)])),
    pool: { maxConnections: 2 },
  });
  const clients = Array.from({ length: 10 }, () => RawPeer.connect(stage.port));
  for (const client of clients) client.send(get.repeat(5));
  for (const client of clients) await client.reads(ok, 5);
  assert.equal(backend.peers.length, 2);
  for (const client of clients) client.socket.destroy();
  await backend.close();
  await stage.close();
});

test('who waits too long, or finds too many waiting, is told 503', () => {
  const clock = new VirtualClock();
  const stage = new MemoryStage(clock, {
    route: routeTo(forward([target(1)]), { connectMs: 3_000 }),
    pool: { maxConnections: 1, maxWaiting: 1 },
  });
  const [first, second, third] = [stage.connect(), stage.connect(), stage.connect()];
  const seen = [first, second, third].map(({ client }) => watch(client));
  for (const { client } of [first, second, third]) client.write(Buffer.from(get));
  clock.flush();
  watch(stage.dialled[0]!);
  assert.match(seen[2]!.bytes(), /^HTTP\/1\.1 503 Service Unavailable/);
  assert.equal(seen[1]!.bytes(), '');
  clock.advance(3_001);
  assert.match(seen[1]!.bytes(), /^HTTP\/1\.1 503 Service Unavailable/);
  stage.dialled[0]!.write(Buffer.from(ok));
  clock.flush();
  assert.match(seen[0]!.bytes(), /ok$/);
  for (const { client } of [first, second, third]) client.end();
  clock.advance(120_000);
  stage.core.assertNothingLeft();
  assert.equal(clock.pending, 0);
});

test('a client that leaves while its backend is dialled stops the dial', () => {
  const clock = new VirtualClock();
  const stage = new MemoryStage(clock, { route: routeTo(forward([target(1)])) });
  const { client, record } = stage.connect();
  client.write(Buffer.from(get));
  client.reset();
  clock.flush();
  assert.equal(record.termination?.reason, 'client-reset');
  clock.advance(120_000);
  stage.core.assertNothingLeft();
  assert.ok(stage.dialled.every((transport) => transport.gone || transport.listener === null));
  assert.equal(clock.pending, 0);
});

test('a backend that is not reached in time is a 504', () => {
  const clock = new VirtualClock();
  const secure: SecureClient = () => ({ abort() {} });
  const route = routeTo(forward([target(1, { tls })]), { connectMs: 2_000 });
  const stage = new MemoryStage(clock, { route, secure });
  const { client } = stage.connect();
  const seen = watch(client);
  client.write(Buffer.from(get));
  clock.advance(2_001);
  assert.match(seen.bytes(), /^HTTP\/1\.1 504 Gateway Timeout/);
  assert.equal(stage.core.entries[0]?.error, 'connect-timeout');
  client.end();
  clock.advance(120_000);
  stage.core.assertNothingLeft();
  assert.equal(clock.pending, 0);
});
