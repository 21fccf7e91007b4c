import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type tls from 'node:tls';
import { systemClock } from '../../src/base/clock.ts';
import { SmartProxyError } from '../../src/base/errors.ts';
import { LocalAuthority } from '../../src/certificates/local-authority.ts';
import type { RouteCertificates } from '../../src/certificates/route-certificates.ts';
import { hasPrograms, programPath } from '../support/debian.ts';
import { eventually } from '../support/eventually.ts';
import { holdings, holdsNoMoreThan } from '../support/nothing-left.ts';
import { authority, ca, inline, Rig, rule } from './rig.ts';
import { asking, TerminatingServer, TlsClient } from './terminating-server.ts';

const before = holdings();

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  // T11
  test(`${version}: a new certificate serves new handshakes; connections live on, sessions resume`, async (t) => {
    const rig = new Rig(t);
    const oldSerial = await rig.write('a.test');
    const server = await rig.serve([rule(['a.test'], { certificate: rig.files })]);
    const connect = (options: tls.ConnectionOptions = {}) =>
      TlsClient.connect(server.port, { servername: 'a.test', ca, maxVersion: version, ...options });

    const live = await connect();
    assert.equal(live.serialNumber, oldSerial);
    await eventually('a ticket came', () => live.session !== undefined);
    const newSerial = await rig.write('a.test');
    await eventually('the new certificate serves', () => {
      rig.clock.skip(3000);
      return rig.log.events().includes('certificate-reloaded');
    });

    const fresh = await connect();
    assert.equal(fresh.serialNumber, newSerial);
    assert.equal(rig.contexts.size, 1, 'the old context is gone');
    const resumed = await connect({ session: live.session! });
    assert.ok(resumed.socket.isSessionReused());
    for (const client of [live, fresh, resumed]) {
      client.socket.write('still here\n');
      await eventually('it is answered', () => client.received.endsWith('still here\n'));
      await client.close();
    }
    assert.deepEqual(server.failures, []);
  });
}

test('each name gets the certificate of its own settings', async (t) => {
  const rig = new Rig(t);
  const server = await rig.serve([
    rule(['*'], { certificate: await inline('fallback.test') }),
    rule(['*.a.test'], { certificate: await inline('*.a.test') }),
    rule(['x.a.test'], { certificate: await inline('x.a.test') }),
  ]);
  const shown = async (servername: string | undefined) => {
    const client = await TlsClient.connect(server.port, {
      ...(servername !== undefined && { servername }),
      ca,
      checkServerIdentity: () => undefined,
    });
    const subject = client.socket.getPeerX509Certificate()?.subject;
    await client.close();
    return subject;
  };
  assert.equal(await shown('x.a.test'), 'CN=x.a.test');
  assert.equal(await shown('y.a.test'), 'CN=*.a.test');
  assert.equal(await shown('other.test'), 'CN=fallback.test');
  assert.equal(await shown('X.A.Test'), 'CN=x.a.test');
});

test('the local authority serves names of development without being asked to, and curl verifies them', async (t) => {
  if (!hasPrograms(t, 'curl')) return;
  const rig = new Rig(t);
  const rules = [rule(['*.localhost', 'shop.test'], {})];
  const source = await rig.load(rules);
  const server = https.createServer({ SNICallback: asking(() => source, rules) }, (_, response) => {
    response.end('hello');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  rig.workspace.onEnd(() => once(server.close(), 'close'));
  const file = rig.workspace.path('state/local-authority/authority.pem');
  for (const name of ['app.localhost', 'deep.app.localhost', 'shop.test']) {
    const output = await rig.workspace.run(programPath('curl'), [
      ...['-sS', '--max-time', '20', '--cacert', file],
      ...['--connect-to', `${name}:443:127.0.0.1:${port}`, `https://${name}/`],
    ]);
    assert.equal(output, 'hello');
  }
  assert.deepEqual(
    source.list().map(({ source: from, names }) => [from, ...names]),
    [
      ['local', 'app.localhost'],
      ['local', 'deep.app.localhost'],
      ['local', 'shop.test'],
    ],
  );
});

test('a client that gives no name gets a certificate for the address that it came to', async (t) => {
  const rig = new Rig(t);
  const any = rule(null, { certificate: 'local' });
  const source = await rig.load([any]);
  const certificate = await source.certificateFor(any.tls, { name: null, localAddress: '127.0.0.1' });
  assert.ok(!(certificate instanceof SmartProxyError));
  assert.deepEqual(certificate.names, ['127.0.0.1']);
  const server = await new TerminatingServer(source, [any], certificate).listen(rig.workspace);
  const { certificate: local } = await rig.local.prepare();
  const client = await TlsClient.connect(server.port, { ca: local });
  await client.close();
  assert.ok(client.socket.authorized);
});

test('handshakes for a name that is being issued share one certificate', async (t) => {
  const rig = new Rig(t);
  const server = await rig.serve([rule(['*.test'], { certificate: 'local' })]);
  const { certificate } = await rig.local.prepare();
  const clients = await Promise.all(
    Array.from({ length: 20 }, () =>
      TlsClient.connect(server.port, { servername: 'a.test', ca: certificate }),
    ),
  );
  assert.equal(new Set(clients.map(({ serialNumber }) => serialNumber)).size, 1);
  for (const client of clients) await client.close();
});

test('a name that no certificate can say ends the handshake only', async (t) => {
  const rig = new Rig(t);
  const server = await rig.serve([rule(['*.test'], { certificate: 'local' })]);
  await assert.rejects(TlsClient.connect(server.port, { servername: 'a_b..test', ca }));
  assert.equal(server.failures[0], 'certificate-refused');
  const { certificate } = await rig.local.prepare();
  await (await TlsClient.connect(server.port, { servername: 'a.test', ca: certificate })).close();
});

// T11
test('a reload keeps the contexts and local certificates that did not change', async (t) => {
  const rig = new Rig(t);
  await rig.write('a.test');
  const rules = [rule(['a.test'], { certificate: rig.files }), rule(['*.test'], {})];
  const server = await rig.serve(rules);
  const local = (await rig.local.prepare()).certificate;
  const connect = (servername: string) =>
    TlsClient.connect(server.port, { servername, ca: servername === 'a.test' ? ca : local });
  const old = [await connect('a.test'), await connect('b.test')];
  const before = server.source;
  server.source = await rig.load([...rules, rule(['c.test'], { certificate: await inline('c.test') })]);
  (before as RouteCertificates).close();
  const fresh = [await connect('a.test'), await connect('b.test')];
  assert.deepEqual(
    fresh.map(({ serialNumber }) => serialNumber),
    old.map(({ serialNumber }) => serialNumber),
  );
  assert.equal(rig.contexts.size, 2);
  for (const client of [...old, ...fresh]) {
    client.socket.write('alive\n');
    await eventually('it is answered', () => client.received.endsWith('alive\n'));
    await client.close();
  }
});

test('clients are asked for the certificates of the route’s own authority', async (t) => {
  const rig = new Rig(t);
  const settings = { certificate: await inline('a.test'), clientAuth: { ca } };
  const server = await rig.serve([rule(['a.test'], settings)], {
    requestCert: true,
    rejectUnauthorized: false,
  });
  const stranger = await LocalAuthority.create({ clock: systemClock, name: 'Stranger' });
  const authorized = async (identity: { cert: string; key: string } | Record<string, never>) => {
    const client = await TlsClient.connect(server.port, { servername: 'a.test', ca, ...identity });
    await eventually('it is told', () => client.received.includes('\n'));
    await client.close();
    return client.received;
  };
  assert.equal(await authorized(await clientCertificate(rig)), 'authorized: true\n');
  assert.equal(await authorized(await stranger.issue(['me.test'])), 'authorized: false\n');
  assert.equal(await authorized({}), 'authorized: false\n');
});

test('afterwards no socket and no timer is left', async () => {
  await holdsNoMoreThan(before);
});

/** OpenSSL wants a client's certificate to be for clients: the authority's issue are for servers. */
async function clientCertificate(rig: Rig): Promise<{ cert: string; key: string }> {
  const files = {
    ca: rig.workspace.write('ca.pem', ca),
    caKey: rig.workspace.write('ca.key', authority.key),
  };
  const [cert, key] = [rig.workspace.path('client.pem'), rig.workspace.path('client.key')];
  await rig.workspace.run(programPath('openssl'), [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...[
      '-subj',
      '/CN=client',
      '-addext',
      'extendedKeyUsage=clientAuth',
      '-addext',
      'basicConstraints=CA:FALSE',
    ],
    ...['-CA', files.ca, '-CAkey', files.caKey, '-out', cert, '-keyout', key],
  ]);
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
}
