import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { processEnvironment } from '../../src/config/environment.ts';
import { eventually } from '../support/eventually.ts';
import { scoped } from '../support/scoped.ts';
import { type ProcessReport, ProxyProcess } from './proxy-process.ts';
import { acting, tcp } from './routes.ts';
import { Stage } from './stage.ts';

/** Asks until the answer is right. */
async function reported(
  child: ProxyProcess,
  right: (report: ProcessReport) => boolean,
): Promise<ProcessReport> {
  for (let round = 0; round < 3000; round++) {
    const report = await child.report();
    if (right(report)) return report;
    await delay(10);
  }
  return assert.fail(`never: ${JSON.stringify(await child.report())}`);
}

// L23
test('with more clients than descriptors the newest are reset at once, and the others are not touched', async (t) => {
  for (const limit of [64, 160]) {
    const stage = scoped(t, new Stage());
    const backend = await stage.echo();
    const idle = limit / 2;
    const child = scoped(
      t,
      await ProxyProcess.start(
        { routes: [tcp(backend.port)], limits: { maxConnections: 0 } },
        { shell: `ulimit -n ${limit}` },
      ),
    );
    const before = await child.report();
    const port = before.listeners[0]?.port ?? 0;
    const first = stage.connect(port).send('first');
    await first.gets('first');
    const clients = Array.from({ length: idle * 4 }, () => stage.connect(port).send('x'));
    const { statistics, mostDescriptors } = await reported(child, ({ statistics: { connections } }) => {
      return connections.opened + connections.refused === clients.length + 1;
    });
    assert.deepEqual(statistics.refusals, { 'resource-exhausted': statistics.connections.refused });
    assert.ok(statistics.connections.refused > 0);
    assert.ok(mostDescriptors < limit, `${mostDescriptors} of ${limit} descriptors`);
    assert.deepEqual(statistics.terminations, {});
    const refused = () => clients.filter(({ error }) => error?.code === 'ECONNRESET').length;
    await eventually('the others are reset', () => refused() === statistics.connections.refused);
    await eventually('the admitted are served', () => {
      return clients.filter(({ text }) => text === 'x').length === statistics.connections.active - 1;
    });
    first.send(' and still here');
    await first.gets('first and still here');
    for (const client of clients) client.reset();
    await reported(child, ({ statistics: { connections } }) => connections.active === 1);
    const next = stage.connect(port).send('next');
    await next.gets('next');
    first.end();
    next.end();
    const left = await reported(
      child,
      ({ statistics: { audit } }) => audit.sockets === 0 && audit.records === 0,
    );
    assert.ok((left.descriptors ?? 0) <= (before.descriptors ?? 0) + 1);
  }
});

// L23
test('listeners that a reload adds are counted at once: they take from the descriptors of connections', async (t) => {
  const stage = scoped(t, new Stage());
  const holding = (name: string) =>
    acting({ type: 'handler', handle: (stream) => void stream.pipe(stream) }, { name });
  const environment = { ...processEnvironment(), descriptorLimit: 400 };
  const staged = await stage.proxy([holding('one')], {}, { environment });
  const routes = Array.from({ length: 200 }, (_, index) => holding(`added-${index}`));
  await staged.proxy.updateRoutes([holding('one'), ...routes]);
  const visitors = Array.from({ length: 100 }, () => stage.connect(staged.portOf('one')).send('x'));
  await eventually('all were admitted or refused', () => {
    const { opened, refused } = staged.proxy.getStatistics().connections;
    return opened + refused === visitors.length;
  });
  const { refusals } = staged.proxy.getStatistics();
  assert.ok((refusals['resource-exhausted'] ?? 0) > 0, JSON.stringify(refusals));
});

test('a listening socket that the service manager opened is taken over, with nobody lost', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const manager = createServer().listen(0, '127.0.0.1');
  await once(manager, 'listening');
  const { port } = manager.address() as AddressInfo;
  const { fd } = (manager as unknown as { _handle: { fd: number } })._handle;
  const route = { ...tcp(backend.port), match: { ports: port, address: '127.0.0.1' } };
  const child = scoped(
    t,
    await ProxyProcess.start({ routes: [route] }, { fd, shell: 'export LISTEN_FDS=1 LISTEN_PID=$$' }),
  );
  manager.close();
  assert.deepEqual((await child.report()).listeners, [{ address: '127.0.0.1', port, routes: ['tcp'] }]);
  const client = stage.connect(port).end('through it');
  await client.gets('through it');
  assert.equal(await client.ending(), 'fin');
});

test('a listening socket that was meant for another process is left alone', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const manager = createServer().listen(0, '127.0.0.1');
  await once(manager, 'listening');
  const { port } = manager.address() as AddressInfo;
  const { fd } = (manager as unknown as { _handle: { fd: number } })._handle;
  const route = { ...tcp(backend.port), match: { ports: port, address: '127.0.0.1' } };
  await assert.rejects(
    ProxyProcess.start({ routes: [route] }, { fd, shell: 'exec 2>&-; export LISTEN_FDS=1 LISTEN_PID=1' }),
    /ended/,
  );
  manager.close();
});
