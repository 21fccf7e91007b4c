import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { scoped } from '../support/scoped.ts';
import type { Peer } from './peer.ts';
import { tcp } from './routes.ts';
import { type Backend, Stage, type StagedProxy } from './stage.ts';

/** client ─▶ outer ─▶ inner ─▶ backend */
interface Chain {
  client: Peer;
  outer: StagedProxy;
  inner: StagedProxy;
  backend: Backend;
  server: Peer;
}

type Death = (chain: Chain) => unknown;

const terminate = (staged: StagedProxy) => staged.proxy.control.terminate(staged.live[0]?.id ?? '');

/** Who can die, and how. */
const deaths: Record<string, Death> = {
  'the client ends': ({ client, server }) => {
    client.end();
    server.end();
  },
  'the client resets': ({ client }) => client.reset(),
  'the client is destroyed': ({ client }) => client.socket.destroy(),
  'the backend resets': ({ server }) => server.reset(),
  'the backend ends': ({ client, server }) => {
    server.end();
    client.end();
  },
  'the outer terminates': ({ outer }) => terminate(outer),
  'the inner terminates': ({ inner }) => terminate(inner),
  'the outer stops': ({ outer }) => outer.proxy.stop({ graceMs: 0 }),
  'the inner stops': ({ inner }) => inner.proxy.stop({ graceMs: 0 }),
  'both ends reset': ({ client, server }) => {
    client.reset();
    server.reset();
  },
};

/** What the connection does when it happens. */
const stages: Record<string, (chain: Chain) => Promise<void>> = {
  idle: async () => {},
  'in mid-transfer': async ({ client, server }) => {
    server.socket.on('error', () => {});
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    client.send(chunk).send(chunk);
    server.send(chunk).send(chunk);
    await eventually('it is under way', () => client.receivedBytes > 100_000);
  },
  'half-closed': async ({ client, server }) => {
    client.end('request');
    await server.ending();
    await server.gets('hellorequest');
  },
};

for (const [name, prepare] of Object.entries(stages)) {
  // L20
  test(`a chain of proxies reaches zero, whoever dies while it is ${name}`, async (t) => {
    for (const [death, strike] of Object.entries(deaths)) {
      const stage = scoped(t, new Stage());
      const backend = await stage.backend();
      const inner = await stage.proxy([tcp(backend.port, { name: 'inner' })]);
      const outer = await stage.proxy([tcp(inner.port, { name: 'outer' })]);
      const client = stage.connect(outer.port).send('hello');
      const server = await backend.peer();
      await server.gets('hello');
      const chain = { client, outer, inner, backend, server };
      await prepare(chain);
      await strike(chain);
      // Who has heard a FIN hears of nothing more until it speaks in vain.
      await eventually(`both have ended it after ${death}`, () => {
        server.send('?');
        return outer.endings.length === 1 && inner.endings.length === 1;
      });
      await outer.settled(0);
      await inner.settled(0);
      server.socket.destroy();
    }
  });
}

// L20
test('a chain whose inner proxy dials in vain, or is being dialled, reaches zero', async (t) => {
  const stage = scoped(t, new Stage());
  const inner = await stage.proxy([
    tcp(await stage.deadPort(), { name: 'dead' }),
    tcp(0, { name: 'slow', action: { target: { host: () => new Promise<string>(() => {}), port: 9 } } }),
  ]);
  const outer = await stage.proxy([
    tcp(inner.portOf('dead'), { name: 'to-dead' }),
    tcp(inner.portOf('slow'), { name: 'to-slow' }),
  ]);
  const unlucky = stage.connect(outer.portOf('to-dead')).send('x');
  await unlucky.ending();
  unlucky.end();
  await outer.endedAs('target-closed');
  await inner.endedAs('connect-refused in dialing');
  const impatient = stage.connect(outer.portOf('to-slow')).send('x');
  await inner.inState('dialing');
  impatient.reset();
  await outer.ended(2);
  assert.equal((await inner.ended(2)).termination?.reason, 'client-reset');
});
