import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type tls from 'node:tls';
import { systemClock } from '../../src/base/clock.ts';
import { SmartProxyError } from '../../src/base/errors.ts';
import { openLocalAuthority } from '../../src/certificates/authority-folder.ts';
import { certificateOf } from '../../src/certificates/certificate.ts';
import {
  type AutomaticCertificates,
  type CertificateRule,
  certificateRules,
} from '../../src/certificates/certificate-source.ts';
import { LocalAuthority } from '../../src/certificates/local-authority.ts';
import { LocalCertificates } from '../../src/certificates/local-certificates.ts';
import { RouteCertificates } from '../../src/certificates/route-certificates.ts';
import { SecureContexts } from '../../src/certificates/secure-contexts.ts';
import type { ResolvedCertificate, ResolvedRoute, ResolvedTls } from '../../src/config/resolved.ts';
import { hasPrograms, programPath } from '../support/debian.ts';
import { eventually } from '../support/eventually.ts';
import { holdings, holdsNoMoreThan } from '../support/nothing-left.ts';
import { RecordingLog } from '../support/recording-log.ts';
import { SkippingClock } from '../support/skipping-clock.ts';
import { Workspace } from '../support/workspace.ts';
import { asking, TerminatingServer, TlsClient } from './terminating-server.ts';

const before = holdings();
/** Stands for an authority that users have certificates from. */
const authority = await LocalAuthority.create({ clock: systemClock, name: 'Users’ authority' });
const ca = authority.certificate;

interface Settings {
  certificate?: 'auto' | 'local' | { certFile: string; keyFile: string } | { cert: string; key: string };
  clientAuth?: { ca: string };
}

function rule(
  domains: readonly string[] | null,
  settings: Settings,
  match: Partial<CertificateRule> = {},
): CertificateRule {
  const route = domains?.join() ?? 'any';
  const { certificate, clientAuth } = settings;
  const tls: ResolvedTls = {
    certificate: resolvedCertificate(certificate),
    clientAuth: clientAuth === undefined ? null : { ...clientAuth, required: true },
    alpn: [],
    minVersion: 'TLSv1.2',
  };
  return { route, ports: [{ from: 0, to: 0 }], address: null, domains, tls, ...match };
}

function resolvedCertificate(certificate: Settings['certificate']): ResolvedCertificate {
  if (certificate === undefined) return { from: 'default' };
  if (typeof certificate === 'string') return { from: certificate };
  return 'cert' in certificate ? { from: 'inline', ...certificate } : { from: 'files', ...certificate };
}

class Rig {
  readonly workspace: Workspace;
  readonly clock = new SkippingClock();
  readonly log = new RecordingLog();
  readonly contexts = new SecureContexts();
  readonly local: LocalCertificates;

  constructor(context: TestContext) {
    this.workspace = Workspace.of(context, 'routes');
    const options = { stateDirectory: this.workspace.path('state'), clock: this.clock, log: this.log };
    this.local = new LocalCertificates({ ...options, authority: () => openLocalAuthority(options) });
  }

  async load(rules: CertificateRule[], automatic?: AutomaticCertificates): Promise<RouteCertificates> {
    const { contexts, local, clock, log } = this;
    const given = automatic === undefined ? {} : { automatic };
    const source = await RouteCertificates.load({ rules, contexts, local, clock, log, ...given });
    this.workspace.onEnd(() => source.close());
    return source;
  }

  async serve(rules: CertificateRule[], options: tls.TlsOptions = {}): Promise<TerminatingServer> {
    return new TerminatingServer(await this.load(rules), options).listen(this.workspace);
  }

  /** Issues a certificate and writes it to `a.pem` and `a.key`. Returns its serial number. */
  async write(name: string): Promise<string> {
    const { cert, key } = await authority.issue([name]);
    this.workspace.write('a.pem', cert);
    this.workspace.write('a.key', key);
    return new X509Certificate(cert).serialNumber;
  }

  get files(): { certFile: string; keyFile: string } {
    return { certFile: this.workspace.path('a.pem'), keyFile: this.workspace.path('a.key') };
  }
}

async function inline(name: string): Promise<{ cert: string; key: string }> {
  return authority.issue([name]);
}

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

test('each name gets its own certificate: exact before wildcard before any', async (t) => {
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

test('routes that bring a certificate are asked by priority, then in order; others are left out', () => {
  const { tls } = rule(null, {});
  const match = { ports: [{ from: 443, to: 443 }], address: null, domains: ['a.test'] };
  const route = (name: string, order: number, changes: Partial<ResolvedRoute>) =>
    ({ name, order, priority: 0, match, tls, inheritsTls: false, ...changes }) as ResolvedRoute;
  const rules = certificateRules([
    route('plain', 0, { tls: null }),
    route('second', 1, {}),
    route('inheriting', 2, { inheritsTls: true }),
    route('first', 3, { priority: 5 }),
    route('third', 4, {}),
  ]);
  assert.deepEqual(
    rules.map((one) => one.route),
    ['first', 'second', 'third'],
  );
  assert.deepEqual(rules[0], { route: 'first', ...match, tls });
});

test('ports and addresses tell routes of one name apart', async (t) => {
  const rig = new Rig(t);
  const source = await rig.load([
    rule(['a.test'], { certificate: await inline('one.test') }, { ports: [{ from: 1000, to: 1999 }] }),
    rule(
      ['a.test'],
      { certificate: await inline('two.test') },
      { ports: [{ from: 2000, to: 2000 }], address: '10.0.0.1' },
    ),
    rule(
      ['a.test'],
      { certificate: await inline('three.test') },
      { ports: [{ from: 2000, to: 2000 }], address: '10.0.0.2' },
    ),
  ]);
  const contextFor = (port: number, localAddress: string) =>
    source.contextFor({ name: 'a.test', port, localAddress });
  const contexts = [contextFor(1000, '10.0.0.1'), contextFor(2000, '10.0.0.1'), contextFor(2000, '10.0.0.2')];
  assert.equal(new Set(contexts).size, 3);
  assert.equal(contextFor(1999, '10.0.0.9'), contexts[0]);
  const none = contextFor(3000, '10.0.0.1');
  assert.ok(none instanceof SmartProxyError);
  assert.equal(none.message, 'no route terminates TLS for "a.test" on port 3000');
});

test('the local authority serves names of development without being asked to, and curl verifies them', async (t) => {
  if (!hasPrograms(t, 'curl')) return;
  const rig = new Rig(t);
  const source = await rig.load([rule(['*.localhost', 'shop.test'], {})]);
  const port = (): number => (server.address() as AddressInfo).port;
  const server = https.createServer({ SNICallback: asking(() => source, port) }, (_, response) => {
    response.end('hello');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  rig.workspace.onEnd(() => once(server.close(), 'close'));
  const file = rig.workspace.path('state/local-authority/authority.pem');
  for (const name of ['app.localhost', 'deep.app.localhost', 'shop.test']) {
    const output = await rig.workspace.run(programPath('curl'), [
      ...['-sS', '--max-time', '20', '--cacert', file],
      ...['--connect-to', `${name}:443:127.0.0.1:${port()}`, `https://${name}/`],
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
  const source = await rig.load([rule(null, { certificate: 'local' }, { ports: [{ from: 1, to: 10 }] })]);
  const certificate = await source.certificateFor({ name: null, port: 5, localAddress: '127.0.0.1' });
  assert.ok(!(certificate instanceof SmartProxyError));
  assert.deepEqual(certificate.names, ['127.0.0.1']);
  const server = await new TerminatingServer(source, certificate).listen(rig.workspace);
  const { certificate: local } = await rig.local.prepare();
  const client = await TlsClient.connect(server.port, { ca: local });
  await client.close();
  assert.ok(client.socket.authorized);
});

test('without a name: the route of the address, else one for any name, else the only one of the port', async (t) => {
  const rig = new Rig(t);
  const on = (port: number): Partial<CertificateRule> => ({ ports: [{ from: port, to: port }] });
  const source = await rig.load([
    rule(['127.0.0.1'], { certificate: await inline('address.test') }, on(1)),
    rule(['*'], { certificate: await inline('any.test') }, on(1)),
    rule(['only.test'], { certificate: await inline('only.test') }, on(2)),
    rule(['one.test'], { certificate: await inline('one.test') }, on(3)),
    rule(['two.test'], { certificate: await inline('two.test') }, on(3)),
  ]);
  const shown = (port: number, localAddress: string | null) => {
    const answer = source.certificateFor({ name: null, port, localAddress });
    return answer instanceof SmartProxyError ? answer.code : 'subject' in answer && answer.subject;
  };
  assert.equal(shown(1, '127.0.0.1'), 'CN=address.test');
  assert.equal(shown(1, '10.0.0.1'), 'CN=any.test');
  assert.equal(shown(1, null), 'CN=any.test');
  assert.equal(shown(2, '10.0.0.1'), 'CN=only.test');
  assert.equal(shown(3, '10.0.0.1'), 'certificate-unavailable');
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

test('names that no route has, or that cannot be issued, end the handshake only', async (t) => {
  const rig = new Rig(t);
  const server = await rig.serve([rule(['*.test'], { certificate: 'local' })]);
  await assert.rejects(TlsClient.connect(server.port, { servername: 'a.example', ca }));
  await assert.rejects(TlsClient.connect(server.port, { servername: 'A_b..test', ca }));
  assert.deepEqual(server.failures.slice(0, 1), ['certificate-unavailable']);
  assert.ok(server.failures.includes('certificate-refused'));
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

test('the disk may fail once the authority is there', async (t) => {
  const rig = new Rig(t);
  const source = await rig.load([rule(['*.test'], {})]);
  rmSync(rig.workspace.path('state'), { recursive: true });
  const answer = await source.certificateFor({ name: 'new.test', port: 1, localAddress: null });
  assert.ok(!(answer instanceof SmartProxyError));
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

test('what cannot serve is refused at load, naming the route', async (t) => {
  const rig = new Rig(t);
  const refused = async (
    tlsSettings: Settings,
    expected: { code: string; message: RegExp },
    domains = ['a.example'],
  ) => {
    const good = rule(['good.test'], { certificate: await inline('good.test') });
    await assert.rejects(rig.load([good, rule(domains, tlsSettings)]), { source: 'config', ...expected });
  };
  const missing = { certFile: rig.workspace.path('no.pem'), keyFile: rig.workspace.path('no.key') };
  const [one, other] = [await inline('a.example'), await inline('a.example')];
  await refused(
    { certificate: missing },
    { code: 'certificate-unreadable', message: /^route a\.example: cannot read/ },
  );
  await refused(
    { certificate: { ...one, key: other.key } },
    { code: 'key-mismatch', message: /^route a\.example: / },
  );
  await refused(
    { certificate: one, clientAuth: { ca: rig.workspace.write('clients.pem', 'nothing') } },
    { code: 'certificate-missing', message: /clientAuth\.ca has no certificate/ },
  );
  const acme = { code: 'certificate-unavailable', message: /'auto' comes with ACME/ };
  await refused({}, acme);
  await refused({ certificate: 'auto' }, acme, ['a.test']);
  await refused({}, acme, ['a.test', '*']);
});

test('a state folder that cannot be used is refused at load where a route needs it, and only there', async (t) => {
  const rig = new Rig(t);
  rig.workspace.write('state', 'a file in the way');
  await rig.load([rule(['a.test'], { certificate: await inline('a.test') })]);
  await assert.rejects(rig.load([rule(['b.test'], {})]), {
    code: 'local-authority-unusable',
    message: /^route b\.test: the local authority/,
  });
});

test('a certificate that is not for its route’s names is told, and serves', async (t) => {
  const rig = new Rig(t);
  await rig.write('*.a.test');
  await rig.load([
    rule(['x.a.test', 'b.test', '*.c.test', '*'], { certificate: rig.files }),
    rule(['y.a.test'], { certificate: rig.files }),
  ]);
  assert.deepEqual(
    rig.log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields),
    [
      {
        route: 'x.a.test,b.test,*.c.test,*',
        warning: 'the certificate is for *.a.test, not for b.test, *.c.test',
      },
    ],
  );
});

test('where certificates are ordered, they serve the names that are not local', async (t) => {
  const rig = new Rig(t);
  const { cert, key } = await inline('a.example');
  const asked: string[] = [];
  const source = await rig.load([rule(['a.example', 'a.test'], {})], {
    certificateFor: async (name) => {
      asked.push(name);
      return certificateOf(cert, key);
    },
    list: () => [],
  });
  const names = async (name: string) => {
    const answer = await source.certificateFor({ name, port: 1, localAddress: null });
    return answer instanceof SmartProxyError ? answer.code : answer.issuer;
  };
  assert.equal(await names('a.example'), 'CN=Users’ authority');
  assert.match(await names('a.test'), /^CN=SmartProxy local authority/);
  assert.deepEqual(asked, ['a.example']);
});

// C6
test('what serves is listed with its real expiry, and what is wrong with its files', async (t) => {
  const rig = new Rig(t);
  await rig.write('a.test');
  const source = await rig.load([rule(['a.test'], { certificate: rig.files })]);
  rig.workspace.write('a.key', 'nothing');
  await eventually('it is noticed', () => {
    rig.clock.skip(3000);
    return source.list()[0]?.problem !== null;
  });
  const [status] = source.list();
  assert.equal(status?.certFile, rig.files.certFile);
  assert.equal(status?.source, 'files');
  assert.match(status?.problem ?? '', /has no private key/);
  const expiry = new X509Certificate(readFileSync(rig.files.certFile)).validToDate;
  assert.equal(status?.validTo, expiry.toISOString());
  assert.ok(!JSON.stringify(status).includes('PRIVATE KEY'));
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
