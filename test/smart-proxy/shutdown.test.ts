import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Route } from '../../src/config/schema.ts';
import { SmartProxy } from '../../src/smart-proxy/smart-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { holdings, holdsNoMoreThan } from '../support/nothing-left.ts';
import { scoped } from '../support/scoped.ts';
import { SkippingClock } from '../support/skipping-clock.ts';
import { acting, tcp, tls } from './routes.ts';
import { Stage } from './stage.ts';

// L17
test('stopping lets a transfer finish within the grace, forces the rest, and accepts nobody', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const backend = await stage.backend();
  const staged = await stage.proxy([tcp(backend.port)], {}, { clock });
  const { port } = staged;
  const [finishing, endless] = [stage.connect(port).send('1'), stage.connect(port).send('2')];
  await (await backend.peer(1)).gets(backend.peers[1]?.text ?? '');
  await eventually('both are relayed', () => backend.peers.every(({ receivedBytes }) => receivedBytes === 1));
  const [first, second] = backend.peers.toSorted((one, other) => (one.text < other.text ? -1 : 1));
  let stopped = false;
  const stopping = staged.proxy.stop({ graceMs: 60_000 }).then(() => {
    stopped = true;
  });
  await eventually('it drains', () => staged.proxy.control.state === 'draining');
  const late = await stage.connect(port).connected();
  assert.equal(late.error?.code, 'ECONNREFUSED');
  first?.end('the last byte');
  assert.equal(await finishing.ending(), 'fin');
  await finishing.gets('the last byte');
  finishing.end();
  await staged.endedAs('target-closed');
  assert.equal(stopped, false);
  clock.skip(60_001);
  assert.deepEqual([await endless.ending(), await second?.ending()], ['reset', 'reset']);
  await stopping;
  const { termination } = await staged.ended(2);
  assert.deepEqual([termination?.reason, termination?.initiator], ['shutdown', 'operator']);
  assert.deepEqual(staged.reasons(), { 'target-closed': 1, shutdown: 1 });
  assert.equal(staged.proxy.control.state, 'stopped');
});

// L17
test('an idle proxy stops at once, and as often as it is asked', async (t) => {
  const stage = scoped(t, new Stage());
  const staged = await stage.proxy([acting({ type: 'block' })]);
  await Promise.all([staged.proxy.stop(), staged.proxy.stop(), staged.proxy.stop({ graceMs: 0 })]);
  await staged.proxy.stop();
  assert.equal(staged.proxy.control.state, 'stopped');
});

// L17
test('a second stop without grace hurries the first, also in the same tick', async (t) => {
  for (const wait of [false, true]) {
    const stage = scoped(t, new Stage());
    const backend = await stage.backend();
    const staged = await stage.proxy([tcp(backend.port)]);
    const client = stage.connect(staged.port);
    await staged.inState('established');
    const first = staged.proxy.stop({ graceMs: 3_600_000 });
    if (wait) await eventually('it drains', () => staged.proxy.control.state === 'draining');
    await Promise.all([first, staged.proxy.stop({ graceMs: 0 })]);
    assert.equal(await client.ending(), 'reset');
    await staged.endedAs('shutdown in established');
  }
});

test('connections in every phase are ended by a stop without grace', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const host = () => new Promise<string>(() => {});
  const staged = await stage.proxy(
    [
      tls('a.test', backend.port),
      tcp(0, { name: 'dialing', action: { target: { host, port: 9 } } }),
      tcp(backend.port, { name: 'established' }),
      tcp(backend.port, { name: 'half-closed' }),
      acting({ type: 'handler', handle: () => {} }),
    ],
    { timeouts: { cleanupGraceMs: 20 } },
  );
  stage.connect(staged.portOf('a.test')).send('\x16\x03');
  for (const name of ['dialing', 'established', 'handler']) stage.connect(staged.portOf(name)).send('x');
  stage.connect(staged.portOf('half-closed')).end('x');
  await staged.settled(5);
  await staged.inState('half-closed');
  await staged.inState('dialing');
  await staged.proxy.stop({ graceMs: 0 });
  await staged.ended(5);
  assert.deepEqual(staged.reasons(), { shutdown: 5 });
  assert.deepEqual(staged.endings.map(({ termination }) => termination?.phase).toSorted(), [
    'dialing',
    'established',
    'established',
    'half-closed',
    'reading-first-bytes',
  ]);
});

test('a peer that never closes its side does not keep a stop waiting beyond the grace of the clean-up', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const staged = await stage.proxy(
    [acting({ type: 'block' })],
    { timeouts: { cleanupGraceMs: 50_000 } },
    { clock },
  );
  const client = stage.connect(staged.port);
  assert.equal(await client.ending(), 'fin');
  assert.equal(staged.live[0]?.state, 'closing');
  const stopping = staged.proxy.stop({ graceMs: 10_000 });
  await eventually('it drains', () => staged.proxy.control.state === 'draining');
  clock.skip(10_001);
  await stopping;
  await staged.endedAs('blocked');
});

test('drain by the control port is a stop', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const staged = await stage.proxy([tcp(backend.port)]);
  const client = stage.connect(staged.port);
  await staged.inState('established');
  await staged.proxy.control.drain();
  await eventually('it drains', () => staged.proxy.control.state === 'draining');
  client.reset();
  await eventually('it has stopped', () => staged.proxy.control.state === 'stopped');
  assert.equal((await staged.ended()).termination?.reason, 'client-reset');
});

test('`await using` stops it', async () => {
  const before = holdings();
  const proxy = new SmartProxy({ routes: [acting({ type: 'block' })] });
  await proxy.start();
  await proxy[Symbol.asyncDispose]();
  assert.deepEqual([proxy.control.state, proxy.listeners()], ['stopped', []]);
  await holdsNoMoreThan(before);
});

test('a stop during the start, and an update during the start, take effect', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const staged = stage.unstarted([tcp(backend.port, { name: 'before' })]);
  const starting = staged.proxy.start();
  await assert.rejects(staged.proxy.start(), { code: 'already-started' });
  const updating = staged.proxy.updateRoutes([tcp(backend.port, { name: 'after' })]);
  await Promise.all([starting, updating]);
  assert.deepEqual(
    staged.proxy.listeners().map(({ routes }) => routes),
    [['after']],
  );
  await staged.proxy.stop();
  await Promise.all([staged.proxy.start(), staged.proxy.stop()]);
  assert.deepEqual([staged.proxy.control.state, staged.proxy.listeners()], ['stopped', []]);
});

test('an update during a stop binds nothing, and one that is binding is waited for', async (t) => {
  const stage = new Stage();
  t.after(() => stage[Symbol.asyncDispose]());
  const staged = await stage.proxy([acting({ type: 'block' }, { name: 'before' })]);
  const from = await stage.freeRange(20);
  const ports = { from, to: from + 19 };
  const many = (name: string, first: number): Route => ({
    name,
    match: { ports: { ...ports, from: first }, address: '127.0.0.1' },
    action: { type: 'block' },
  });
  const updates = [
    staged.proxy.updateRoutes([many('binding', from + 10)]),
    staged.proxy.stop(),
    staged.proxy.updateRoutes([many('late', from)]),
  ];
  await Promise.all(updates);
  assert.deepEqual(staged.proxy.listeners(), []);
  for (let port = ports.from; port <= ports.to; port++) {
    const visitor = await stage.connect(port).connected();
    assert.equal(visitor.error?.code, 'ECONNREFUSED', String(port));
  }
  await staged.proxy.start();
  assert.equal(staged.proxy.listeners().length, 20);
  await staged.proxy.stop();
});

test('a stop does not wait for a configuration that never comes', async (t) => {
  const stage = new Stage();
  t.after(() => stage[Symbol.asyncDispose]());
  const come = Promise.withResolvers<unknown>();
  const routes = [acting({ type: 'block' })];
  const staged = await stage.proxy(routes, {}, { reloadOptions: () => come.promise });
  const reloading = staged.proxy.reload();
  await staged.proxy.stop();
  assert.equal(staged.proxy.control.state, 'stopped');
  come.resolve({ routes });
  await reloading;
  assert.deepEqual(staged.proxy.listeners(), []);
});

// L16
test('a thousand starts and stops leave nothing', async () => {
  const before = holdings();
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  const proxy = new SmartProxy({
    routes: [acting({ type: 'block' }, { name: 'one' }), acting({ type: 'block' }, { name: 'two' })],
  });
  const listenersBefore = process.eventNames().map((name) => process.listenerCount(name));
  for (let round = 0; round < 1000; round++) {
    await proxy.start();
    assert.equal(proxy.listeners().length, 2);
    await proxy.stop();
  }
  assert.deepEqual(
    process.eventNames().map((name) => process.listenerCount(name)),
    listenersBefore,
  );
  process.off('warning', onWarning);
  assert.deepEqual(warnings, []);
  await holdsNoMoreThan(before);
});

test('two proxies in one process know nothing of each other', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const limits = { maxConnectionsPerIp: 1 };
  const [one, two] = [
    await stage.proxy([tcp(backend.port)], { limits }),
    await stage.proxy([tcp(backend.port)], { limits }),
  ];
  const first = stage.connect(one.port).send('one');
  const second = stage.connect(two.port).send('two');
  await first.gets('one');
  await second.gets('two');
  await one.proxy.stop({ graceMs: 0 });
  assert.equal(await first.ending(), 'reset');
  second.end(' still');
  await second.gets('two still');
  assert.deepEqual([one.reasons(), two.endings.length <= 1], [{ shutdown: 1 }, true]);
  await two.endedAs('client-closed');
});

test('a listener of `ready` that throws does not take the start back', async (t) => {
  const proxy = scoped(t, new SmartProxy({ routes: [acting({ type: 'block' })] }));
  proxy.on('ready', () => {
    throw new Error('of the embedding program');
  });
  await proxy.start();
  assert.equal(proxy.control.state, 'ready');
});
