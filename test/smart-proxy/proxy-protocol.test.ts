import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32c } from '../../src/base/crc32c.ts';
import { buildHello, concat, latin1, uint16, vector16 } from '../support/client-hellos.ts';
import { eventually } from '../support/eventually.ts';
import { scoped } from '../support/scoped.ts';
import { SkippingClock } from '../support/skipping-clock.ts';
import { tcp, tls } from './routes.ts';
import { type Backend, Stage, type StagedProxy } from './stage.ts';

const trustLoopback = { proxyProtocol: { trustedSources: ['127.0.0.0/8'] } };

const signature = latin1('\r\n\r\n\0\r\nQUIT\n');
const ipv4 = Uint8Array.of(192, 0, 2, 7, 198, 51, 100, 1, ...uint16(4711), ...uint16(443));

/** A version 2 header; `family` is the byte for address family and protocol. */
function v2(command: number, family: number, block: Uint8Array): Uint8Array {
  return concat(signature, Uint8Array.of(0x20 | command, family), vector16(block));
}

function tlv(type: number, value: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(type), vector16(value));
}

function withChecksum(spoil: number): Uint8Array {
  const header = v2(1, 0x11, concat(ipv4, tlv(3, new Uint8Array(4))));
  const sum = (crc32c(header) ^ spoil) >>> 0;
  header.set(concat(uint16(sum >>> 16), uint16(sum & 0xffff)), header.length - 4);
  return header;
}

interface Scene {
  stage: Stage;
  staged: StagedProxy;
  backend: Backend;
}

async function trusting(stage: Stage): Promise<Scene> {
  const backend = await stage.backend();
  return { stage, backend, staged: await stage.proxy([tcp(backend.port)], trustLoopback) };
}

/** Sends a header in pieces and a payload; tells which client address was believed. */
async function accepted(
  { stage, staged, backend }: Scene,
  header: Uint8Array,
  split: boolean,
): Promise<string> {
  const [index, before] = [backend.peers.length, staged.endings.length];
  const client = await stage.connect(staged.port).connected();
  const wire = concat(header, latin1('payload'));
  for (const piece of split ? Array.from(wire, (byte) => Uint8Array.of(byte)) : [wire]) client.send(piece);
  await (await backend.peer(index)).gets('payload');
  const live = staged.live[0];
  const { localPort } = client.socket;
  assert.equal(live?.bytes.fromClient, 7, 'a PROXY header is no payload');
  client.reset();
  const { client: address } = await staged.ended(before + 1);
  return `${address.ip} ${address.port === localPort ? 'own' : address.port}`;
}

/** Sends what must not be believed; it never gets to a backend. */
async function refused({ stage, staged, backend }: Scene, header: Uint8Array): Promise<void> {
  const [served, before] = [backend.peers.length, staged.endings.length];
  const client = stage.connect(staged.port).send(concat(header, latin1('payload')));
  await client.ending();
  client.end();
  const { termination } = await staged.ended(before + 1);
  assert.deepEqual(
    [termination?.reason, termination?.phase],
    ['invalid-proxy-header', 'reading-first-bytes'],
    JSON.stringify(Buffer.from(header).toString('latin1')),
  );
  assert.equal(backend.peers.length, served);
}

// P1
test('a version 1 header is believed in any split, and what follows it is kept', async (t) => {
  const stage = scoped(t, new Stage());
  const scene = await trusting(stage);
  const headers: [string, string][] = [
    ['PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n', '192.0.2.7 4711'],
    ['PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n', '2001:db8::7 4711'],
    ['PROXY UNKNOWN\r\n', '127.0.0.1 own'],
    ['PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n', '127.0.0.1 own'],
  ];
  for (const [header, address] of headers) {
    for (const split of [false, true]) assert.equal(await accepted(scene, latin1(header), split), address);
  }
});

// P1
test('a version 1 header that is not exact is refused', async (t) => {
  const stage = scoped(t, new Stage());
  const scene = await trusting(stage);
  const headers = [
    `PROXY TCP4 192.0.2.7 198.51.100.1 4711 443${' '.repeat(107)}`,
    'PROXY TCP4 192.0.2.7 198.51.100.1 4711 65536\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 4711 0443\r\n',
    'PROXY TCP4 2001:db8::7 2001:db8::1 4711 443\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\n',
    'PROXY  TCP4 192.0.2.7 198.51.100.1 4711 443\r\n',
    'proxy TCP4 192.0.2.7 198.51.100.1 4711 443\r\n',
  ];
  for (const header of headers) await refused(scene, latin1(header));
});

// P2
test('a version 2 header is believed in any split, and what follows it is kept', async (t) => {
  const stage = scoped(t, new Stage());
  const scene = await trusting(stage);
  const unix = v2(1, 0x31, new Uint8Array(216));
  const headers: [Uint8Array, string][] = [
    [v2(1, 0x11, ipv4), '192.0.2.7 4711'],
    [v2(1, 0x11, concat(ipv4, tlv(2, latin1('a.test')), tlv(4, new Uint8Array(3)))), '192.0.2.7 4711'],
    [withChecksum(0), '192.0.2.7 4711'],
    [v2(0, 0x11, ipv4), '127.0.0.1 own'],
    [v2(0, 0x00, new Uint8Array(0)), '127.0.0.1 own'],
    [unix, '127.0.0.1 own'],
  ];
  for (const [header, address] of headers) {
    for (const split of [false, true]) assert.equal(await accepted(scene, header, split), address);
  }
});

// P2
test('a version 2 header that is not exact is refused', async (t) => {
  const stage = scoped(t, new Stage());
  const scene = await trusting(stage);
  const pastTheEnd = concat(Uint8Array.of(2), uint16(100), latin1('short'));
  const headers = [
    v2(1, 0x11, concat(ipv4, pastTheEnd)),
    v2(1, 0x11, ipv4.subarray(0, 8)),
    v2(2, 0x11, ipv4),
    v2(1, 0x51, ipv4),
    withChecksum(1),
    concat(signature, Uint8Array.of(0x11, 0x11), vector16(ipv4)),
  ];
  for (const header of headers) await refused(scene, header);
});

// P3
test('a header from a stranger is relayed unread on plain TCP, and refused where TLS is spoken', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const trust = { proxyProtocol: { trustedSources: ['192.0.2.0/24'] } };
  const staged = await stage.proxy([tcp(backend.port), tls('a.test', backend.port)], trust);
  const header = 'PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n';
  const plain = stage.connect(staged.portOf('tcp')).send(header);
  await (await backend.peer()).gets(header);
  plain.reset();
  assert.equal((await staged.ended()).client.ip, '127.0.0.1');
  const bytes = buildHello({ serverName: 'a.test' });
  const encrypted = stage.connect(staged.portOf('a.test')).send(concat(latin1(header), bytes));
  await encrypted.ending();
  encrypted.end();
  const { client, events, route } = await staged.ended(2);
  assert.deepEqual([client.ip, route, backend.peers.length], ['127.0.0.1', null, 1]);
  assert.ok(events.some(({ what }) => what === 'proxy-header-not-trusted'));
});

// P4
test('a trusted peer that is silent, or sends no header, gives its slot back', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const backend = await stage.backend();
  const options = { ...trustLoopback, limits: { maxConnections: 1 } };
  const staged = await stage.proxy([tcp(backend.port)], options, { clock });
  const silent = stage.connect(staged.port);
  await staged.inState('reading-first-bytes');
  const turnedAway = stage.connect(staged.port);
  assert.equal(await turnedAway.ending(), 'reset');
  clock.skip(15_001);
  await silent.ending();
  silent.end();
  await staged.endedAs('initial-data-timeout in reading-first-bytes');
  const rude = stage.connect(staged.port).send('hello, and no header');
  await rude.ending();
  rude.end();
  assert.equal((await staged.ended(2)).termination?.reason, 'invalid-proxy-header');
  const polite = stage.connect(staged.port).send('PROXY UNKNOWN\r\nhello');
  await (await backend.peer()).gets('hello');
  polite.reset();
  await staged.ended(3);
  assert.deepEqual(staged.proxy.getStatistics().refusals, { 'connection-limit': 1 });
});

// P4
test('a trusted peer that sends a header and then nothing is bounded by the same deadline', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const backend = await stage.backend();
  const staged = await stage.proxy([tls('a.test', backend.port)], trustLoopback, { clock });
  const client = stage.connect(staged.port);
  await staged.inState('reading-first-bytes');
  clock.skip(10_000);
  client.send('PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n');
  await eventually('the header was read', () => staged.live[0]?.client.ip === '192.0.2.7');
  clock.skip(5_001);
  await client.ending();
  client.end();
  await staged.endedAs('initial-data-timeout in reading-first-bytes');
});

// P5
test('behind another proxy limits and records go by the real clients', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const inner = await stage.proxy([tcp(backend.port)], {
    ...trustLoopback,
    limits: { maxConnectionsPerIp: 2 },
  });
  const outer = await stage.proxy([tcp(inner.port, { action: { sendProxyProtocol: 2 } })]);
  const addresses = Array.from({ length: 250 }, (_, index) => `127.1.1.${index + 1}`);
  const connect = (localAddress: string) => stage.connect(outer.port, { localAddress }).send('x');
  const clients = [...addresses, ...addresses].map(connect);
  await eventually('all 500 are through', () => backend.peers.length === 500);
  assert.equal(inner.active, 500);
  assert.equal(inner.proxy.getStatistics().audit.addresses, 250);
  const third = connect('127.1.1.9');
  await third.ending();
  third.end();
  const { termination, client } = await inner.ended();
  assert.deepEqual([termination?.reason, client.ip], ['connection-limit', '127.1.1.9']);
  for (const { socket } of clients) socket.destroy();
  for (const { socket } of backend.peers) socket.destroy();
  await inner.settled(0);
  await outer.settled(0);
  assert.deepEqual(new Set(inner.endings.map(({ client }) => client.ip)), new Set(addresses));
});

// P6
test('an IPv4 address in IPv6 clothes is the same address to limits and lists', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const route = tcp(backend.port, { security: { block: ['192.0.2.66'] } });
  const staged = await stage.proxy([route], { ...trustLoopback, limits: { maxConnectionsPerIp: 1 } });
  const first = stage.connect(staged.port).send('PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\nfirst');
  await (await backend.peer()).gets('first');
  const second = stage.connect(staged.port).send('PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\nsecond');
  await second.ending();
  second.end();
  const limited = await staged.ended();
  assert.deepEqual([limited.termination?.reason, limited.client.ip], ['connection-limit', '192.0.2.7']);
  const listed = stage.connect(staged.port).send('PROXY TCP6 ::ffff:192.0.2.66 ::1 1 2\r\nthird');
  await listed.ending();
  listed.end();
  assert.equal((await staged.ended(2)).termination?.reason, 'blocked');
  first.reset();
  await staged.ended(3);
});

test('both versions of the header that is sent are read again, with the name and the id', async (t) => {
  for (const version of [1, 2] as const) {
    const stage = scoped(t, new Stage());
    const backend = await stage.backend();
    const inner = await stage.proxy([tls('a.test', backend.port)], trustLoopback);
    const outer = await stage.proxy([tls('a.test', inner.port, { action: { sendProxyProtocol: version } })]);
    const hello = buildHello({ serverName: 'a.test', alpn: ['h2'] });
    const client = stage.connect(outer.port, { localAddress: '127.9.8.7' }).send(hello);
    await (await backend.peer()).gets(hello);
    const [seen] = inner.live;
    assert.deepEqual(
      [seen?.client.ip, seen?.client.port, seen?.tls?.serverName, seen?.bytes.fromClient],
      ['127.9.8.7', client.socket.localPort, 'a.test', hello.length],
    );
    client.reset();
    const { bytes } = await outer.ended();
    assert.equal(bytes.fromClient, hello.length);
    await inner.ended();
  }
});
