import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { test } from 'node:test';
import { SmartProxyError } from '../../src/base/errors.ts';
import { certificateOf } from '../../src/certificates/certificate.ts';
import { type CertificateRule, certificateRules } from '../../src/certificates/certificate-source.ts';
import type { ResolvedRoute } from '../../src/config/resolved.ts';
import { eventually } from '../support/eventually.ts';
import { holdings, holdsNoMoreThan } from '../support/nothing-left.ts';
import { ca, inline, Rig, rule, type Settings } from './rig.ts';

const before = holdings();

test('routes without TLS of their own bring no certificate', () => {
  const { tls } = rule(null, {});
  const ports = [{ from: 8443, to: 8443 }];
  const match = { domains: ['a.test'], ports };
  const route = (name: string, changes: Partial<ResolvedRoute>) =>
    ({ name, match, tls, inheritsTls: false, ...changes }) as ResolvedRoute;
  const routes = [
    route('plain', { tls: null }),
    route('own', {}),
    route('inheriting', { inheritsTls: true }),
  ];
  assert.deepEqual(certificateRules(routes), [{ route: 'own', domains: ['a.test'], tls, ports }]);
});

test('settings are known by what they say, and unknown ones are a failure', async (t) => {
  const rig = new Rig(t);
  const [one, other] = [await inline('a.test'), await inline('a.test')];
  const known = [
    rule(['a.test'], { certificate: one }),
    rule(['a.test'], { certificate: other }),
    rule(['b.test'], { certificate: one, clientAuth: { ca } }),
  ];
  const source = await rig.load(known);
  const contextFor = ({ tls }: CertificateRule) =>
    source.contextFor(tls, { name: 'a.test', localAddress: null });
  assert.equal(new Set(known.map(contextFor)).size, 3);
  assert.equal(contextFor(rule(['c.test'], { certificate: one })), contextFor(known[0]!));
  const unknown = contextFor(rule(['a.test'], { certificate: await inline('a.test') }));
  assert.ok(unknown instanceof SmartProxyError);
  assert.equal(unknown.code, 'certificate-unavailable');
  assert.equal(source.list().length, 2);
});

test('without a name the address is asked for, and in the dark nothing', async (t) => {
  const rig = new Rig(t);
  const any = rule(null, { certificate: 'local' });
  const source = await rig.load([any]);
  const shown = async (localAddress: string | null) => {
    const answer = await source.certificateFor(any.tls, { name: null, localAddress });
    return answer instanceof SmartProxyError ? answer.code : answer.names.join();
  };
  assert.equal(await shown('2001:db8::1'), '2001:db8::1');
  assert.equal(await shown(null), 'certificate-unavailable');
});

test('the disk may fail once the authority is there', async (t) => {
  const rig = new Rig(t);
  const wildcard = rule(['*.test'], {});
  const source = await rig.load([wildcard]);
  rmSync(rig.workspace.path('state'), { recursive: true });
  const answer = await source.certificateFor(wildcard.tls, { name: 'new.test', localAddress: null });
  assert.ok(!(answer instanceof SmartProxyError));
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
  const acme = { code: 'certificate-unavailable', message: /'auto' orders certificates for names/ };
  await refused({}, acme);
  await refused({ certificate: 'auto' }, acme, ['a.test']);
  // Some of any names are local.
  await rig.load([rule(['a.test', '*'], {})]);
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
  const both = rule(['a.example', 'a.test'], {});
  const source = await rig.load([both], {
    certificateFor: async (name) => {
      asked.push(name);
      return certificateOf(cert, key);
    },
    list: () => [],
  });
  const names = async (name: string) => {
    const answer = await source.certificateFor(both.tls, { name, localAddress: null });
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
