import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import tls from 'node:tls';
import fc from 'fast-check';
import { systemClock } from '../../src/base/clock.ts';
import { integer, objectIdentifier, time } from '../../src/certificates/der.ts';
import { LocalAuthority } from '../../src/certificates/local-authority.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const authority = new LocalAuthority({ clock: systemClock, name: 'Test authority' });

test('a certificate names what it was issued for, and the authority vouches for it', () => {
  const ca = new X509Certificate(authority.certificate);
  const issued = new X509Certificate(
    authority.issue(['a.test', '*.a.test', '127.0.0.1', '2001:db8::1']).cert,
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

test('it is valid from a little before now for as long as was asked', () => {
  const clock = new VirtualClock();
  const young = new LocalAuthority({ clock, name: 'Young', validityMs: 3_600_000 });
  const { validFromDate, validToDate } = new X509Certificate(young.issue(['a.test']).cert);
  assert.equal(validFromDate.toISOString(), '2025-12-31T23:00:00.000Z');
  assert.equal(validToDate.toISOString(), '2026-01-01T01:00:00.000Z');
});

test('no two certificates have a serial number or a key in common', () => {
  const certificates = Array.from(
    { length: 20 },
    () => new X509Certificate(authority.issue(['a.test']).cert),
  );
  assert.equal(new Set(certificates.map((one) => one.serialNumber)).size, 20);
  assert.equal(new Set(certificates.map((one) => one.fingerprint256)).size, 20);
});

test('a client that trusts the authority accepts the server, another one does not', async () => {
  const server = tls.createServer(authority.issue(['a.test']), (socket) => socket.end('hello'));
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

test('DER is minimal', () => {
  assert.equal(integer(0n).toString('hex'), '020100');
  assert.equal(integer(127n).toString('hex'), '02017f');
  assert.equal(integer(128n).toString('hex'), '02020080');
  assert.equal(objectIdentifier('1.2.840.113549').toString('hex'), '06062a864886f70d');
  assert.equal(
    time(Date.UTC(2049, 11, 31))
      .toString('latin1')
      .slice(2),
    '491231000000Z',
  );
  assert.equal(
    time(Date.UTC(2050, 0, 1))
      .toString('latin1')
      .slice(2),
    '20500101000000Z',
  );
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 1n << 2000n }), (value) => {
      const der = integer(value);
      const lengthBytes = (der[1] ?? 0) < 0x80 ? 0 : (der[1] ?? 0) & 0x7f;
      const body = der.subarray(2 + lengthBytes);
      assert.equal(BigInt(`0x${body.toString('hex')}`), value);
      assert.ok((body[0] ?? 0) < 0x80, 'not negative');
      assert.ok(body.length === 1 || (body[0] ?? 0) > 0 || (body[1] ?? 0) >= 0x80, 'no idle byte');
    }),
  );
});
