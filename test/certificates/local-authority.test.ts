import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { execPath } from 'node:process';
import { test } from 'node:test';
import tls from 'node:tls';
import { systemClock } from '../../src/base/clock.ts';
import { LocalAuthority } from '../../src/certificates/local-authority.ts';
import { hasPrograms, programPath } from '../support/debian.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { Workspace } from '../support/workspace.ts';

const authority = await LocalAuthority.create({ clock: systemClock, name: 'Test authority' });

test('a certificate names what it was issued for, and the authority vouches for it', async () => {
  const ca = new X509Certificate(authority.certificate);
  const issued = new X509Certificate(
    (await authority.issue(['a.test', '*.a.test', '127.0.0.1', '2001:db8::1'])).cert,
  );
  assert.ok(ca.ca && ca.checkIssued(ca) && ca.verify(ca.publicKey));
  assert.ok(!issued.ca && issued.checkIssued(ca) && issued.verify(ca.publicKey));
  assert.equal(issued.subject, 'CN=a.test');
  assert.equal(issued.checkHost('a.test'), 'a.test');
  assert.ok(issued.checkHost('deep.a.test') !== undefined);
  assert.equal(issued.checkHost('b.test'), undefined);
  assert.equal(issued.checkIP('127.0.0.1'), '127.0.0.1');
  assert.ok(issued.checkIP('2001:db8::1') !== undefined);
  assert.equal(issued.checkIP('127.0.0.2'), undefined);
});

test('a certificate is valid from a little before now for 90 days, the authority for 10 years', async () => {
  const clock = new VirtualClock();
  const own = await LocalAuthority.create({ clock, name: 'Ten years' });
  assert.equal(new Date(own.validToMs).toISOString(), '2035-12-30T00:00:00.000Z');
  const { validFromDate, validToDate } = new X509Certificate((await own.issue(['a.test'])).cert);
  assert.equal(validFromDate.toISOString(), '2025-12-31T23:00:00.000Z');
  assert.equal(validToDate.toISOString(), '2026-04-01T00:00:00.000Z');
});

test('no certificate outlives its authority, and an expired authority issues nothing', async () => {
  const clock = new VirtualClock();
  const young = await LocalAuthority.create({ clock, name: 'Young', validityMs: 3_600_000 });
  const { validToDate } = new X509Certificate((await young.issue(['a.test'])).cert);
  assert.equal(validToDate.toISOString(), '2026-01-01T01:00:00.000Z');
  clock.advance(3_600_000);
  await assert.rejects(young.issue(['a.test']), { code: 'local-authority-expired', source: 'config' });
});

test('OpenSSL verifies strictly what is issued, for short names, long names and addresses', async (t) => {
  if (!hasPrograms(t, 'openssl')) return;
  const workspace = Workspace.of(t, 'authority');
  const ca = workspace.write('ca.pem', authority.certificate);
  const long = `${'a'.repeat(63)}.${'b'.repeat(63)}.test`;
  const verify = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', ca];
  for (const [option, name] of [
    ['-verify_hostname', 'a.test'],
    ['-verify_hostname', long],
    ['-verify_ip', '127.0.0.1'],
    ['-verify_ip', '::1'],
  ] as const) {
    const file = workspace.write('leaf.pem', (await authority.issue([name])).cert);
    assert.match(await workspace.run(programPath('openssl'), [...verify, option, name, file]), /OK/);
  }
  const verified = await workspace.run(programPath('openssl'), ['verify', '-x509_strict', '-CAfile', ca, ca]);
  assert.match(verified, /OK/);
});

test('no two certificates have a serial number or a key in common', async () => {
  const issued = await Promise.all(Array.from({ length: 20 }, () => authority.issue(['a.test'])));
  const certificates = issued.map(({ cert }) => new X509Certificate(cert));
  assert.equal(new Set(certificates.map((one) => one.serialNumber)).size, 20);
  assert.equal(new Set(issued.map(({ key }) => key)).size, 20);
});

test('a client that trusts the authority accepts the server, another one does not', async () => {
  const server = tls.createServer(await authority.issue(['a.test']), (socket) => socket.end('hello'));
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connect = (options: tls.ConnectionOptions): tls.TLSSocket =>
    tls.connect({ host: '127.0.0.1', port, servername: 'a.test', ...options });
  const trusting = connect({ ca: authority.certificate });
  await once(trusting, 'secureConnect');
  trusting.destroy();
  const [error] = await once(connect({}), 'error');
  assert.match(String(error), /certificate|signature|issuer/);
  const [wrongName] = await once(connect({ ca: authority.certificate, servername: 'b.test' }), 'error');
  assert.equal((wrongName as { code: string }).code, 'ERR_TLS_CERT_ALTNAME_INVALID');
  server.close();
  await once(server, 'close');
});

test('an authority has the name that it is given, whatever is in it', async () => {
  for (const name of ['O=a, CN=b + c', '"quoted" \\ #00', 'Prüfstelle', ' spaces ']) {
    const named = await LocalAuthority.create({ clock: systemClock, name });
    assert.equal(named.name, name);
    const [ca, issued] = [named.certificate, (await named.issue(['a.test'])).cert].map(
      (pem) => new X509Certificate(pem),
    );
    assert.ok(ca !== undefined && issued?.checkIssued(ca));
  }
});

test('dates are written to the second, and from 2050 on with four digits of the year', async () => {
  const clock = new VirtualClock();
  clock.advance(999);
  const far = Date.UTC(2050, 0, 1) - clock.wallTime() + 999;
  for (const [validityMs, written] of [
    [far - 1000, '491231235959Z'],
    [far, '20500101000000Z'],
  ] as const) {
    const own = new X509Certificate(
      (await LocalAuthority.create({ clock, name: 'Long', validityMs })).certificate,
    );
    assert.ok(own.raw.includes(written));
  }
});

test('the library that writes certificates is loaded when the first one is written', async (t) => {
  const workspace = Workspace.of(t, 'authority');
  const source = (path: string) => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
  const script = workspace.write(
    'load.mts',
    `await import(${source('index.ts')});
     const { systemClock } = await import(${source('base/clock.ts')});
     const { LocalAuthority } = await import(${source('certificates/local-authority.ts')});
     await import(${source('certificates/local-certificates.ts')});
     const isLoaded = () => 'getMetadata' in Reflect;
     const before = isLoaded();
     await LocalAuthority.create({ clock: systemClock, name: 'First' });
     console.log('loaded', before, isLoaded());`,
  );
  assert.match(await workspace.run(execPath, [script]), /^loaded false true$/m);
});
