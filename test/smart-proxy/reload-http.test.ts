import assert from 'node:assert/strict';
import http from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import type { Route } from '../../src/config/schema.ts';
import { answerOf } from '../network-proxy/http2/stage.ts';
import { eventually } from '../support/eventually.ts';
import { scoped } from '../support/scoped.ts';
import { SkippingClock } from '../support/skipping-clock.ts';
import { Stage, type StagedProxy } from './stage.ts';

let backend: http.Server;
let held: http.ServerResponse[] = [];

/** Upgrades and echoes, holds answers to /held, and answers everything else at once. */
before(async () => {
  backend = http.createServer((request, response) => {
    if (request.url === '/held') held.push(response);
    else response.end(`${request.url} answered`);
  });
  backend.on('upgrade', (_, socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nopen');
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
});
after(() => {
  backend.closeAllConnections();
  backend.close();
});

const port = (): number => (backend.address() as AddressInfo).port;

/** Routes of one clear-text site, each for a path; the first is the site's. */
function route(name: string, path?: string, timeouts: Route['timeouts'] = {}): Route {
  const match = { ports: 0, address: '127.0.0.1', protocol: 'http', ...(path && { path }) } as const;
  const target = { host: '127.0.0.1', port: port() };
  return { name, match, action: { type: 'forward', target }, timeouts };
}

const graceMs = 60_000;

async function open(t: Parameters<typeof scoped>[0], routes: Route[]) {
  held = [];
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const timeouts = { shutdownGraceMs: graceMs, keepAliveMs: 0, responseHeadMs: 0 };
  const staged = await stage.proxy(routes, { timeouts }, { clock });
  return { stage, clock, staged, port: staged.port };
}

const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a.test\r\n\r\n`;
const upgrade = 'GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n';

/** The grace of what a reload removed is over. */
async function afterGrace(clock: SkippingClock, staged: StagedProxy, routes: Route[]): Promise<void> {
  await staged.proxy.updateRoutes(routes);
  clock.skip(graceMs + 1_000);
}

// R2
test('a connection outlives the route that it came by, as long as its site is there', async (t) => {
  const { stage, clock, staged, port } = await open(t, [route('first', '/first'), route('rest')]);
  const client = stage.connect(port).send(ask('/first'));
  await eventually('it is answered', () => client.text.endsWith('/first answered'));
  assert.equal(staged.live[0]?.route, 'first');
  await afterGrace(clock, staged, [route('other')]);
  client.send(ask('/second'));
  await eventually('it is answered', () => client.text.endsWith('/second answered'));
  client.end();
  await staged.endedAs('client-closed');
});

test('a request of a removed route gets its grace, then 503; the others go on', async (t) => {
  const { stage, clock, staged, port } = await open(t, [route('rest'), route('goes', '/held')]);
  const client = stage.connect(port).send(ask('/held'));
  await eventually('the backend is asked', () => held.length === 1);
  await staged.proxy.updateRoutes([route('rest')]);
  clock.skip(graceMs - 1_000);
  assert.equal(client.received.length, 0);
  clock.skip(2_000);
  await eventually('it is answered', () => client.text.includes('\r\n\r\n503 '));
  assert.match(client.text, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
  client.send(ask('/next'));
  await eventually('the next one is answered', () => client.text.endsWith('/next answered'));
  client.end();
  const { events } = await staged.endedAs('client-closed');
  assert.equal(events.find(({ what }) => what === 'request-failed')?.error, 'route-removed');
});

test('a request of a removed route that is being answered is cut, and not made to look whole', async (t) => {
  const { stage, clock, staged, port } = await open(t, [route('rest'), route('goes', '/held')]);
  const client = stage.connect(port).send(ask('/held'));
  await eventually('the backend is asked', () => held.length === 1);
  held[0]?.write('half');
  await eventually('half of it has come', () => client.text.endsWith('half\r\n'));
  await afterGrace(clock, staged, [route('rest')]);
  assert.equal(await client.ending(), 'reset');
  await staged.endedAs('route-removed');
});

// R2
test('a tunnel lives as long as its own route, whatever happens to that of its connection', async (t) => {
  const { stage, clock, staged, port } = await open(t, [route('rest'), route('ws', '/ws')]);
  const client = stage.connect(port).send(upgrade);
  await eventually('it is open', () => client.text.endsWith('open'));
  await afterGrace(clock, staged, [route('ws', '/ws')]);
  client.send(' still');
  await eventually('it is echoed', () => client.text.endsWith('open still'));
  await afterGrace(clock, staged, [route('rest')]);
  assert.equal(await client.ending(), 'reset');
  await staged.endedAs('route-removed');
});

test('a route that comes back in time keeps its requests and tunnels', async (t) => {
  const routes = [route('rest'), route('ws', '/ws')];
  const { stage, clock, staged, port } = await open(t, routes);
  const client = stage.connect(port).send(upgrade);
  await eventually('it is open', () => client.text.endsWith('open'));
  await staged.proxy.updateRoutes([route('rest')]);
  await afterGrace(clock, staged, routes);
  client.send(' still');
  await eventually('it is echoed', () => client.text.endsWith('open still'));
  client.end();
  await staged.endedAs('client-closed');
});

test('a site that is gone takes its connections along', async (t) => {
  const other: Route = {
    name: 'other',
    match: { ports: 0, address: '127.0.0.2', protocol: 'http' },
    action: { type: 'respond', status: 200 },
  };
  const { stage, clock, staged, port } = await open(t, [route('rest')]);
  const client = stage.connect(port).send(ask('/first'));
  await eventually('it is answered', () => client.text.endsWith('/first answered'));
  await staged.proxy.updateRoutes([other]);
  client.send(ask('/second'));
  await eventually('nobody takes it', () => client.text.includes('HTTP/1.1 404 '));
  clock.skip(graceMs + 1_000);
  await client.ending();
  client.end();
  await staged.endedAs('route-removed');
});

test('by HTTP/2 only the streams of a removed route end', async (t) => {
  const { clock, staged, port } = await open(t, [route('rest'), route('goes', '/held')]);
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const get = (path: string) => answerOf(session.request({ ':path': path, ':authority': 'a.test' }));
  const goes = get('/held');
  await eventually('the backend is asked', () => held.length === 1);
  await afterGrace(clock, staged, [route('rest')]);
  assert.equal((await goes).status, 503);
  assert.equal((await get('/next')).body, '/next answered');
  session.close();
  await staged.endedAs('client-closed');
});

// L6, W1
test('a tunnel may be quiet as long as its own route says', async (t) => {
  const hour = 3_600_000;
  for (const [inactivityMs, skipMs, reason] of [
    [0, 10 * hour, 'client-closed'],
    [3 * hour, 2 * hour, 'client-closed'],
    [1_000, 2_000, 'inactivity'],
  ] as const) {
    const routes = [route('rest', undefined, { inactivityMs: hour }), route('ws', '/ws', { inactivityMs })];
    const { stage, clock, staged, port } = await open(t, routes);
    const client = stage.connect(port).send(ask('/') + upgrade);
    await eventually('it is open', () => client.text.endsWith('open'));
    clock.skip(skipMs);
    if (reason === 'client-closed') {
      client.send(' still');
      await eventually('it is echoed', () => client.text.endsWith('open still'));
      client.end();
    } else await client.ending();
    await staged.endedAs(reason);
  }
});
