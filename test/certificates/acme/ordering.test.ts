import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { AcmeAuthority, problem, type Resource } from '../../support/authority/acme-authority.ts';
import { holdings, holdsNoMoreThan } from '../../support/nothing-left.ts';
import { freePort } from '../../support/workspace.ts';
import { acmeStage, failed, issued, ordering, site, startProxy, statusOf, told } from './stage.ts';

const before = holdings();
const binding = { keyId: 'customer-1', hmacKey: 'bm90IGEgc2VjcmV0IGF0IGFsbCwgcmVhbGx5IG5vdA' };

test('a profile is asked for where the authority has it', async (t) => {
  const { workspace, authority } = await acmeStage(t, { profiles: { classic: 90, shortlived: 6 } });
  const acme = ordering(authority, { profile: 'shortlived' });
  const fixture = await startProxy(workspace, [site('a.example')], acme);
  await issued(fixture, ['a.example']);
  assert.equal(authority.orders[0]?.profile, 'shortlived');
});

test('where the authority does not have it, that is said, and the certificate comes all the same', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const acme = ordering(authority, { profile: 'shortlived' });
  const fixture = await startProxy(workspace, [site('a.example')], acme);
  await issued(fixture, ['a.example']);
  const line = fixture.log.lines.find(({ event }) => event === 'acme-profile-unknown');
  assert.deepEqual(line?.fields, { directory: authority.directory, profile: 'shortlived', known: [] });
});

test('keys are ECDSA P-256, and RSA where that is asked for', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  for (const [keyType, expected] of [
    ['p256', 'ec'],
    ['rsa2048', 'rsa'],
  ] as const) {
    const stateDirectory = workspace.path(keyType);
    const options = { stateDirectory };
    const fixture = await startProxy(
      workspace,
      [site('a.example')],
      ordering(authority, { keyType }),
      options,
    );
    await issued(fixture, ['a.example']);
    const { publicKey } = new X509Certificate(authority.newest('a.example').chain);
    assert.equal(publicKey.asymmetricKeyType, expected);
    await fixture.proxy.stop();
  }
});

test('an account is bound to a customer where the authority asks for that', async (t) => {
  const { workspace, authority } = await acmeStage(t, { binding });
  const bound = await startProxy(workspace, [site('a.example')], ordering(authority, { eab: binding }));
  await issued(bound, ['a.example']);
  const stateDirectory = workspace.path('unbound');
  const unbound = await startProxy(workspace, [site('b.example')], ordering(authority), { stateDirectory });
  const { code, error } = await failed(unbound, 'b.example');
  assert.equal(code, 'acme-refused');
  assert.match(String(error), /an account needs a customer/);
});

test('another e-mail address is told to the authority, with the same account', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const first = await startProxy(
    workspace,
    [site('a.example')],
    ordering(authority, { email: 'one@a.test' }),
  );
  await issued(first, ['a.example']);
  await first.proxy.stop();
  const acme = ordering(authority, { email: 'two@a.test' });
  const second = await startProxy(workspace, [site('a.example'), site('b.example')], acme);
  await issued(second, ['b.example']);
  assert.deepEqual(authority.contacts, [['mailto:one@a.test'], ['mailto:two@a.test']]);
});

test('an authority that has lost the account gets it again, with the same key', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const fixture = await startProxy(workspace, [site('a.example')], ordering(authority));
  await issued(fixture, ['a.example']);
  authority.forgetAccounts();
  await fixture.proxy.updateRoutes([site('a.example'), site('b.example')]);
  await issued(fixture, ['b.example']);
  const accounts = fixture.log.lines.filter(({ event }) => event === 'acme-account-registered');
  assert.equal(accounts.length, 2);
  assert.equal(accounts[0]?.fields.account, accounts[1]?.fields.account);
});

test('where one authority is down or refuses, the next in the list is asked', async (t) => {
  const { workspace, clock, authority: refusing } = await acmeStage(t);
  const second = await AcmeAuthority.start(workspace, { clock });
  refusing.intercept = (resource) =>
    resource === 'new-order' ? problem(403, 'rejectedIdentifier', 'not by us') : null;
  const directories = [`https://localhost:${await freePort()}/dir`, refusing.directory, second.directory];
  const rootFile = workspace.write(
    'roots.pem',
    [refusing, second].map((one) => readFileSync(one.rootFile, 'utf8')).join('\n'),
  );
  const acme = ordering(second, { directories, rootFile });
  const fixture = await startProxy(workspace, [site('a.example')], acme);
  await issued(fixture, ['a.example']);
  assert.equal(statusOf(fixture, 'a.example').authority, second.directory);
  assert.equal(refusing.asked.get('new-order'), 1);
});

test('what all authorities said is told together, and the names that can be had are had', async (t) => {
  const { workspace, clock, authority } = await acmeStage(t);
  const other = await AcmeAuthority.start(workspace, { clock, httpPort: authority.httpPort });
  for (const one of [authority, other]) {
    one.intercept = (resource, request) => {
      const names = JSON.stringify(request?.payload?.identifiers ?? '');
      if (resource !== 'new-order' || !names.includes('bad.example')) return null;
      return problem(400, 'rejectedIdentifier', `${one === other ? 'the second' : 'the first'} says no`);
    };
  }
  const roots = [authority, other].map((one) => readFileSync(one.rootFile, 'utf8')).join('\n');
  const acme = ordering(authority, {
    directories: [authority.directory, other.directory],
    rootFile: workspace.write('roots.pem', roots),
  });
  const fixture = await startProxy(workspace, [site('bad.example'), site('good.example')], acme);
  const { code, error, nextAttemptAt, validTo } = await failed(fixture, 'bad.example');
  assert.equal(code, 'acme-refused');
  assert.match(String(error), /localhost:\d+: the first says no; then localhost:\d+: the second says no/);
  assert.ok(Date.parse(String(nextAttemptAt)) > clock.wallTime());
  assert.equal(validTo, null);
  await issued(fixture, ['good.example']);
  const { problem: seen, validFrom, nextAttemptAt: next } = statusOf(fixture, 'bad.example');
  assert.deepEqual([seen, validFrom, next], [error, null, nextAttemptAt]);
});

test('nine nonces in ten may be refused', async (t) => {
  const { workspace, authority } = await acmeStage(t, { badNonces: 60 });
  const fixture = await startProxy(workspace, [site('a.example')], ordering(authority));
  await issued(fixture, ['a.example']);
  assert.equal(authority.orders.length, 1);
});

for (const [what, reply, code] of [
  ['a page instead of JSON', { status: 200, body: '<html>' }, 'acme-invalid-answer'],
  ['JSON of another kind', { status: 200, body: { status: 'fine' } }, 'acme-invalid-answer'],
  ['a redirect', { status: 302, headers: { location: 'https://localhost/' } }, 'acme-invalid-answer'],
  ['an error of its own', { status: 503, body: 'busy' }, 'acme-unreachable'],
] as const) {
  test(`an authority that answers with ${what} has its reason told, whatever was asked`, async (t) => {
    const { workspace, authority } = await acmeStage(t);
    const resources: Resource[] = [
      'directory',
      'new-order',
      'authorization',
      'order',
      'finalize',
      'certificate',
    ];
    const routes = resources.map((resource) => site(`${resource}.example`));
    authority.intercept = (resource) => (resource === garbled ? reply : null);
    let garbled: Resource = 'directory';
    const fixture = await startProxy(workspace, routes.slice(0, 1), ordering(authority));
    for (const [index, resource] of resources.entries()) {
      garbled = resource;
      if (index > 0) await fixture.proxy.updateRoutes(routes.slice(index, index + 1));
      const { error, code: told } = await failed(fixture, `${resource}.example`);
      assert.match(String(error), /^https:\/\/localhost:\d+\/dir|^localhost:\d+/, resource);
      assert.equal(told, code, `${resource}: ${error}`);
    }
  });
}

test('a certificate for other names, or for another key, is not taken', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  const fixture = await startProxy(workspace, [site('a.example')], ordering(authority));
  await issued(fixture, ['a.example']);
  const { chain } = authority.newest('a.example');
  authority.intercept = (resource) => (resource === 'certificate' ? { status: 200, body: chain } : null);
  await fixture.proxy.updateRoutes([site('b.example')]);
  const { code, error } = await failed(fixture, 'b.example');
  assert.equal(code, 'acme-invalid-answer');
  assert.match(String(error), /is not the key of the certificate that was issued/);
});

test('events tell a program what came and what did not', async (t) => {
  const { workspace, authority } = await acmeStage(t);
  authority.intercept = (resource, request) =>
    resource === 'new-order' && JSON.stringify(request?.payload).includes('bad.example')
      ? problem(400, 'rejectedIdentifier', 'no')
      : null;
  const fixture = await startProxy(workspace, [], ordering(authority));
  const seen: unknown[] = [];
  fixture.proxy.on('certificate-issued', ({ names, authority: from, renewal }) =>
    seen.push([names, from, renewal]),
  );
  fixture.proxy.on('certificate-failed', ({ names, code }) => seen.push([names, code]));
  await fixture.proxy.updateRoutes([site('a.example'), site('bad.example')]);
  await issued(fixture, ['a.example']);
  await failed(fixture, 'bad.example');
  assert.deepEqual(seen.sort(), [
    [['a.example'], authority.directory, false],
    [['bad.example'], 'acme-refused'],
  ]);
  assert.equal(told(fixture, 'certificate-issued', 'a.example').length, 1);
});

test('when all is over nothing is left', () => holdsNoMoreThan(before));
