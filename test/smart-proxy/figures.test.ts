import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { buildHello } from '../support/client-hellos.ts';
import { eventually } from '../support/eventually.ts';
import { scoped } from '../support/scoped.ts';
import { patternBytes } from './pattern.ts';
import type { Peer } from './peer.ts';
import { acting, tcp, tls } from './routes.ts';
import { Stage } from './stage.ts';

/** A certificate that signs itself, and its key. */
function certify(name: string): { cert: Buffer; key: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), 'smartproxy-figures-'));
  const [certFile, keyFile] = [join(folder, 'cert'), join(folder, 'key')];
  execFileSync(
    'openssl',
    [
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ],
      ...[
        '-subj',
        `/CN=${name}`,
        '-addext',
        `subjectAltName=DNS:${name}`,
        '-out',
        certFile,
        '-keyout',
        keyFile,
      ],
    ],
    { stdio: 'ignore' },
  );
  const made = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  rmSync(folder, { recursive: true });
  return made;
}

/** What the client's own socket counts. */
function counted({ bytesWritten, bytesRead }: Socket): { fromClient: number; toClient: number } {
  return { fromClient: bytesWritten, toClient: bytesRead };
}

// M1
test('bytes are what the client sent and received, the first ones once', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const staged = await stage.proxy([
    tcp(backend.port, { action: { sendProxyProtocol: 2 } }),
    tls('a.test', backend.port),
    acting({ type: 'handler', handle: (stream) => void stream.pipe(stream) }),
  ]);
  const [hello, bulk] = [buildHello({ serverName: 'a.test' }), patternBytes(0, 1024 * 1024)];
  const requests: [string, Uint8Array[]][] = [
    ['a.test', [hello]],
    ['a.test', [hello.subarray(0, 20), hello.subarray(20), bulk, bulk, bulk]],
    ['handler', [bulk, bulk]],
    ['handler', []],
  ];
  let total = 0;
  for (const [index, [route, pieces]] of requests.entries()) {
    const client = stage.connect(staged.portOf(route));
    for (const piece of pieces) client.send(piece);
    client.end();
    await client.gone();
    const { bytes } = await staged.ended(index + 1);
    const sent = Buffer.concat(pieces).length;
    assert.deepEqual(bytes, { fromClient: sent, toClient: sent });
    assert.deepEqual(bytes, counted(client.socket));
    total += sent;
  }
  assert.deepEqual(staged.proxy.getStatistics().bytes, { fromClient: total, toClient: total });
});

// M1
test('a PROXY header is no payload, whether it is read or written', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const header = 'PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n';
  const staged = await stage.proxy([tcp(backend.port)], { proxyProtocol: { trustedSources: ['127.0.0.1'] } });
  const client = stage.connect(staged.port).send(header).end('12345');
  await client.gets('12345');
  assert.deepEqual((await staged.ended()).bytes, { fromClient: 5, toClient: 5 });
  const sending = await stage.proxy([tcp(staged.port, { action: { sendProxyProtocol: 1 } })]);
  const second = stage.connect(sending.port).end('1234567');
  await second.gets('1234567');
  assert.deepEqual((await sending.ended()).bytes, { fromClient: 7, toClient: 7 });
  assert.deepEqual((await staged.ended(2)).bytes, { fromClient: 7, toClient: 7 });
});

// M1
test('TLS that passes through is counted as it is on the wire', async (t) => {
  const stage = scoped(t, new Stage());
  const { cert, key } = certify('a.test');
  const server = createTlsServer({ cert, key }, (socket) => {
    socket.on('data', (bytes) => socket.end(bytes)).on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const staged = await stage.proxy([tls('a.test', (server.address() as AddressInfo).port)]);
  // The raw socket below TLS counts what is on the wire.
  const raw = stage.connect(staged.port, { allowHalfOpen: false }).socket;
  raw.removeAllListeners('data').pause();
  const client = connectTls({ socket: raw, servername: 'a.test', ca: cert });
  client.write('over TLS');
  const [answer] = (await once(client, 'data')) as [Buffer];
  assert.equal(String(answer), 'over TLS');
  client.resume();
  await once(client, 'close');
  const { bytes, tls: summary } = await staged.ended();
  assert.deepEqual(summary, { mode: 'passthrough', serverName: 'a.test', alpn: [] });
  assert.deepEqual(bytes, counted(raw));
  assert.ok(bytes.fromClient > 300 && bytes.toClient > 500);
  server.close();
});

test('live connections are in the sums, and each ended one is in exactly one place', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const staged = await stage.proxy(
    [
      tcp(backend.port),
      tcp(await stage.deadPort(), { name: 'dead' }),
      acting({ type: 'block', how: 'reset' }),
    ],
    { limits: { maxConnections: 2 } },
  );
  const [one, two] = [stage.connect(staged.portOf('tcp')), stage.connect(staged.portOf('tcp'))];
  for (const client of [one, two]) await client.send('12345').gets('12345');
  await stage.connect(staged.portOf('tcp')).ending();
  const statistics = staged.proxy.getStatistics();
  assert.deepEqual(statistics.connections, { active: 2, opened: 2, terminated: 0, refused: 1 });
  assert.deepEqual(statistics.bytes, { fromClient: 10, toClient: 10 });
  assert.deepEqual(
    { ...statistics.audit, descriptors: null, timers: 2 },
    { records: 2, sockets: 2, flows: 0, addresses: 1, timers: 2, descriptors: null, consistent: true },
  );
  one.end();
  two.reset();
  await staged.settled(0);
  for (const route of ['dead', 'block']) {
    const client = stage.connect(staged.portOf(route)).send('x');
    await client.ending();
    client.end();
    await staged.settled(0);
  }
  const { connections, terminations, refusals, cleanup } = staged.proxy.getStatistics();
  assert.deepEqual(connections, { active: 0, opened: 4, terminated: 4, refused: 1 });
  assert.deepEqual(terminations, {
    'client-closed': 1,
    'client-reset': 1,
    'connect-refused': 1,
    blocked: 1,
  });
  assert.deepEqual([refusals, cleanup.graceful + cleanup.forced], [{ 'connection-limit': 1 }, 4]);
  await staged.proxy.stop();
  assert.deepEqual(staged.proxy.getStatistics().connections, connections);
});

/** Checks that everything that a peer reads is one byte, and counts what is not. */
function watch(peer: Peer, byte: number): { strange: number } {
  const seen = { strange: 0 };
  peer.onBytes = (bytes) => {
    for (const found of bytes) if (found !== byte) seen.strange++;
  };
  return seen;
}

// L26
test('not one byte of a connection appears in another, while one idles, one dials, and one is cut', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const slow = await stage.backend();
  const reached = Promise.withResolvers<string>();
  const staged = await stage.proxy([
    tcp(backend.port),
    tcp(0, { name: 'slow', action: { target: { host: () => reached.promise, port: slow.port } } }),
  ]);
  const names = ['bulk', 'idle', 'cut'];
  const clients = names.map(() => stage.connect(staged.portOf('tcp')));
  const letters = [0x61, 0x62, 0x63];
  const seen = [];
  for (const [index, client] of clients.entries()) {
    const letter = letters[index] as number;
    await client.connected();
    client.send(Buffer.alloc(100_000, letter));
    seen.push(watch(client, letter));
  }
  await eventually(
    'all have arrived',
    () => backend.peers.every(({ receivedBytes }) => receivedBytes === 100_000) && backend.peers.length === 3,
  );
  for (const server of backend.peers) {
    const letter = server.received[0] as number;
    assert.ok(server.received.equals(Buffer.alloc(100_000, letter)));
    seen.push(watch(server, letter));
  }
  const dialling = stage.connect(staged.portOf('slow')).send(Buffer.alloc(300_000, 0x64));
  const [bulk, idle, cut] = clients as [Peer, Peer, Peer];
  const serverOf = (letter: number) => backend.peers.find(({ received }) => received[0] === letter) as Peer;
  const [bulkServer, idleServer, cutServer] = letters.map(serverOf) as [Peer, Peer, Peer];
  const stream = (peer: Peer, letter: number, bytes: number): void => {
    const chunk = Buffer.alloc(256 * 1024, letter);
    for (let sent = 0; sent < bytes; sent += chunk.length) peer.send(chunk);
  };
  stream(bulkServer, letters[0] as number, 16 * 1024 * 1024);
  stream(bulk, letters[0] as number, 16 * 1024 * 1024);
  cut.socket.pause();
  stream(cutServer, letters[2] as number, 16 * 1024 * 1024);
  await eventually(
    'a write is pending',
    () => bulk.receivedBytes > 4 * 1024 * 1024 && cutServer.socket.writableNeedDrain,
  );
  cut.reset();
  idleServer.send(Buffer.alloc(70_000, letters[1]));
  reached.resolve('127.0.0.1');
  const slowServer = await slow.peer();
  const late = watch(slowServer, 0x64);
  await eventually('everything has come', () => {
    const whole = 16 * 1024 * 1024;
    return (
      bulk.receivedBytes === whole &&
      bulkServer.receivedBytes === whole + 100_000 &&
      idle.receivedBytes === 70_000 &&
      slowServer.receivedBytes === 300_000
    );
  });
  assert.equal(await cutServer.ending(), 'reset');
  assert.deepEqual(
    [...seen, late].map(({ strange }) => strange),
    [0, 0, 0, 0, 0, 0, 0],
  );
  dialling.reset();
});
