import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Route } from '../../../src/config/schema.ts';
import type { RecordSummary } from '../../../src/connection/record-summary.ts';
import { NetworkProxy } from '../../../src/smart-proxy/network-proxy.ts';
import { Stage } from '../../smart-proxy/stage.ts';
import { selfSigned, type TestCertificate } from '../../support/certificates.ts';
import { eventually } from '../../support/eventually.ts';
import { scoped } from '../../support/scoped.ts';
import { Workspace } from '../../support/workspace.ts';
import { site, TlsClient } from '../tls/site.ts';

let workspace: Workspace;
let certificate: TestCertificate;

before(async () => {
  workspace = new Workspace('network-proxy-alone');
  certificate = await selfSigned(workspace, 'a.test');
});
after(() => workspace.end());

function secured(): Route {
  const { cert, key } = certificate;
  return site('a.test', { certificate: { cert, key } });
}

test('without SmartProxy in front it ends TLS and serves, and nobody came over a bridge', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend((peer) => {
    peer.onBytes = () => peer.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbehind');
  });
  const clear: Route = {
    name: 'clear',
    match: { ports: 0, address: '127.0.0.1', protocol: 'http' },
    action: { type: 'forward', target: { host: '127.0.0.1', port: backend.port } },
  };
  const proxy = new NetworkProxy({ routes: [secured(), clear] });
  const endings: RecordSummary[] = [];
  proxy.on('connection-closed', (summary) => endings.push(summary));
  await proxy.start();
  const [listener] = proxy.listeners();
  assert.ok(listener);
  assert.deepEqual(listener.routes, ['a.test', 'clear']);
  const client = scoped(t, await TlsClient.connect(listener.port, { servername: 'a.test' }));
  assert.equal((await client.get('a.test')).body, 'a.test says hello');
  const plain = stage.connect(listener.port).send('GET / HTTP/1.1\r\nHost: b.test\r\n\r\n');
  await eventually('the answer comes', () => plain.text.endsWith('behind'));
  const { connectedClients, portProxyConnections, tlsTerminatedConnections, requests, pools } =
    proxy.getStatistics().networkProxy;
  assert.deepEqual(
    { connectedClients, portProxyConnections, tlsTerminatedConnections, requests },
    { connectedClients: 2, portProxyConnections: 0, tlsTerminatedConnections: 1, requests: 2 },
  );
  assert.deepEqual(pools, [{ target: `127.0.0.1:${backend.port}`, idle: 1, busy: 0, opened: 1, reused: 0 }]);
  const { text } = (await proxy.metrics()) ?? assert.fail('nothing is measured');
  for (const route of ['a.test', 'clear'])
    assert.match(text, new RegExp(`^smartproxy_http_requests_total\\{route="${route}".* 1$`, 'm'));
  plain.end();
  await client.close();
  await eventually('both have ended', () => endings.length === 2);
  assert.equal(proxy.getStatistics().networkProxy.connectedClients, 0);
  await proxy.stop();
  assert.deepEqual(proxy.listeners(), []);
  assert.equal(proxy.getStatistics().connections.terminated, 2);
});

test('a stop lets the answer that is under way finish, and ends idle connections at once', async (t) => {
  const stage = scoped(t, new Stage());
  let answer = (): void => {};
  const backend = await stage.backend((peer) => {
    peer.onBytes = () => {
      answer = () => peer.send('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbehind');
    };
  });
  const { cert, key } = certificate;
  const route: Route = {
    name: 'a.test',
    match: { ports: 0, address: '127.0.0.1', domains: 'a.test' },
    action: {
      type: 'forward',
      target: { host: '127.0.0.1', port: backend.port },
      tls: { mode: 'terminate', certificate: { cert, key } },
    },
  };
  const proxy = scoped(t, new NetworkProxy({ routes: [route] }));
  await proxy.start();
  const port = proxy.listeners()[0]!.port;
  const idle = await TlsClient.connect(port, { servername: 'a.test' });
  const busy = await TlsClient.connect(port, { servername: 'a.test' });
  const answered = busy.get('a.test');
  await backend.peer();
  await eventually('the request is there', () => proxy.getStatistics().networkProxy.requests === 1);
  await eventually('both handshakes are done', () => {
    return proxy.connections().every(({ state }) => state === 'established');
  });
  const stopped = proxy.stop();
  await eventually('the idle one is closed', () => idle.closed);
  answer();
  assert.deepEqual(await answered, { status: 200, body: 'behind' });
  await stopped;
  assert.equal(busy.ended, true);
});

test('routes that it cannot serve by itself are refused, with what to do', () => {
  const routes: Route[] = [
    secured(),
    {
      name: 'tcp',
      match: { ports: 5432 },
      action: { type: 'forward', target: { host: 'db.test', port: 5432 } },
    },
  ];
  assert.throws(() => new NetworkProxy({ routes }), /routes\[1\]: 'tcp' passes bytes on/);
});

test('a port that is taken rejects the start, and leaves nothing', async (t) => {
  const stage = scoped(t, new Stage());
  const taken = await stage.backend();
  const route = { ...secured(), match: { ...secured().match, ports: taken.port } };
  const proxy = new NetworkProxy({ routes: [route] });
  await assert.rejects(proxy.start(), { code: 'port-taken' });
  assert.deepEqual(proxy.listeners(), []);
  await proxy.stop();
});

test('routes are exchanged all or nothing, and connections stay', async (t) => {
  scoped(t, new Stage());
  const proxy = scoped(t, new NetworkProxy({ routes: [secured()] }));
  await proxy.start();
  const port = proxy.listeners()[0]!.port;
  const client = scoped(t, await TlsClient.connect(port, { servername: 'a.test' }));
  assert.equal((await client.get('a.test')).status, 200);
  await assert.rejects(proxy.updateRoutes([{ ...secured(), name: '' }]), { code: 'invalid-configuration' });
  const { cert, key } = certificate;
  const changed: Route = {
    ...secured(),
    action: { type: 'respond', status: 404, body: 'gone', tls: { certificate: { cert, key } } },
  };
  await proxy.updateRoutes([changed]);
  assert.deepEqual(await client.get('a.test'), { status: 404, body: 'gone' });
  client.socket.end();
  await eventually('it ends', () => proxy.getStatistics().connections.active === 0);
});
