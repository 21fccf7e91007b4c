import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildHello } from '../support/client-hellos.ts';
import { eventually } from '../support/eventually.ts';
import { scoped } from '../support/scoped.ts';
import { SkippingClock } from '../support/skipping-clock.ts';
import type { Peer } from './peer.ts';
import { acting, tcp, tls } from './routes.ts';
import { Stage, type StagedProxy } from './stage.ts';

/** Connects so many at once and waits until each is in the books one way or the other. */
async function rush(stage: Stage, staged: StagedProxy, port: number, count: number): Promise<Peer[]> {
  const before = total(staged);
  const clients = Array.from({ length: count }, () => stage.connect(port).send(buildHello()));
  await eventually('all are counted', () => total(staged) === before + count);
  return clients;
}

function total(staged: StagedProxy): number {
  const { opened, refused } = staged.proxy.getStatistics().connections;
  return opened + refused;
}

// S1
test('of many at once exactly as many as the limit for an address are admitted, on any kind of route', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const routes = [
    tcp(backend.port),
    tls('a.test', backend.port),
    acting({ type: 'handler', handle: (stream) => void stream.resume() }),
    tcp(0, { name: 'slow', action: { target: { host: () => new Promise<string>(() => {}), port: 9 } } }),
  ];
  const staged = await stage.proxy(routes, { limits: { maxConnectionsPerIp: 5 } });
  for (const { name } of routes) {
    const clients = await rush(stage, staged, staged.portOf(name), 20);
    assert.equal(staged.active, 5, name);
    const refused = staged.proxy.getStatistics().refusals['connection-limit'] ?? 0;
    assert.equal(refused % 15, 0, name);
    for (const client of clients) client.reset();
    await staged.settled(0);
  }
  const again = await rush(stage, staged, staged.portOf('tcp'), 5);
  assert.equal(staged.active, 5);
  for (const client of again) client.reset();
});

// S1
test('a slot that is freed is given to the next client of the address, and other addresses have their own', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const staged = await stage.proxy([tcp(backend.port)], { limits: { maxConnectionsPerIp: 1 } });
  const holder = stage.connect(staged.port);
  await staged.inState('established');
  assert.equal(await stage.connect(staged.port).ending(), 'reset');
  const neighbour = stage.connect(staged.port, { localAddress: '127.0.0.2' });
  await staged.settled(2);
  holder.reset();
  await staged.ended();
  const next = stage.connect(staged.port);
  await staged.settled(2);
  neighbour.reset();
  next.reset();
  await staged.ended(3);
});

// S2
test('thousands of addresses that came and went are forgotten', async (t) => {
  const stage = scoped(t, new Stage());
  const staged = await stage.proxy([acting({ type: 'block' })], {
    proxyProtocol: { trustedSources: ['127.0.0.1'] },
    limits: { maxConnectionsPerIp: 3 },
  });
  for (let batch = 0; batch < 20; batch++) {
    const clients = Array.from({ length: 100 }, (_, index) =>
      stage.connect(staged.port).end(`PROXY TCP4 10.9.${batch}.${index} 192.0.2.1 1 2\r\n`),
    );
    for (const client of clients) await client.gone();
  }
  await staged.ended(2000);
  assert.equal(new Set(staged.endings.map(({ client }) => client.ip)).size, 2000);
  assert.equal(staged.proxy.getStatistics().audit.addresses, 0);
});

// S3
test('a flood beyond the rate of its address is refused, and told in a few lines with the count', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const backend = await stage.backend();
  const limits = { connectionsPerMinutePerIp: 5 };
  const staged = await stage.proxy([tcp(backend.port)], { limits }, { clock });
  const clients = await rush(stage, staged, staged.port, 200);
  const { connections, refusals } = staged.proxy.getStatistics();
  assert.deepEqual([connections.opened, refusals], [5, { 'rate-limit': 195 }]);
  clock.skip(1_001);
  const lines = staged.log.filter(({ event }) => event === 'connections-refused');
  assert.ok(lines.length <= 10, `${lines.length} lines`);
  assert.equal(
    lines.reduce((sum, { fields }) => sum + Number(fields.count), 0),
    195,
  );
  for (const client of clients) client.reset();
  await staged.settled(0);
  clock.skip(180_000);
  const later = stage.connect(staged.port);
  await staged.settled(1);
  later.reset();
});

// S4
test('a route that is full refuses, and its neighbours on the same port do not', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const staged = await stage.proxy([
    tls('a.test', backend.port, { limits: { maxConnections: 2 } }),
    tls('b.test', backend.port),
  ]);
  const connect = (serverName: string) => stage.connect(staged.port).send(buildHello({ serverName }));
  const admitted = [connect('a.test'), connect('a.test')];
  await eventually('both are there', () => backend.peers.length === 2);
  const refused = connect('a.test');
  await refused.ending();
  refused.end();
  const { termination, route } = await staged.endedAs('connection-limit in routing');
  assert.deepEqual([termination?.initiator, route], ['proxy', 'a.test']);
  admitted.push(connect('b.test'));
  await eventually('the neighbour is there', () => backend.peers.length === 3);
  for (const client of admitted) client.reset();
  await staged.ended(4);
  const next = connect('a.test');
  await staged.inState('established');
  next.reset();
});

test('the limit of the process holds over all routes', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const routes = [tcp(backend.port, { name: 'one' }), tcp(backend.port, { name: 'two' })];
  const staged = await stage.proxy(routes, { limits: { maxConnections: 3 } });
  const clients = [
    ...(await rush(stage, staged, staged.portOf('one'), 10)),
    ...(await rush(stage, staged, staged.portOf('two'), 10)),
  ];
  assert.deepEqual([staged.active, staged.proxy.getStatistics().refusals], [3, { 'connection-limit': 17 }]);
  for (const client of clients) client.reset();
});

test('lists of a route let in and keep out by address', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend((peer) => peer.send('welcome'));
  const staged = await stage.proxy([
    tcp(backend.port, { security: { allow: ['127.0.0.0/29'], block: ['127.0.0.3'] } }),
  ]);
  const from = (localAddress: string) => stage.connect(staged.port, { localAddress });
  const allowed = from('127.0.0.2');
  await allowed.gets('welcome');
  for (const localAddress of ['127.0.0.3', '127.0.0.9']) {
    const client = from(localAddress);
    assert.equal(await client.ending(), 'fin');
    client.end();
  }
  await staged.ended(2);
  assert.deepEqual(staged.reasons(), { blocked: 2 });
  allowed.reset();
});
