import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import type { Route } from '../../src/config/schema.ts';
import { buildHello } from '../support/client-hellos.ts';
import { eventually } from '../support/eventually.ts';
import { scoped } from '../support/scoped.ts';
import { SkippingClock } from '../support/skipping-clock.ts';
import { acting, tcp, tls } from './routes.ts';
import { Stage } from './stage.ts';

// R1
test('five updates while clients come and go fail not one of them', async (t) => {
  const stage = scoped(t, new Stage());
  const [one, two] = [await stage.echo(), await stage.echo()];
  const staged = await stage.proxy([tcp(one.port)]);
  const { port } = staged;
  let going = true;
  let served = 0;
  const come = async (): Promise<void> => {
    while (going) {
      const client = stage.connect(port).end('hello');
      assert.equal(await client.ending(), 'fin');
      await client.gets('hello');
      served++;
    }
  };
  const clients = Array.from({ length: 8 }, come);
  for (let update = 1; update <= 5; update++) {
    const enough = served + 40;
    await eventually('clients were served in between', () => served >= enough);
    const backend = update % 2 === 0 ? one : two;
    await staged.proxy.updateRoutes([
      tcp(backend.port),
      acting({ type: 'block' }, { name: `new-${update}` }),
    ]);
    assert.equal(staged.portOf('tcp'), port);
  }
  going = false;
  await Promise.all(clients);
  await staged.settled(0);
  assert.deepEqual(staged.reasons(), { 'client-closed': served });
  assert.equal(staged.proxy.getStatistics().connections.refused, 0);
  assert.ok(two.peers.length > 0, 'the new target was used');
});

// R2
test('connections on routes that stay, or change their target, live on', async (t) => {
  const stage = scoped(t, new Stage());
  const [one, two] = [await stage.echo(), await stage.echo()];
  const before = [tcp(one.port, { name: 'stays' }), tcp(one.port, { name: 'changes' })];
  const staged = await stage.proxy(before);
  const clients = before.map(({ name }) => stage.connect(staged.portOf(name)).send('before, '));
  for (const client of clients) await client.gets('before, ');
  const ports = before.map(({ name }) => staged.portOf(name));
  await staged.proxy.updateRoutes([tcp(one.port, { name: 'stays' }), tcp(two.port, { name: 'changes' })]);
  assert.deepEqual(
    before.map(({ name }) => staged.portOf(name)),
    ports,
  );
  for (const client of clients) {
    client.send('after');
    await client.gets('before, after');
  }
  assert.equal(two.peers.length, 0);
  const next = stage.connect(staged.portOf('changes')).end('next');
  await next.gets('next');
  assert.equal(two.peers.length, 1);
  for (const client of clients) client.end();
  await staged.ended(3);
  assert.deepEqual(staged.reasons(), { 'client-closed': 3 });
});

// R3
test('an invalid set of routes, or a taken port, is refused whole', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const staged = await stage.proxy([tcp(backend.port)]);
  const before = staged.proxy.listeners();
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const onTaken: Route = {
    ...tcp(backend.port, { name: 'taken' }),
    match: { ports: port, address: '127.0.0.1' },
  };
  const free = await stage.deadPort();
  const onFree: Route = { ...onTaken, name: 'free', match: { ports: free, address: '127.0.0.1' } };
  const refusals: [unknown, object][] = [
    [[{ ...tcp(backend.port), nonsense: true }], { name: 'ConfigurationError' }],
    [[tcp(backend.port), tcp(backend.port)], { name: 'ConfigurationError' }],
    [[onFree, onTaken], { code: 'port-taken' }],
  ];
  for (const [routes, refusal] of refusals) {
    await assert.rejects(staged.proxy.updateRoutes(routes as Route[]), refusal);
    assert.deepEqual(staged.proxy.listeners(), before);
    const client = stage.connect(staged.port).end('still');
    await client.gets('still');
  }
  const nobody = await stage.connect(free).connected();
  assert.equal(nobody.error?.code, 'ECONNREFUSED');
  taken.close();
  await once(taken, 'close');
  await staged.proxy.updateRoutes([onFree, onTaken]);
  assert.deepEqual([staged.portOf('free'), staged.portOf('taken')], [free, port]);
});

// R3
test('a start whose port is taken opens nothing, and can be repeated', async (t) => {
  const stage = scoped(t, new Stage());
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const route: Route = { ...acting({ type: 'block' }), match: { ports: port, address: '127.0.0.1' } };
  const staged = stage.unstarted([acting({ type: 'block' }, { name: 'other' }), route]);
  await assert.rejects(staged.proxy.start(), { code: 'port-taken' });
  assert.deepEqual([staged.proxy.control.state, staged.proxy.listeners()], ['stopped', []]);
  taken.close();
  await once(taken, 'close');
  await staged.proxy.start();
  assert.equal(staged.portOf('block'), port);
});

// R3
test('a reload reads the configuration again, refuses it whole, and says why', async (t) => {
  const stage = scoped(t, new Stage({ errorsInLog: ['reload-refused'] }));
  let next: unknown = { routes: [{}] };
  const reloadOptions = async () => next;
  const staged = await stage.proxy([acting({ type: 'block' }, { name: 'old' })], {}, { reloadOptions });
  await assert.rejects(staged.proxy.reload(), { name: 'ConfigurationError' });
  assert.equal(staged.proxy.listeners()[0]?.routes[0], 'old');
  assert.ok(staged.log.some(({ event }) => event === 'reload-refused'));
  next = { routes: [acting({ type: 'block' }, { name: 'new' })], limits: { maxConnections: 1 } };
  await staged.proxy.control.reload();
  assert.equal(staged.proxy.listeners()[0]?.routes[0], 'new');
  const withoutFile = await stage.proxy([acting({ type: 'block' })]);
  await assert.rejects(withoutFile.proxy.reload(), { code: 'nothing-to-reload' });
});

test('updates that are asked for at once run one after another, and the last one wins', async (t) => {
  const stage = scoped(t, new Stage());
  const staged = await stage.proxy([acting({ type: 'block' }, { name: 'route-0' })]);
  // The first has much to bind, and would be the last to be done if they ran side by side.
  const routes = (turn: number): Route[] => {
    if (turn === 4) return [{ name: 'invalid' } as Route];
    const names = turn === 1 ? Array.from({ length: 40 }, (_, index) => `many-${index}`) : [`route-${turn}`];
    return names.map((name) => acting({ type: 'block' }, { name }));
  };
  const updates = [1, 2, 3, 4, 5].map((turn) => staged.proxy.updateRoutes(routes(turn)));
  const outcomes = await Promise.allSettled(updates);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  );
  assert.deepEqual(
    staged.proxy.listeners().map(({ routes }) => routes),
    [['route-5']],
  );
  const reloads = staged.log.filter(({ event }) => event === 'reloaded');
  assert.equal(reloads.length, 4);
});

test('a removed route accepts nobody, and its connections get their grace', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const backend = await stage.echo();
  const timeouts = { shutdownGraceMs: 60_000 };
  const staged = await stage.proxy(
    [tcp(backend.port, { name: 'stays' }), tcp(backend.port, { name: 'goes', timeouts })],
    {},
    { clock },
  );
  const port = staged.portOf('goes');
  const stays = stage.connect(staged.portOf('stays')).send('x');
  const [finishing, endless] = [stage.connect(port).send('one'), stage.connect(port).send('two')];
  for (const client of [stays, finishing, endless])
    await eventually('it is there', () => client.receivedBytes > 0);
  await staged.proxy.updateRoutes([tcp(backend.port, { name: 'stays' })]);
  const late = await stage.connect(port).connected();
  assert.equal(late.error?.code, 'ECONNREFUSED');
  clock.skip(59_000);
  finishing.end(' more');
  await finishing.gets('one more');
  await staged.endedAs('client-closed');
  clock.skip(2_000);
  assert.equal(await endless.ending(), 'reset');
  assert.equal((await staged.ended(2)).termination?.reason, 'route-removed');
  assert.equal(staged.active, 1);
  stays.end();
  await staged.ended(3);
});

test('a route that comes back in time keeps its connections', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const backend = await stage.echo();
  const routes = [tcp(backend.port), acting({ type: 'block' }, { name: 'other' })];
  const staged = await stage.proxy(routes, { timeouts: { shutdownGraceMs: 60_000 } }, { clock });
  const client = stage.connect(staged.portOf('tcp')).send('x');
  await client.gets('x');
  await staged.proxy.updateRoutes([acting({ type: 'block' }, { name: 'other' })]);
  await staged.proxy.updateRoutes(routes);
  clock.skip(61_000);
  client.end('y');
  await client.gets('xy');
  await staged.endedAs('client-closed');
});

test('a connection whose first bytes come after an update takes the new routes', async (t) => {
  const stage = scoped(t, new Stage());
  const [one, two] = [await stage.backend(), await stage.backend()];
  const staged = await stage.proxy([tls('a.test', one.port)]);
  const hello = buildHello({ serverName: 'a.test' });
  const client = stage.connect(staged.port).send(hello.subarray(0, 50));
  await eventually('it is read', () => staged.live[0]?.bytes.fromClient === 50);
  await staged.proxy.updateRoutes([tls('a.test', two.port)]);
  client.send(hello.subarray(50));
  await (await two.peer()).gets(hello);
  assert.equal(one.peers.length, 0);
  client.reset();
});

test('limits of the process are exchanged by a reload, and end nobody', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const routes = [tcp(backend.port)];
  const reloadOptions = async () => ({ routes, limits: { maxConnections: 1 } });
  const staged = await stage.proxy(routes, {}, { reloadOptions });
  const clients = [stage.connect(staged.port).send('x'), stage.connect(staged.port).send('x')];
  for (const client of clients) await client.gets('x');
  await staged.proxy.reload();
  assert.equal(staged.active, 2);
  assert.equal(await stage.connect(staged.port).ending(), 'reset');
  assert.deepEqual(staged.proxy.getStatistics().refusals, { 'connection-limit': 1 });
  for (const client of clients) client.end();
});
