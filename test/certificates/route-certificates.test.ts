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
import { inline, Rig, rule, type Settings } from './rig.ts';

const before = holdings();

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

test('the disk may fail once the authority is there', async (t) => {
  const rig = new Rig(t);
  const source = await rig.load([rule(['*.test'], {})]);
  rmSync(rig.workspace.path('state'), { recursive: true });
  const answer = await source.certificateFor({ name: 'new.test', port: 1, localAddress: null });
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
