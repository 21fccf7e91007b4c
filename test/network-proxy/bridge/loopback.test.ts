import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { bridgeTlvType, signBridge } from '../../../src/base/bridge-proof.ts';
import type { Route } from '../../../src/config/schema.ts';
import { encodeProxyHeader } from '../../../src/transport/proxy-header.ts';
import { selfSigned, type TestCertificate } from '../../support/certificates.ts';
import { eventually } from '../../support/eventually.ts';
import { scoped } from '../../support/scoped.ts';
import { Workspace } from '../../support/workspace.ts';
import { helloOf, site, TlsClient } from '../tls/site.ts';
import { secret, TwoProcesses } from './two-processes.ts';

let workspace: Workspace;
let certificate: TestCertificate;

before(async () => {
  workspace = new Workspace('loopback-bridge');
  certificate = await selfSigned(workspace, 'a.test');
});
after(() => workspace.end());

const routes = (): Route[] => {
  const { cert, key } = certificate;
  return [site('a.test', { certificate: { cert, key } })];
};

test('TLS ends in the other process, which knows the client, and the records are linked', async (t) => {
  const both = scoped(t, await TwoProcesses.start(workspace, routes()));
  const client = await TlsClient.connect(both.outer.port, { servername: 'a.test' });
  const { localPort } = client.raw;
  assert.deepEqual(await client.get('a.test'), { status: 200, body: 'a.test says hello' });
  const [outer] = both.outer.live;
  const [inner] = both.inner.connections();
  assert.equal(outer?.viaNetworkProxy, true);
  assert.equal(outer?.target?.port, both.innerPort);
  assert.deepEqual(inner?.client, { ip: '127.0.0.1', port: localPort });
  assert.equal(inner?.localPort, both.outer.port);
  assert.equal(inner?.events.find(({ what }) => what === 'bridged')?.outer, outer?.id);
  const { networkProxy } = both.inner.getStatistics();
  assert.equal(networkProxy.portProxyConnections, 1);
  assert.equal(networkProxy.tlsTerminatedConnections, 1);
  assert.equal(both.outer.proxy.getStatistics().networkProxy.portProxyConnections, 1);
  client.socket.end();
  const outerEnding = await both.outer.ended();
  const innerEnding = await both.innerEnded();
  assert.equal(innerEnding.termination?.reason, 'client-closed');
  assert.equal(outerEnding.termination?.reason, 'client-closed');
  assert.deepEqual(outerEnding.bytes, {
    fromClient: client.raw.bytesWritten,
    toClient: client.raw.bytesRead,
  });
  assert.deepEqual(innerEnding.bytes, outerEnding.bytes);
  assert.equal(both.outer.proxy.getStatistics().networkProxy.portProxyConnections, 0);
});

test('a hello that comes in pieces is bridged from its first byte to its last', async (t) => {
  const both = scoped(t, await TwoProcesses.start(workspace, routes()));
  const hello = await helloOf({ servername: 'a.test' });
  const peer = await both.stage.connect(both.outer.port).connected();
  for (let at = 0; at < hello.length; at += 100) {
    peer.send(hello.subarray(at, at + 100));
    await new Promise(setImmediate);
  }
  await eventually('the server answers', () => peer.receivedBytes > 0);
  assert.equal(peer.received[0], 22);
  peer.reset();
  assert.equal((await both.outer.ended()).termination?.reason, 'client-reset');
  assert.equal((await both.innerEnded()).termination?.reason, 'client-reset');
});

test('a NetworkProxy that is not there ends the connection as any other target does', async (t) => {
  const both = scoped(t, await TwoProcesses.start(workspace, routes()));
  await both.inner.stop();
  const client = new TlsClient(both.outer.port, { servername: 'a.test' });
  await client.failure();
  assert.equal((await both.outer.ended()).termination?.reason, 'connect-refused');
});

/** A header as SmartProxy sends it, but for what is changed. */
function forged(both: TwoProcesses, changes: { secret?: string; ageMs?: number; claimed?: string } = {}) {
  const source = { ip: '198.51.100.7', port: 4242 };
  const destination = { ip: '127.0.0.1', port: both.outer.port };
  const facts = { connectionId: 'forged-1', source, destination, listener: '127.0.0.1:0' };
  const proven =
    changes.claimed === undefined ? facts : { ...facts, source: { ...source, ip: changes.claimed } };
  const key = Buffer.from(changes.secret ?? secret);
  const value = signBridge(key, proven, Date.now() - (changes.ageMs ?? 0));
  const other = [{ type: bridgeTlvType, value }];
  return encodeProxyHeader(2, { source, destination, tlvs: { uniqueId: facts.connectionId, other } });
}

// P7
test('a process of the same machine is not SmartProxy for being one, whatever it says', async (t) => {
  const both = scoped(t, await TwoProcesses.start(workspace, routes()));
  const hello = await helloOf({ servername: 'a.test' });
  const plain = { source: { ip: '198.51.100.7', port: 4242 }, destination: { ip: '127.0.0.1', port: 443 } };
  const attempts: [what: string, bytes: Uint8Array][] = [
    ['no header', hello],
    ['version 1', Buffer.concat([encodeProxyHeader(1, plain), hello])],
    ['no proof', Buffer.concat([encodeProxyHeader(2, { ...plain, tlvs: { uniqueId: 'x-1' } }), hello])],
    ['another key', Buffer.concat([forged(both, { secret: 'x'.repeat(40) }), hello])],
    ['an old proof', Buffer.concat([forged(both, { ageMs: 60_000 }), hello])],
    ['a proof of the future', Buffer.concat([forged(both, { ageMs: -60_000 }), hello])],
    ['a proof for another client', Buffer.concat([forged(both, { claimed: '203.0.113.9' }), hello])],
    ['LOCAL', Buffer.concat([encodeProxyHeader(2, { ...plain, source: { ip: '', port: 0 } }), hello])],
  ];
  for (const [index, [what, bytes]] of attempts.entries()) {
    assert.equal(await both.intrude(bytes), '', what);
    const ending = await both.innerEnded(index + 1);
    assert.equal(ending.termination?.reason, 'invalid-proxy-header', what);
    assert.equal(ending.client.ip, '127.0.0.1', what);
    assert.equal(ending.viaNetworkProxy, false, what);
  }
  const { networkProxy } = both.inner.getStatistics();
  assert.deepEqual([networkProxy.connectedClients, networkProxy.portProxyConnections], [0, 0]);
});

// P7
test('a proof that was listened to opens nothing a second time', async (t) => {
  const both = scoped(t, await TwoProcesses.start(workspace, routes()));
  const hello = await helloOf({ servername: 'a.test' });
  const bytes = Buffer.concat([forged(both), hello]);
  const first = both.stage.connect(both.innerPort).send(bytes);
  await eventually('the genuine one is answered', () => first.receivedBytes > 0);
  assert.equal(both.inner.connections()[0]?.client.ip, '198.51.100.7');
  assert.equal(await both.intrude(bytes), '');
  assert.equal((await both.innerEnded()).termination?.reason, 'invalid-proxy-header');
  first.reset();
  await both.innerEnded(2);
});
