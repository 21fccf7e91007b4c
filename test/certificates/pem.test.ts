import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { certificateOf, coversName } from '../../src/certificates/certificate.ts';
import { LocalAuthority } from '../../src/certificates/local-authority.ts';
import { loadCertificate } from '../../src/certificates/pem.ts';
import { hasPrograms, programPath } from '../support/debian.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { Workspace } from '../support/workspace.ts';

const clock = new VirtualClock();
const now = clock.wallTime();
const authority = await LocalAuthority.create({ clock, name: 'Test authority' });
const issued = await authority.issue(['a.test', '*.b.test', '127.0.0.1', '2001:db8::1']);
const other = await authority.issue(['other.test']);
const dayMs = 86_400_000;

// C6
test('a certificate’s names, issuer and real expiry are read', async (t) => {
  const workspace = Workspace.of(t, 'pem');
  const source = {
    certFile: workspace.write('a.pem', issued.cert),
    keyFile: workspace.write('a.key', issued.key),
  };
  const { certificate, warnings } = await loadCertificate(source, now);
  assert.deepEqual(warnings, []);
  assert.deepEqual(certificate.names, ['a.test', '*.b.test', '127.0.0.1', '2001:db8::1']);
  assert.equal(certificate.issuer, 'CN=Test authority');
  assert.equal(certificate.validToMs, now + 90 * dayMs);
  assert.equal(certificate.cert, issued.cert);
});

// C6
test('a key that does not match is an error that names both files', async (t) => {
  const workspace = Workspace.of(t, 'pem');
  const source = {
    certFile: workspace.write('a.pem', issued.cert),
    keyFile: workspace.write('b.key', other.key),
  };
  await assert.rejects(loadCertificate(source, now), {
    code: 'key-mismatch',
    source: 'config',
    message: `${source.keyFile} is not the key of ${source.certFile} (CN=a.test)`,
  });
});

test('a file that cannot be read is named, with the reason', async (t) => {
  const workspace = Workspace.of(t, 'pem');
  const keyFile = workspace.write('a.key', issued.key);
  const load = (certFile: string) => loadCertificate({ certFile, keyFile }, now);
  const missing = workspace.path('missing.pem');
  await assert.rejects(load(missing), {
    code: 'certificate-unreadable',
    message: `cannot read ${missing}: it does not exist`,
  });
  mkdirSync(workspace.path('folder'));
  await assert.rejects(load(workspace.path('folder')), { message: /folder: it is no regular file$/ });
  await workspace.run('mkfifo', [workspace.path('pipe')]);
  await assert.rejects(load(workspace.path('pipe')), { message: /pipe: it is no regular file$/ });
  await assert.rejects(load('/dev/zero'), { message: 'cannot read /dev/zero: it is no regular file' });
  await assert.rejects(load(workspace.write('large.pem', 'x'.repeat(1_048_577))), {
    message: /larger than 1 MiB/,
  });
});

test('files that have something else in them are told apart', async () => {
  const rejects = (cert: string, key: string, code: string, message: RegExp) =>
    assert.rejects(loadCertificate({ cert, key }, now), { code, message });
  const damaged = issued.cert.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA');
  const encrypted = createPrivateKey(issued.key).export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'secret',
  }) as string;
  await rejects('', issued.key, 'certificate-missing', /inline certificate has no certificate/);
  await rejects(issued.key, issued.cert, 'certificate-missing', /swapped/);
  await rejects(issued.cert, issued.cert, 'key-missing', /swapped/);
  await rejects(issued.cert, 'hello', 'key-missing', /inline key has no private key/);
  await rejects(damaged, issued.key, 'certificate-unusable', /certificate 1 of 1/);
  await rejects(issued.cert, encrypted, 'key-encrypted', /openssl pkey/);
  await rejects(
    issued.cert,
    issued.key.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA'),
    'certificate-unusable',
    /key/,
  );
});

test('one file may hold the chain and the key, with text around them', async () => {
  const both = `Subject: a.test\n${issued.key}\nsome text\n${issued.cert}`;
  const { certificate } = await loadCertificate({ cert: both, key: both }, now);
  assert.equal(certificate.subject, 'CN=a.test');
});

test('a chain whose first certificate is not the key’s is told, not repaired', async () => {
  const source = { cert: authority.certificate + issued.cert, key: issued.key };
  await assert.rejects(loadCertificate(source, now), {
    code: 'certificate-chain-order',
    message: /is number 2, and has to be the first/,
  });
});

test('a certificate that did not issue the one before it is doubtful, the issuer is not', async () => {
  const load = (cert: string) => loadCertificate({ cert, key: issued.key }, now);
  assert.deepEqual((await load(issued.cert + authority.certificate)).warnings, []);
  assert.deepEqual((await load(issued.cert + other.cert)).warnings, [
    'the inline certificate: certificate 1 was issued by CN=Test authority, but CN=other.test follows',
  ]);
});

test('expired and not yet valid certificates load with a warning', async () => {
  const warnings = async (atMs: number) => (await loadCertificate(issued, atMs)).warnings;
  assert.deepEqual(await warnings(now), []);
  assert.deepEqual(await warnings(now + 91 * dayMs), [
    'the inline certificate expired on 2026-04-01T00:00:00.000Z',
  ]);
  assert.deepEqual(await warnings(now - dayMs), [
    'the inline certificate is valid only from 2025-12-31T23:00:00.000Z',
  ]);
});

test('what OpenSSL would refuse in a handshake is refused at load', async (t) => {
  if (!hasPrograms(t, 'openssl')) return;
  const workspace = Workspace.of(t, 'pem');
  const [certFile, keyFile] = [workspace.path('weak.pem'), workspace.path('weak.key')];
  const make = ['req', '-x509', '-newkey', 'rsa:512', '-nodes', '-subj', '/CN=weak.test', '-days', '2'];
  await workspace.run(programPath('openssl'), [...make, '-out', certFile, '-keyout', keyFile]);
  await assert.rejects(loadCertificate({ certFile, keyFile }, now), {
    code: 'certificate-unusable',
    message: /weak\.pem cannot be used: .*key too small/,
  });
});

test('a certificate covers its names, and a wildcard one label', async () => {
  const { certificate } = await loadCertificate(issued, now);
  for (const name of ['a.test', 'x.b.test', '*.b.test', '127.0.0.1', '2001:db8::1']) {
    assert.ok(coversName(certificate, name), name);
  }
  for (const name of ['b.test', 'x.y.b.test', '*.a.test', '*.test', '10.0.0.1', '.b.test']) {
    assert.ok(!coversName(certificate, name), name);
  }
});

test('what a certificate covers is what OpenSSL takes it for', async () => {
  const name = fc
    .array(fc.constantFrom('a', 'b', 'test'), { minLength: 1, maxLength: 4 })
    .map((labels) => labels.join('.'));
  const pattern = fc.oneof(
    name,
    fc
      .array(fc.constantFrom('a', 'b'), { minLength: 2, maxLength: 3 })
      .map((labels) => `*.${labels.join('.')}`),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(pattern, { minLength: 1, maxLength: 4 }),
      fc.array(name),
      async (names, asked) => {
        const { cert, key } = await authority.issue(names);
        const [x509, certificate] = [new X509Certificate(cert), certificateOf(cert, key)];
        for (const one of asked) {
          assert.equal(
            coversName(certificate, one),
            x509.checkHost(one, { subject: 'never' }) !== undefined,
            one,
          );
        }
      },
    ),
  );
});

test('RSA and Ed25519 keys in PKCS #1, SEC 1 and PKCS #8 are read', async (t) => {
  if (!hasPrograms(t, 'openssl')) return;
  const workspace = Workspace.of(t, 'pem');
  const keys = [
    generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs1', format: 'pem' }),
    generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({ type: 'sec1', format: 'pem' }),
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
  ];
  for (const key of keys) {
    const keyFile = workspace.write('some.key', String(key));
    const make = ['req', '-x509', '-key', keyFile, '-subj', '/CN=k.test', '-days', '2'];
    const cert = await workspace.run(programPath('openssl'), make);
    assert.equal((await loadCertificate({ cert, key: String(key) }, now)).certificate.subject, 'CN=k.test');
  }
});
