import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Route } from '../../src/config/schema.ts';
import { buildHello } from '../support/client-hellos.ts';
import { scoped } from '../support/scoped.ts';
import { acting, tcp, tls } from './routes.ts';
import { Stage } from './stage.ts';

test('a range of ports is one route on many listeners, and the target can be the same port', async (t) => {
  const stage = scoped(t, new Stage());
  const from = await stage.freeRange(4);
  const ports: number[] = [];
  const target = {
    host: '127.0.0.1',
    port: ({ localPort }: { localPort: number }) => {
      ports.push(localPort);
      return backend.port;
    },
  };
  const backend = await stage.echo();
  const route: Route = {
    name: 'range',
    match: { ports: { from, to: from + 3 }, address: '127.0.0.1' },
    action: { type: 'forward', target },
  };
  const staged = await stage.proxy([route]);
  assert.deepEqual(
    staged.proxy.listeners(),
    [0, 1, 2, 3].map((offset) => ({ address: '127.0.0.1', port: from + offset, routes: ['range'] })),
  );
  for (let offset = 0; offset < 4; offset++) {
    const client = stage.connect(from + offset).end('x');
    await client.gets('x');
    assert.equal((await staged.ended(offset + 1)).localPort, from + offset);
  }
  assert.deepEqual(ports, [from, from + 1, from + 2, from + 3]);
});

test('routes that can be told apart share a port, by name and by client', async (t) => {
  const stage = scoped(t, new Stage());
  const ports = await stage.deadPort();
  const [one, two, plain] = [await stage.backend(), await stage.backend(), await stage.backend()];
  const shared = (route: Route, clientIp?: string[]): Route => ({
    ...route,
    match: { ...route.match, ports, ...(clientIp && { clientIp }) },
  });
  const staged = await stage.proxy([
    shared(tls('a.test', one.port)),
    shared(tls('*.a.test', two.port)),
    shared(tcp(plain.port), ['127.0.0.7']),
  ]);
  assert.equal(staged.port, ports);
  const [exact, wild] = [buildHello({ serverName: 'a.test' }), buildHello({ serverName: 'b.c.a.test' })];
  stage.connect(ports).send(exact);
  stage.connect(ports).send(wild);
  stage.connect(ports, { localAddress: '127.0.0.7' }).send('not TLS at all');
  await (await one.peer()).gets(exact);
  await (await two.peer()).gets(wild);
  await (await plain.peer()).gets('not TLS at all');
});

test('routes that are bound to addresses take what comes in there, and nothing else', async (t) => {
  const stage = scoped(t, new Stage());
  const port = await stage.deadPort();
  const at = (address: string): Route => ({
    ...acting({ type: 'handler', handle: (stream) => void stream.end(address) }, { name: address }),
    match: { ports: port, address },
  });
  const staged = await stage.proxy([at('127.0.0.1'), at('127.0.0.2')]);
  assert.equal(staged.proxy.listeners().length, 2);
  for (const [index, host] of ['127.0.0.1', '127.0.0.2'].entries()) {
    const client = stage.connect(port, { host });
    await client.gets(host);
    client.end();
    assert.equal((await staged.ended(index + 1)).route, host);
  }
  const elsewhere = await stage.connect(port, { host: '127.0.0.3' }).connected();
  assert.equal(elsewhere.error?.code, 'ECONNREFUSED');
});

test('IPv6 clients and targets are served', async (t) => {
  const stage = scoped(t, new Stage());
  const staged = await stage.proxy([
    {
      ...acting({ type: 'handler', handle: (stream) => void stream.pipe(stream) }, { name: 'six' }),
      match: { ports: 0, address: '::1' },
    },
  ]);
  const front = await stage.proxy([
    tcp(staged.port, { action: { target: { host: '::1', port: staged.port } } }),
  ]);
  const client = stage.connect(front.port).end('over both');
  await client.gets('over both');
  assert.equal((await staged.ended()).client.ip, '::1');
});

test('each plain TCP route on port 0 has a port of its own, and keeps it over updates', async (t) => {
  const stage = scoped(t, new Stage());
  const [one, two] = [await stage.echo(), await stage.echo()];
  const routes = [tcp(one.port, { name: 'one' }), tcp(two.port, { name: 'two' })];
  const staged = await stage.proxy(routes);
  const ports = routes.map(({ name }) => staged.portOf(name));
  assert.notEqual(ports[0], ports[1]);
  await staged.proxy.updateRoutes(routes.toReversed());
  assert.deepEqual(
    routes.map(({ name }) => staged.portOf(name)),
    ports,
  );
});
