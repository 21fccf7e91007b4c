import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import {
  buildHello,
  buildHelloMessage,
  captureFirstBytes,
  type HelloDescription,
  inRecords,
} from '../support/client-hellos.ts';
import { eventually } from '../support/eventually.ts';
import { scoped } from '../support/scoped.ts';
import { SkippingClock } from '../support/skipping-clock.ts';
import { tcp, tls } from './routes.ts';
import { type Backend, Stage, type StagedProxy } from './stage.ts';

const unrecognizedName = Uint8Array.of(21, 3, 3, 0, 2, 2, 112);

/** A backend for a.test, one for every other name, and both behind one port. */
async function named(stage: Stage): Promise<{ staged: StagedProxy; wanted: Backend; fallback: Backend }> {
  const [wanted, fallback] = [await stage.backend(), await stage.backend()];
  const staged = await stage.proxy([tls('a.test', wanted.port), tls('*', fallback.port)]);
  return { staged, wanted, fallback };
}

/** Sends pieces so that each is read by itself, and checks who gets what. */
async function arrives(
  { staged, wanted, fallback }: Awaited<ReturnType<typeof named>>,
  stage: Stage,
  pieces: Uint8Array[],
): Promise<void> {
  const [index, before] = [wanted.peers.length, staged.endings.length];
  const client = stage.connect(staged.port);
  await client.connected();
  let sent = 0;
  for (const piece of pieces) {
    client.send(piece);
    sent += piece.length;
    await eventually('the piece was read', () => staged.live.at(-1)?.bytes.fromClient === sent);
  }
  const server = await wanted.peer(index);
  await server.gets(Buffer.concat(pieces));
  assert.equal(fallback.peers.length, 0);
  client.reset();
  await staged.ended(before + 1);
}

/** What a real client begins with. */
async function realHello(options: { ecdhCurve?: string } = {}): Promise<Uint8Array> {
  const connect = (port: number) =>
    connectTls({ port, host: '127.0.0.1', servername: 'a.test', ALPNProtocols: ['h2'], ...options });
  return captureFirstBytes(
    connect,
    (bytes) => bytes.length > 5 && bytes.length >= 5 + Buffer.from(bytes).readUInt16BE(3),
  );
}

// T1
test('a post-quantum hello with the name at its end is routed whole, at any split', async (t) => {
  const hello = buildHello({ serverName: 'a.test', keyShareBytes: 1500, alpn: ['h2'] });
  assert.ok(hello.length > 1600);
  const stage = scoped(t, new Stage());
  const scene = await named(stage);
  for (const at of [1, 2, 5, 9, 43, 700, 1599, hello.length - 7, hello.length - 1]) {
    await arrives(scene, stage, [hello.subarray(0, at), hello.subarray(at)]);
  }
  const pieces = Array.from({ length: Math.ceil(hello.length / 97) }, (_, piece) =>
    hello.subarray(piece * 97, (piece + 1) * 97),
  );
  await arrives(scene, stage, pieces);
});

// T1
test('the hello of a real client is routed whole, at any split', async (t) => {
  const postQuantum = Number.parseFloat(process.versions.openssl) >= 3.5;
  const hello = await realHello(postQuantum ? { ecdhCurve: 'X25519MLKEM768' } : {});
  const stage = scoped(t, new Stage());
  const scene = await named(stage);
  for (const at of [1, 6, 100, hello.length - 1]) {
    await arrives(scene, stage, [hello.subarray(0, at), hello.subarray(at)]);
  }
});

// T2
test('a hello over many records is never taken for another name or for none', async (t) => {
  const stage = scoped(t, new Stage());
  const scene = await named(stage);
  const message = buildHelloMessage({ serverName: 'a.test', keyShareBytes: 1216 });
  for (const sizes of [[1, 20_000], [2, 20_000], [3, 20_000], [4, 20_000], [1], [100], [1400, 7]]) {
    const hello = inRecords(message, sizes);
    await arrives(scene, stage, [hello.subarray(0, 7), hello.subarray(7)]);
  }
});

// T3
test('a hello over the limit is turned away, and never taken for plain text', async (t) => {
  const stage = scoped(t, new Stage());
  const [plain, encrypted] = [await stage.backend(), await stage.backend()];
  const limits = { initialDataBytes: 1024 };
  const ports = await stage.deadPort();
  const routes = [tls('a.test', encrypted.port, { limits }), tcp(plain.port)];
  const staged = await stage.proxy(routes.map((route) => ({ ...route, match: { ...route.match, ports } })));
  const client = stage.connect(staged.port).send(buildHello({ serverName: 'a.test', keyShareBytes: 1216 }));
  assert.equal(await client.ending(), 'fin');
  assert.equal(client.received[0], 21, 'an alert');
  client.end();
  await staged.endedAs('initial-data-too-large in reading-first-bytes');
  assert.equal(plain.peers.length + encrypted.peers.length, 0);
});

// T4
test('a hello that comes byte by byte ends by the deadline for all of it', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const backend = await stage.backend();
  const timeouts = { initialDataMs: 100_000 };
  const staged = await stage.proxy([tls('a.test', backend.port, { timeouts })], {}, { clock });
  const client = stage.connect(staged.port);
  const hello = buildHello();
  for (let sent = 1; sent <= 9; sent++) {
    client.send(hello.subarray(sent - 1, sent));
    await eventually('the byte was read', () => staged.live[0]?.bytes.fromClient === sent);
    clock.skip(10_000);
  }
  assert.equal(staged.active, 1);
  clock.skip(11_000);
  await client.ending();
  client.end();
  const { bytes } = await staged.endedAs('initial-data-timeout in reading-first-bytes');
  assert.deepEqual([bytes.fromClient, backend.peers.length], [9, 0]);
});

// T5
test('unknown extensions are passed over, and an ECH hello goes by its outer name and says so', async (t) => {
  const stage = scoped(t, new Stage());
  const grease: HelloDescription = {
    serverName: 'a.test',
    before: [[0x0a0a, new Uint8Array(0)]],
    after: [[0xfafa, new Uint8Array(1)]],
  };
  // ECHClientHello of type outer: KDF, AEAD, config id, encapsulated key, payload.
  const outer = Uint8Array.of(0, 0, 1, 0, 1, 7, 0, 1, 9, 0, 1, 8);
  const scene = await named(stage);
  await arrives(scene, stage, [buildHello(grease)]);
  await arrives(scene, stage, [buildHello({ serverName: 'a.test', before: [[0xfe0d, outer]] })]);
  const hellos = scene.staged.endings.map(({ events }) => events.find(({ what }) => what === 'hello'));
  assert.deepEqual(
    hellos.map((hello) => hello?.ech ?? 'none'),
    ['none', 'outer'],
  );
});

// T6
test('every kind of strange name has one outcome, and is safe to log', async (t) => {
  const stage = scoped(t, new Stage());
  const { staged, wanted, fallback } = await named(stage);
  const routed: [string, string | null][] = [
    ['A.TeSt', 'a.test'],
    ['a.test.', 'a.test'],
    ['192.0.2.1', null],
  ];
  let count = 0;
  for (const [name, seen] of routed) {
    const client = stage.connect(staged.port).send(buildHello({ serverName: name }));
    await eventually('it arrives', () => wanted.peers.length + fallback.peers.length === count + 1);
    client.reset();
    const { tls: summary, route } = await staged.ended(++count);
    assert.deepEqual([summary?.serverName, route], [seen, seen === null ? '*' : 'a.test'], name);
  }
  const refused = [
    '',
    'a\0.test',
    'ä.test',
    'a..test',
    ' a.test',
    '*.test',
    'a.test\n{"fake":1}',
    'x'.repeat(64),
  ];
  for (const name of refused) {
    const client = stage.connect(staged.port).send(buildHello({ serverName: name }));
    assert.equal(await client.ending(), 'fin');
    assert.equal(client.received[0], 21, 'an alert');
    client.end();
    const { termination, tls: summary } = await staged.ended(++count);
    assert.deepEqual([termination?.reason, summary], ['invalid-hello', null], JSON.stringify(name));
  }
  const doubled = buildHello({ serverName: 'a.test', before: [[0, Uint8Array.of(0, 4, 0, 0, 1, 97)]] });
  const client = stage.connect(staged.port).send(doubled);
  await client.ending();
  client.end();
  assert.equal((await staged.ended(++count)).termination?.reason, 'invalid-hello');
  assert.ok(!JSON.stringify(staged.log).includes('fake'));
});

// T7
test('a client without a name takes the route for every name', async (t) => {
  const stage = scoped(t, new Stage());
  const { staged, wanted, fallback } = await named(stage);
  const hello = buildHello({ serverName: null });
  const client = stage.connect(staged.port).send(hello);
  await (await fallback.peer()).gets(hello);
  assert.equal(wanted.peers.length, 0);
  client.reset();
  await staged.ended();
});

// T7
test('where no route takes the name, or no name, the client gets an alert that says so', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const staged = await stage.proxy([tls('a.test', backend.port)]);
  for (const [index, serverName] of [null, 'b.test', 'sub.a.test'].entries()) {
    const client = stage.connect(staged.port).send(buildHello({ serverName }));
    assert.equal(await client.ending(), 'fin');
    await client.gets(unrecognizedName);
    client.end();
    const { termination, route } = await staged.ended(index + 1);
    assert.deepEqual([termination?.reason, termination?.phase, route], ['no-route', 'routing', null]);
  }
  const real = connectTls({ port: staged.port, host: '127.0.0.1', servername: 'b.test' });
  const error = await new Promise<Error>((resolve) => {
    real.once('error', resolve);
  });
  assert.match(error.message, /unrecognized name/i);
  await staged.ended(4);
  assert.equal(backend.peers.length, 0);
});

// T9
test('a client that leaves in mid-hello, at any byte, leaves nothing', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const staged = await stage.proxy([tls('a.test', backend.port)]);
  const hello = buildHello({ keyShareBytes: 1216 });
  let count = 0;
  for (const at of [0, 1, 5, 6, 9, 44, 500, hello.length - 1]) {
    for (const how of ['reset', 'end'] as const) {
      const client = await stage.connect(staged.port).connected();
      if (at > 0) client.send(hello.subarray(0, at));
      const read = () => staged.live.at(-1)?.bytes.fromClient === at && staged.active === 1;
      await eventually('it was read', read);
      client[how]();
      const { termination } = await staged.ended(++count);
      assert.deepEqual(
        [termination?.reason, termination?.phase],
        [how === 'reset' ? 'client-reset' : 'client-closed', 'reading-first-bytes'],
      );
    }
  }
  assert.equal(backend.peers.length, 0);
});

// T10
test('clear-text HTTP on a TLS port is answered with a 400, and garbage is closed', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend();
  const staged = await stage.proxy([tls('a.test', backend.port)]);
  const http = stage.connect(staged.port).send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
  assert.equal(await http.ending(), 'fin');
  assert.match(http.text, /^HTTP\/1\.1 400 Bad Request\r\n/);
  http.end();
  const { termination } = await staged.ended();
  assert.equal(termination?.initiator, 'proxy');
  for (const [index, garbage] of ['\0\0\0\0', 'SSH-2.0-x\r\n', '\x16\x02garbage', 'QUIT\r\n'].entries()) {
    const client = stage.connect(staged.port).send(garbage);
    await client.ending();
    client.end();
    const ending = await staged.ended(index + 2);
    assert.match(ending.termination?.reason ?? '', /^(invalid-hello|no-route)$/);
    assert.equal(ending.route, null);
  }
  assert.equal(backend.peers.length, 0);
});

// T10
test('what an HTTP port cannot understand is answered with an error, and an empty line is no fault', async (t) => {
  const stage = scoped(t, new Stage());
  const staged = await stage.proxy([
    {
      name: 'http',
      match: { ports: 0, address: '127.0.0.1', protocol: 'http' },
      action: { type: 'respond', status: 200, body: 'ok' },
    },
  ]);
  const garbage = { 'get / HTTP/1.1\r\n\r\n': 501, '\0\x01\x02\x03': 400, 'SSH-2.0-x\r\n': 400 };
  for (const [index, [bytes, status]] of Object.entries(garbage).entries()) {
    const client = stage.connect(staged.port, { allowHalfOpen: false }).send(bytes);
    assert.equal(await client.ending(), 'fin', bytes);
    assert.match(client.text, new RegExp(`^HTTP/1\\.1 ${status} `), bytes);
    const ending = await staged.ended(index + 1);
    assert.equal(ending.termination?.reason, 'invalid-request', bytes);
  }
  const early = stage.connect(staged.port, { allowHalfOpen: false });
  early.send('\r\nGET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n');
  assert.equal(await early.ending(), 'fin');
  assert.match(early.text, /^HTTP\/1\.1 200 OK\r\n/);
  // P3
  const header = stage.connect(staged.port, { allowHalfOpen: false });
  header.send('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
  assert.equal(await header.ending(), 'fin');
  assert.equal(header.text, '');
  assert.equal((await staged.ended(5)).termination?.reason, 'no-route');
});

// T10
test('TLS on a plain TCP port is relayed as the bytes that it is', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.echo();
  const staged = await stage.proxy([tcp(backend.port)]);
  const hello = buildHello();
  const client = stage.connect(staged.port).end(hello);
  await client.gets(hello);
  await staged.endedAs('client-closed');
});

// T10
test('silence on a TLS port ends by its deadline', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const backend = await stage.backend();
  const staged = await stage.proxy([tls('a.test', backend.port)], {}, { clock });
  const client = stage.connect(staged.port);
  await staged.inState('reading-first-bytes');
  clock.skip(15_001);
  assert.equal(await client.ending(), 'fin');
  client.end();
  await staged.endedAs('initial-data-timeout in reading-first-bytes');
});

// L18
test('a server that speaks first is heard at once by a client that says nothing', async (t) => {
  const stage = scoped(t, new Stage());
  // Time stands still for the deadline of the first bytes: only not waiting for it helps.
  const backend = await stage.backend((peer) => peer.send('220 ready\r\n'));
  const staged = await stage.proxy([tcp(backend.port, { timeouts: { initialDataMs: 0 } })]);
  const client = stage.connect(staged.port);
  await client.gets('220 ready\r\n');
  client.send('QUIT\r\n');
  const server = await backend.peer();
  await server.gets('QUIT\r\n');
  server.end();
  client.end();
  await staged.ended();
});

// L21
test('health checks that connect and close leave no record and one quiet line each', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend(({ socket }) => socket.on('end', () => socket.end()));
  const staged = await stage.proxy([tls('a.test', backend.port), tcp(backend.port)]);
  const names = ['a.test', 'tcp'];
  // From more in a second the log makes a count.
  for (let round = 0; round < 20; round++) {
    const client = await stage.connect(staged.portOf(names[round % 2] as string)).connected();
    client.socket.destroy();
    await client.gone();
  }
  await staged.ended(20);
  await eventually('the backend has nobody', () => backend.peers.every(({ closed }) => closed));
  const lines = staged.log.filter(({ event }) => event !== 'ready');
  assert.deepEqual(
    [lines.length, ...new Set(lines.map(({ level, event }) => `${level} ${event}`))],
    [20, 'info connection-closed'],
  );
  assert.deepEqual(staged.reasons(), { 'client-closed': 20 });
});
