import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stage } from '../../smart-proxy/stage.ts';
import { selfSigned, type TestCertificate } from '../../support/certificates.ts';
import { eventually } from '../../support/eventually.ts';
import { scoped } from '../../support/scoped.ts';
import { Workspace } from '../../support/workspace.ts';
import { helloOf, serve, site, TlsClient } from './site.ts';

let workspace: Workspace;
let certificate: TestCertificate;

before(async () => {
  workspace = new Workspace('tls-churn');
  certificate = await selfSigned(workspace, 'a.test');
});
after(() => workspace.end());

const request = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n';

// L25
test('hundreds of clients leave at every moment and in every way, and nothing of them is left', async (t) => {
  const stage = scoped(t, new Stage());
  const { cert, key } = certificate;
  const route = { ...site('a.test', { certificate: { cert, key } }), timeouts: { cleanupGraceMs: 100 } };
  const proxy = await serve(stage, [route]);
  const hello = await helloOf({ servername: 'a.test' });
  const leave: ((client: TlsClient) => unknown)[] = [
    (client) => client.socket.end(),
    (client) => client.socket.end(request),
    (client) => client.raw.resetAndDestroy(),
    (client) => client.socket.end(request, () => client.raw.resetAndDestroy()),
    (client) => client.socket.destroy(),
    (client) => client.raw.write('no TLS'),
    (client) => {
      client.socket.end(request);
      setImmediate(() => {
        for (const { id } of proxy.live) proxy.proxy.control.terminate(id);
      });
    },
  ];
  let opened = 0;
  for (let round = 0; round < 5; round++) {
    const clients: Promise<unknown>[] = [];
    for (const [index, act] of leave.entries()) {
      for (const moment of ['at once', 'connected', 'secured'] as const) {
        const client = new TlsClient(proxy.port, { servername: 'a.test' });
        opened++;
        if (moment === 'at once') act(client);
        if (moment === 'connected') client.raw.once('connect', () => act(client));
        if (moment === 'secured') client.socket.once('secureConnect', () => act(client));
        clients.push(eventually(`client ${index} ${moment} is closed`, () => client.closed));
      }
    }
    const half = stage.connect(proxy.port, { allowHalfOpen: false });
    opened++;
    half.send(hello.subarray(0, 50 + round * 100)).end();
    clients.push(half.gone());
    await Promise.all(clients);
  }
  await proxy.settled(0);
  const { connections } = proxy.proxy.getStatistics();
  assert.ok(connections.terminated <= opened && connections.terminated > opened / 2);
  assert.equal(proxy.proxy.getStatistics().networkProxy.connectedClients, 0);
});

// L25
test('a connection that the operator ends while close_notify is on its way is reset, and its descriptor is gone', async (t) => {
  const stage = scoped(t, new Stage());
  const { cert, key } = certificate;
  const proxy = await serve(stage, [
    {
      name: 'a.test',
      match: { ports: 0, address: '127.0.0.1', domains: 'a.test' },
      action: {
        type: 'handler',
        tls: { certificate: { cert, key } },
        handle: (stream) => {
          stream.end('all there is');
          setImmediate(() => {
            for (const { id } of proxy.live) proxy.proxy.control.terminate(id);
          });
          stream.resume();
        },
      },
    },
  ]);
  for (let i = 1; i <= 20; i++) {
    const client = new TlsClient(proxy.port, { servername: 'a.test', halfOpen: true });
    await proxy.ended(i);
    await client.close();
  }
  assert.equal(proxy.proxy.getStatistics().audit.sockets, 0);
  assert.ok((proxy.reasons().operator ?? 0) > 0, 'some were ended in time');
});
