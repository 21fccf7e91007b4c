import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { bridgeTlvType, questionTlvType, signBridge } from '../../../src/base/bridge-proof.ts';
import type { Route } from '../../../src/config/schema.ts';
import type { RecordSummary } from '../../../src/connection/record-summary.ts';
import { askInner } from '../../../src/forwarding/bridge-question.ts';
import type { SmartProxy } from '../../../src/smart-proxy/smart-proxy.ts';
import { createDial } from '../../../src/transport/dial.ts';
import { createDns } from '../../../src/transport/dns.ts';
import { encodeProxyHeader } from '../../../src/transport/proxy-header.ts';
import { TransportFactory } from '../../../src/transport/transport-factory.ts';
import { selfSigned, type TestCertificate } from '../../support/certificates.ts';
import { eventually } from '../../support/eventually.ts';
import { scoped } from '../../support/scoped.ts';
import { SkippingClock } from '../../support/skipping-clock.ts';
import { Workspace } from '../../support/workspace.ts';
import { site, TlsClient } from '../tls/site.ts';
import { secret, TwoProcesses } from './two-processes.ts';

let workspace: Workspace;
let certificate: TestCertificate;

before(async () => {
  workspace = new Workspace('bridge-explain');
  certificate = await selfSigned(workspace, 'a.test');
});
after(() => workspace.end());

const routes = (): Route[] => {
  const { cert, key } = certificate;
  return [site('a.test', { certificate: { cert, key }, minVersion: 'TLSv1.3' })];
};

interface Told {
  connection: RecordSummary;
  story: string;
}
type Explained = Told & { inner?: Partial<Told> & { error?: { code: string; message: string } } };

const explain = async (proxy: Pick<SmartProxy, 'control'>, id: string): Promise<Explained> =>
  (await proxy.control.explain(id)) as Explained;

test('a live connection is explained by both records', async (t) => {
  const both = scoped(t, await TwoProcesses.start(workspace, routes()));
  const client = scoped(t, await TlsClient.connect(both.outer.port, { servername: 'a.test' }));
  await client.get('a.test');
  const [outer] = both.outer.live;
  const { connection, story, inner } = await explain(both.outer.proxy, outer?.id ?? '');
  assert.equal(connection.id, outer?.id);
  const [inside] = both.inner.connections();
  assert.deepEqual(
    [inner?.connection?.id, inner?.connection?.outer, inner?.connection?.state],
    [inside?.id, outer?.id, 'established'],
  );
  assert.match(story, /The route a\.test took it\./);
  assert.match(inner?.story ?? '', /brought by the SmartProxy in front\..*TLS/);
  assert.equal((both.inner.control.connection(inside?.id ?? '') as RecordSummary).outer, outer?.id);
  assert.equal(connection.outer, undefined);
  // The inner process knows it by both names.
  assert.equal((await explain(both.inner, outer?.id ?? '')).connection.id, inside?.id);
});

// T12
test('of a handshake that failed inside, the outer record says what it saw and the inner one why', async (t) => {
  const both = scoped(t, await TwoProcesses.start(workspace, routes()));
  const client = new TlsClient(both.outer.port, { servername: 'a.test', maxVersion: 'TLSv1.2' });
  await client.failure();
  const outer = await both.outer.ended();
  await both.innerEnded();
  assert.notEqual(outer.termination?.reason, 'tls-handshake-failed');
  const { inner } = await explain(both.outer.proxy, outer.id);
  assert.equal(inner?.connection?.termination?.reason, 'tls-handshake-failed');
  assert.match(inner?.connection?.termination?.error?.message ?? '', /unsupported.protocol/i);
  assert.match(inner?.story ?? '', /TLS could not be agreed on with the client \(unsupported protocol\)/);
});

test('a question is a connection of its own, which nobody takes for one of SmartProxy’s', async (t) => {
  const both = scoped(t, await TwoProcesses.start(workspace, routes()));
  const client = scoped(t, await TlsClient.connect(both.outer.port, { servername: 'a.test' }));
  await client.get('a.test');
  const [outer] = both.outer.live;
  for (let round = 0; round < 3; round++) await explain(both.outer.proxy, outer?.id ?? '');
  await both.innerEnded(3);
  for (const { termination, viaNetworkProxy, client: asking } of both.innerEndings) {
    assert.deepEqual([termination?.reason, viaNetworkProxy, asking.ip], ['responded', false, '127.0.0.1']);
  }
  const { networkProxy, connections } = both.inner.getStatistics();
  assert.deepEqual([networkProxy.portProxyConnections, connections.active], [1, 1]);
  assert.equal(both.outer.active, 1);
});

test('what the other process does not know, or does not say, is said so', async (t) => {
  const both = scoped(t, await TwoProcesses.start(workspace, routes()));
  const client = await TlsClient.connect(both.outer.port, { servername: 'a.test' });
  await client.get('a.test');
  const id = both.outer.live[0]?.id ?? '';
  await both.inner.stop({ graceMs: 0 });
  await both.outer.ended();
  const gone = await explain(both.outer.proxy, id);
  assert.equal(gone.connection.id, id);
  assert.equal(gone.inner?.error?.code, 'inner-unreachable');
  assert.match(gone.inner?.error?.message ?? '', /could not be asked: .*ECONNREFUSED/);
  await both.inner.start();
  assert.equal((await explain(both.outer.proxy, id)).inner?.error?.code, 'no-such-connection');
  await both.inner.stop({ graceMs: 0 });
  const server = net.createServer((socket) => {
    socket.on('error', () => {}).resume();
    socket.end('nonsense');
  });
  await new Promise<void>((resolve) => server.listen(both.innerPort, '127.0.0.1', resolve));
  assert.match((await explain(both.outer.proxy, id)).inner?.error?.message ?? '', /no answer/);
  await new Promise((resolve) => server.close(resolve));
});

test('a process that never answers is not waited for long', async () => {
  const clock = new SkippingClock();
  const dns = createDns({ clock });
  const { connectSocket } = new TransportFactory({ clock, relayBufferBytes: 0 });
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const dial = createDial({ clock, dns, connectSocket });
  const asked = askInner({ clock, dial }, { port, secret: Buffer.from(secret) }, 'x-1');
  const outcome = assert.rejects(asked, { code: 'inner-unreachable', message: /did not answer in time/ });
  await eventually('it is asked', () => sockets.size === 1);
  clock.skip(2_000);
  await outcome;
  await eventually('the question hangs up', () => sockets.size === 0);
  dns.close();
  await new Promise((resolve) => server.close(resolve));
});

test('in one process there is one record, and nobody else is asked', async (t) => {
  const both = scoped(t, await TwoProcesses.start(workspace, routes()));
  const staged = await both.stage.proxy(routes());
  const client = scoped(t, await TlsClient.connect(staged.port, { servername: 'a.test' }));
  await client.get('a.test');
  const told = await explain(staged.proxy, staged.live[0]?.id ?? '');
  assert.equal('inner' in told, false);
});

/** A question as SmartProxy asks it, but for what is changed. */
function question(
  id: string,
  changes: { secret?: string; ageMs?: number; asked?: string; bridge?: boolean } = {},
) {
  const place = { ip: '127.0.0.1', port: 0 };
  const facts = { connectionId: id, source: place, destination: place, listener: '' };
  const key = Buffer.from(changes.secret ?? secret);
  const at = Date.now() - (changes.ageMs ?? 0);
  const value = signBridge(key, facts, at, changes.bridge ? 'bridge' : 'question');
  const tlvs = { uniqueId: changes.asked ?? id, other: [{ type: questionTlvType, value }] };
  return encodeProxyHeader(2, { source: place, destination: place, tlvs });
}

// P7
test('nobody without the key learns anything, and no proof serves for something else, or twice', async (t) => {
  const both = scoped(t, await TwoProcesses.start(workspace, routes()));
  const client = scoped(t, await TlsClient.connect(both.outer.port, { servername: 'a.test' }));
  await client.get('a.test');
  const id = both.outer.live[0]?.id ?? '';
  const attempts: [what: string, bytes: Uint8Array][] = [
    ['another key', question(id, { secret: 'x'.repeat(40) })],
    ['an old proof', question(id, { ageMs: 60_000 })],
    ['a proof for another connection', question('other', { asked: id })],
    ['a proof of a bridge', question(id, { bridge: true })],
  ];
  for (const [index, [what, bytes]] of attempts.entries()) {
    assert.equal(await both.intrude(bytes), '', what);
    assert.equal((await both.innerEnded(index + 1)).termination?.reason, 'invalid-proxy-header', what);
  }
  const genuine = question(id);
  assert.match(await both.intrude(genuine), new RegExp(`"outer":"${id}"`));
  assert.equal(await both.intrude(genuine), '');
  // A question's proof brings no connection either.
  const facts = {
    ...{ connectionId: 'x-1', source: { ip: '198.51.100.7', port: 1 } },
    ...{ destination: { ip: '127.0.0.1', port: both.outer.port }, listener: '127.0.0.1:0' },
  };
  const value = signBridge(Buffer.from(secret), facts, Date.now(), 'question');
  const tlvs = { uniqueId: 'x-1', other: [{ type: bridgeTlvType, value }] };
  assert.equal(await both.intrude(encodeProxyHeader(2, { ...facts, tlvs })), '');
  assert.equal((await both.innerEnded(7)).termination?.reason, 'invalid-proxy-header');
});
