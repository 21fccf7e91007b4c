import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ConnectionTracking } from '../../../src/network-proxy/connection-tracking.ts';
import type { PoolStatistics } from '../../../src/network-proxy/pool/http1-pool.ts';
import { Stage } from '../../smart-proxy/stage.ts';
import { selfSigned, type TestCertificate } from '../../support/certificates.ts';
import { eventually } from '../../support/eventually.ts';
import { scoped } from '../../support/scoped.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { Workspace } from '../../support/workspace.ts';
import { helloOf, serve, site, TlsClient } from '../tls/site.ts';

let workspace: Workspace;
let certificate: TestCertificate;

before(async () => {
  workspace = new Workspace('connection-tracking');
  certificate = await selfSigned(workspace, 'a.test');
});
after(() => workspace.end());

function secured() {
  const { cert, key } = certificate;
  return site('a.test', { certificate: { cert, key } });
}

test('a client counts from its hello until its socket has closed, and its FIN alone changes nothing', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const { cert, key } = certificate;
  const proxy = await serve(stage, [
    {
      name: 'a.test',
      match: { ports: 0, address: '127.0.0.1', domains: 'a.test' },
      action: {
        type: 'forward',
        target: { host: '127.0.0.1', port: backend.port },
        tls: { mode: 'terminate', certificate: { cert, key } },
      },
    },
  ]);
  const counts = () => proxy.proxy.getStatistics().networkProxy;
  const client = await TlsClient.connect(proxy.port, { servername: 'a.test', halfOpen: true });
  client.socket.end('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
  const peer = await backend.peer();
  await proxy.inState('half-closed');
  assert.deepEqual([counts().connectedClients, counts().portProxyConnections], [1, 1]);
  peer.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate');
  await eventually('the late answer comes', () => client.received.endsWith('late'));
  client.socket.destroy();
  await proxy.ended();
  assert.deepEqual([counts().connectedClients, counts().portProxyConnections], [0, 0]);
  assert.equal(counts().tlsTerminatedConnections, 1);
});

test('a handshake that fails was a client for as long, and no terminated connection', async (t) => {
  const stage = scoped(t, new Stage());
  const proxy = await serve(stage, [secured()]);
  const counts = () => proxy.proxy.getStatistics().networkProxy;
  const peer = stage.connect(proxy.port).send(await helloOf({ servername: 'a.test' }));
  await eventually('the server has answered', () => peer.receivedBytes > 0);
  assert.deepEqual([counts().connectedClients, counts().tlsTerminatedConnections], [1, 0]);
  peer.send('this is no TLS');
  assert.equal((await proxy.ended()).termination?.reason, 'tls-handshake-failed');
  assert.deepEqual([counts().connectedClients, counts().tlsTerminatedConnections], [0, 0]);
});

test('the status of pools is looked at once a second at most', () => {
  const clock = new VirtualClock();
  const status: PoolStatistics[] = [];
  let looks = 0;
  const tracking = new ConnectionTracking(clock, () => {
    looks++;
    return [...status];
  });
  assert.deepEqual(tracking.statistics().pools, []);
  status.push({ target: '127.0.0.1:3000', idle: 1, busy: 0, opened: 1, reused: 0 });
  assert.deepEqual(tracking.statistics().pools, []);
  assert.equal(looks, 1);
  clock.advance(1000);
  assert.deepEqual(tracking.statistics().pools, status);
  assert.equal(looks, 2);
});
