import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import tls from 'node:tls';
import { type ClientHello, ClientHelloParser } from '../../src/first-bytes/client-hello.ts';
import { sniffProtocol } from '../../src/first-bytes/protocol-sniff.ts';
import {
  captureFirstBytes,
  inRecords,
  runProgram,
  startClient,
  withoutRecords,
} from '../support/client-hellos.ts';

function isWholeRecord(bytes: Uint8Array): boolean {
  return bytes.length > 5 && bytes.length >= 5 + Buffer.from(bytes).readUInt16BE(3);
}

function captureNode(options: tls.ConnectionOptions): Promise<Uint8Array> {
  return captureFirstBytes(
    (port) => tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options }),
    isWholeRecord,
  );
}

function captureProgram(command: string, parameters: (port: number) => string[]): Promise<Uint8Array> {
  return captureFirstBytes((port) => startClient(command, parameters(port)), isWholeRecord);
}

/** Parses whole, at every split, byte by byte, and over two records wherever they are cut. */
function parseEveryWay(bytes: Uint8Array): ClientHello {
  const whole = new ClientHelloParser().push(bytes);
  assert.equal(whole.kind, 'hello', JSON.stringify(whole));
  const { length: _, ...fields } = whole as ClientHello;
  const bytewise = new ClientHelloParser();
  for (let at = 0; at < bytes.length; at++) {
    assert.equal(
      bytewise.push(bytes.subarray(at, at + 1)).kind,
      at + 1 < bytes.length ? 'incomplete' : 'hello',
    );
    const parser = new ClientHelloParser();
    parser.push(bytes.subarray(0, at));
    assert.deepEqual(parser.push(bytes.subarray(at)), whole);
  }
  const message = withoutRecords(bytes);
  for (let at = 1; at < message.length; at++) {
    const recut = inRecords(message, [at, message.length]);
    assert.deepEqual(new ClientHelloParser().push(recut), { ...fields, kind: 'hello', length: recut.length });
  }
  return whole as ClientHello;
}

// T1, T2, T5
test('the hello of Node, with the largest key share it has, is read at every split', async () => {
  const bytes = await captureNode({ servername: 'Node.A.test', ALPNProtocols: ['h2', 'http/1.1'] });
  const hello = parseEveryWay(bytes);
  assert.equal(hello.serverName, 'node.a.test');
  assert.deepEqual(hello.alpn, ['h2', 'http/1.1']);
  assert.deepEqual(hello.versions, ['TLSv1.3', 'TLSv1.2']);
  assert.deepEqual([hello.resumes, hello.ech, hello.earlyData], [false, false, false]);
  assert.equal(hello.length, bytes.length);
});

// T1
test('a real post-quantum hello, where this OpenSSL can make one, is over 1.5 KB and read at every split', async () => {
  const hasGroup = Number.parseFloat(process.versions.openssl) >= 3.5;
  const bytes = await captureNode({
    servername: 'pq.test',
    ...(hasGroup && { ecdhCurve: 'X25519MLKEM768' }),
  });
  if (hasGroup) assert.ok(bytes.length > 1400, String(bytes.length));
  assert.equal(parseEveryWay(bytes).serverName, 'pq.test');
});

// T1, T2
test('the hello of openssl s_client is read at every split', async () => {
  const bytes = await captureProgram('openssl', (port) => [
    's_client',
    '-connect',
    `127.0.0.1:${port}`,
    '-servername',
    'openssl.a.test',
    '-alpn',
    'h2,acme-tls/1',
  ]);
  const hello = parseEveryWay(bytes);
  assert.deepEqual([hello.serverName, hello.alpn], ['openssl.a.test', ['h2', 'acme-tls/1']]);
});

test('openssl s_client with TLS 1.2 alone and without a name', async () => {
  const bytes = await captureProgram('openssl', (port) => [
    's_client',
    '-connect',
    `127.0.0.1:${port}`,
    '-tls1_2',
    '-noservername',
  ]);
  const hello = parseEveryWay(bytes);
  assert.deepEqual([hello.serverName, hello.versions, hello.resumes], [null, ['TLSv1.2'], false]);
});

// T1, T2
test('the hello of curl is read at every split', async () => {
  const bytes = await captureProgram('curl', (port) => [
    '-sk',
    '--noproxy',
    '*',
    '--resolve',
    `curl.a.test:${port}:127.0.0.1`,
    `https://curl.a.test:${port}/`,
  ]);
  const hello = parseEveryWay(bytes);
  assert.deepEqual([hello.serverName, hello.alpn], ['curl.a.test', ['h2', 'http/1.1']]);
});

// T10
test('curl in clear text is told as HTTP, with prior knowledge of HTTP/2 as that', async () => {
  const plain = await captureFirstBytes(
    (port) => startClient('curl', ['-s', '--noproxy', '*', `http://127.0.0.1:${port}/x`]),
    (bytes) => bytes.length > 10,
  );
  assert.equal(sniffProtocol(plain), 'http');
  const http2 = await captureFirstBytes(
    (port) =>
      startClient('curl', ['-s', '--noproxy', '*', '--http2-prior-knowledge', `http://127.0.0.1:${port}/x`]),
    (bytes) => bytes.length > 10,
  );
  assert.equal(sniffProtocol(http2), 'http2');
});

/** A session of a real server, as the client keeps it. */
async function makeSession(
  maxVersion: tls.SecureVersion,
  serverOptions: tls.TlsOptions = {},
): Promise<Buffer> {
  const pem = runProgram(
    'openssl',
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=a.test -keyout -'.split(' '),
  );
  const server = tls.createServer({ key: pem, cert: pem, ...serverOptions }, (socket) => {
    socket.on('error', () => {});
    socket.end('.');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = tls.connect({
    host: '127.0.0.1',
    port,
    servername: 'a.test',
    rejectUnauthorized: false,
    maxVersion,
  });
  client.resume();
  const [session] = (await once(client, 'session')) as [Buffer];
  client.destroy();
  server.close();
  await once(server, 'close');
  return session;
}

test('a real resumption is told: TLS 1.3, a TLS 1.2 ticket, a TLS 1.2 session id', async () => {
  const { SSL_OP_NO_TICKET } = (await import('node:crypto')).constants;
  const cases: [tls.SecureVersion, tls.TlsOptions][] = [
    ['TLSv1.3', {}],
    ['TLSv1.2', {}],
    ['TLSv1.2', { secureOptions: SSL_OP_NO_TICKET }],
  ];
  for (const [maxVersion, serverOptions] of cases) {
    const session = await makeSession(maxVersion, serverOptions);
    const bytes = await captureNode({ servername: 'a.test', session, maxVersion });
    assert.equal(parseEveryWay(bytes).resumes, true, maxVersion);
  }
});

test('nothing is left: no socket, server or child process keeps this process alive', async () => {
  const held = () => process.getActiveResourcesInfo().filter((what) => /TCP|Process|TLS/.test(what));
  // A closed handle is listed until its closing was told, a few turns later.
  for (let turn = 0; turn < 100 && held().length > 0; turn++) await setImmediate();
  assert.deepEqual(held(), []);
});
