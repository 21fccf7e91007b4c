import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type tls from 'node:tls';
import type { Route } from '../../../src/config/schema.ts';
import { Stage } from '../../smart-proxy/stage.ts';
import { selfSigned } from '../../support/certificates.ts';
import { programPath } from '../../support/debian.ts';
import { eventually } from '../../support/eventually.ts';
import { scoped } from '../../support/scoped.ts';
import { SkippingClock } from '../../support/skipping-clock.ts';
import { Workspace } from '../../support/workspace.ts';
import { type Certificate, helloOf, serve, site, TlsClient } from './site.ts';

let workspace: Workspace;
let certificate: Certificate;

before(async () => {
  workspace = new Workspace('handshakes');
  const { cert, key } = await selfSigned(workspace, 'a.test');
  certificate = { cert, key };
});
after(() => workspace.end());

test('a request is read where its TLS ends, and the connection stays for the next', async (t) => {
  const stage = scoped(t, new Stage());
  const proxy = await serve(stage, [site('a.test', { certificate, alpn: ['http/1.1'] })]);
  const client = await TlsClient.connect(proxy.port, {
    servername: 'a.test',
    ca: certificate.cert,
    rejectUnauthorized: true,
    ALPNProtocols: ['http/1.1'],
  });
  assert.equal(client.socket.alpnProtocol, 'http/1.1');
  assert.deepEqual(await client.get('a.test'), { status: 200, body: 'a.test says hello' });
  assert.deepEqual(await client.get('a.test'), { status: 200, body: 'a.test says hello' });
  const [record] = proxy.live;
  assert.equal(record?.state, 'established');
  assert.equal(record?.viaNetworkProxy, true);
  const { networkProxy } = proxy.proxy.getStatistics();
  assert.equal(networkProxy.connectedClients, 1);
  assert.equal(networkProxy.portProxyConnections, 1);
  assert.equal(networkProxy.tlsTerminatedConnections, 1);
  assert.equal(networkProxy.requests, 2);
  client.socket.end();
  const ending = await proxy.endedAs('client-closed in half-closed');
  const established = ending.events.find(({ what }) => what === 'tls-established');
  assert.equal(established?.version, 'TLSv1.3');
  assert.equal(established?.alpn, 'http/1.1');
  await eventually('the client hears close_notify', () => client.ended);
  assert.equal(proxy.proxy.getStatistics().networkProxy.connectedClients, 0);
});

// M1
test('bytes of a terminated connection are those on the wire', async (t) => {
  const stage = scoped(t, new Stage());
  const proxy = await serve(stage, [site('a.test', { certificate })]);
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const client = await TlsClient.connect(proxy.port, { servername: 'a.test', maxVersion });
    await client.get('a.test');
    client.socket.end();
    await eventually('the client is closed', () => client.closed);
    const { bytes } = await proxy.ended(maxVersion === 'TLSv1.2' ? 1 : 2);
    assert.deepEqual(bytes, { fromClient: client.raw.bytesWritten, toClient: client.raw.bytesRead });
  }
});

/** The trail's word on why a handshake failed. */
function whyFailed(ending: { events: readonly { what: string; [detail: string]: unknown }[] }): unknown {
  return ending.events.find(({ what }) => what === 'tls-failed')?.reason;
}

// T12
test('a handshake that fails says why, in the words of OpenSSL, and is counted', async (t) => {
  const stage = scoped(t, new Stage());
  const proxy = await serve(stage, [
    site('a.test', { certificate, minVersion: 'TLSv1.3', alpn: ['http/1.1'] }),
  ]);
  const failing: [options: tls.ConnectionOptions, reason: RegExp, client: string][] = [
    [{ maxVersion: 'TLSv1.2' }, /unsupported protocol/, 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'],
    [{ ALPNProtocols: ['spdy/3'] }, /no application protocol/, 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL'],
    [
      { sigalgs: 'rsa_pss_rsae_sha256' },
      /no suitable signature algorithm/,
      'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
    ],
  ];
  for (const [index, [options, reason, code]] of failing.entries()) {
    const client = new TlsClient(proxy.port, { servername: 'a.test', ...options });
    assert.equal(await client.failure(), code);
    const ending = await proxy.ended(index + 1);
    assert.equal(ending.termination?.reason, 'tls-handshake-failed');
    assert.equal(ending.termination?.phase, 'handed-over');
    assert.match(String(whyFailed(ending)), reason);
    assert.doesNotMatch(String(ending.termination?.error?.message), /:error:|statem/);
  }
  const openssl = workspace.start(programPath('openssl'), [
    ...['s_client', '-connect', `127.0.0.1:${proxy.port}`, '-servername', 'a.test', '-verify_return_error'],
  ]);
  assert.equal(await openssl.exited(), 1);
  assert.match(String(whyFailed(await proxy.ended(4))), /alert unknown ca/);
  assert.equal(proxy.reasons()['tls-handshake-failed'], 4);
  assert.equal(proxy.proxy.getStatistics().networkProxy.tlsTerminatedConnections, 0);
});

// T12
test('a client that stops in the middle of the handshake is told apart from one that resets', async (t) => {
  const stage = scoped(t, new Stage());
  const proxy = await serve(stage, [site('a.test', { certificate })]);
  const hello = await helloOf({ servername: 'a.test' });
  stage.connect(proxy.port).send(hello).end();
  assert.equal((await proxy.ended()).termination?.reason, 'client-closed');
  const resetting = await stage.connect(proxy.port).send(hello).connected();
  await eventually('the server has answered', () => resetting.receivedBytes > 0);
  resetting.reset();
  assert.equal((await proxy.ended(2)).termination?.reason, 'client-reset');
});

test('a handshake that is not finished in time is over', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const route = { ...site('a.test', { certificate }), timeouts: { tlsHandshakeMs: 500_000 } };
  const proxy = await serve(stage, [route], {}, clock);
  const peer = stage.connect(proxy.port).send(await helloOf({ servername: 'a.test' }));
  await eventually('the server has answered', () => peer.receivedBytes > 0);
  clock.skip(500_001);
  await proxy.endedAs('tls-handshake-timeout in handed-over');
  assert.equal(await peer.ending(), 'fin');
});

// T10
test('clear text on a port of terminated sites, and TLS on a clear one, are told so', async (t) => {
  const stage = scoped(t, new Stage());
  const clear: Route = {
    name: 'clear',
    match: { ports: 0, address: '127.0.0.2', protocol: 'http' },
    action: { type: 'respond', status: 200, body: 'clear' },
  };
  const proxy = await serve(stage, [site('a.test', { certificate }), clear]);
  const plain = stage
    .connect(proxy.portOf('a.test'), { allowHalfOpen: false })
    .send('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
  assert.equal(await plain.ending(), 'fin');
  assert.match(plain.text, /^HTTP\/1\.1 400 /);
  assert.equal((await proxy.ended()).termination?.reason, 'invalid-hello');
  const garbage = stage.connect(proxy.portOf('a.test'), { allowHalfOpen: false }).send('\x00\x01garbage');
  assert.equal(await garbage.ending(), 'fin');
  assert.equal((await proxy.ended(2)).termination?.reason, 'invalid-hello');
  const encrypted = new TlsClient(proxy.portOf('clear'), { servername: 'a.test' }, '127.0.0.2');
  assert.match(await encrypted.failure(), /UNRECOGNIZED_NAME/);
  assert.equal((await proxy.ended(3)).termination?.reason, 'no-route');
});

test('a client without a name gets the certificate of the address, with ALPN or without', async (t) => {
  const stage = scoped(t, new Stage());
  const route: Route = {
    name: 'any',
    match: { ports: 0, address: '127.0.0.1', domains: '*' },
    action: { type: 'respond', status: 200, body: 'any', tls: { certificate } },
  };
  const proxy = await serve(stage, [route]);
  for (const ALPNProtocols of [[], ['http/1.0', 'http/1.1']]) {
    const client = scoped(t, await TlsClient.connect(proxy.port, { ALPNProtocols }));
    assert.equal(client.socket.alpnProtocol, ALPNProtocols[1] ?? false);
    assert.match(String(client.socket.getPeerCertificate().subject.CN), /a\.test/);
    assert.equal((await client.get('b.test')).status, 200);
  }
});

test('a handler that takes whole connections gets what is inside TLS, and half a close each way', async (t) => {
  const stage = scoped(t, new Stage());
  const route: Route = {
    name: 'echo',
    match: { ports: 0, address: '127.0.0.1', domains: 'a.test' },
    action: {
      type: 'handler',
      tls: { certificate },
      handle: (stream) => {
        let heard = '';
        stream.on('data', (chunk) => {
          heard += chunk;
        });
        stream.on('end', () => stream.end(`heard ${heard}`));
      },
    },
  };
  const proxy = await serve(stage, [route]);
  const client = await TlsClient.connect(proxy.port, { servername: 'a.test', halfOpen: true });
  client.socket.end('hello');
  await eventually('the client hears the end', () => client.ended);
  assert.equal(client.received, 'heard hello');
  client.socket.destroy();
  await proxy.endedAs('client-closed in half-closed');
});

test('an abrupt ending resets the socket below, and TLS says nothing about an end', async (t) => {
  const stage = scoped(t, new Stage());
  const backend = await stage.backend((peer) => {
    peer.onBytes = () => {
      peer.send('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nthe beginning');
    };
  });
  const route: Route = {
    name: 'a.test',
    match: { ports: 0, address: '127.0.0.1', domains: 'a.test' },
    action: {
      type: 'forward',
      target: { host: '127.0.0.1', port: backend.port },
      tls: { mode: 'terminate', certificate },
    },
  };
  const proxy = await serve(stage, [route]);
  const client = await TlsClient.connect(proxy.port, { servername: 'a.test' });
  client.socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
  await eventually('the answer begins', () => client.received.includes('the beginning'));
  (await backend.peer()).reset();
  assert.equal(await client.failure(), 'ECONNRESET');
  assert.equal(client.ended, false);
  const { termination } = await proxy.ended();
  assert.equal(termination?.reason, 'target-reset');
});
