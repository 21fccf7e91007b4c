import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveOptions } from '../../src/config/resolve.ts';
import type { Match, Route, SmartProxyOptions } from '../../src/config/schema.ts';
import { machine, problemsOf, route, warningsOf } from './samples.ts';

type Acme = NonNullable<NonNullable<SmartProxyOptions['certificates']>['acme']>;
type Certificate = 'auto' | 'local' | 'unsaid';

function secure(
  domains: string | string[] | undefined,
  certificate: Certificate = 'auto',
  match: Partial<Match> = {},
): Route {
  const tls = { mode: 'terminate', ...(certificate !== 'unsaid' && { certificate }) } as const;
  const target = { host: '127.0.0.1', port: 3000 };
  return route({
    match: { ports: 443, ...(domains !== undefined && { domains }), ...match },
    action: { type: 'forward', target, tls },
  });
}

function problems(routes: Route[], acme?: object): string[] {
  return problemsOf({ routes, ...(acme !== undefined && { certificates: { acme: acme as Acme } }) }, machine);
}

test('names need nothing more, and get the certificate that they ask for', () => {
  assert.deepEqual(problems([secure(['a.example', 'b.example'])]), []);
  assert.deepEqual(problems([secure('a.example', 'unsaid')]), []);
  const { options } = resolveOptions({ routes: [secure('a.example')] }, machine);
  assert.equal(options.certificates.acme, null);
});

test('a wildcard needs DNS, or somebody to ask', () => {
  const expected =
    'routes[0].action.tls.certificate: the wildcard *.a.example can only be proved by DNS (write certificates.acme.dns, or certificates.acme.ask to order name by name)';
  for (const certificate of ['auto', 'unsaid'] as const) {
    assert.deepEqual(problems([secure('*.a.example', certificate)]), [expected]);
  }
  assert.deepEqual(problems([secure('*.a.example')], { dns: { command: 'hook' } }), []);
  assert.deepEqual(problems([secure('*.a.example')], { ask: 'http://127.0.0.1/ask' }), []);
  assert.deepEqual(problems([secure('*.a.test', 'unsaid')]), []);
});

test('any name needs somebody to ask; where nothing is said, local names have one at any rate', () => {
  for (const domains of ['*', undefined]) {
    assert.deepEqual(problems([secure(domains)]), [
      "routes[0].action.tls.certificate: is not given, and nothing says for which names a certificate may be ordered (write domains, certificates.acme.ask, or certificate: 'local')",
    ]);
    assert.deepEqual(problems([secure(domains)], { ask: () => true }), []);
    assert.deepEqual(problems([secure(domains, 'local')]), []);
    assert.deepEqual(warningsOf({ routes: [secure(domains, 'unsaid')] }, machine), [
      "routes[0].action.tls.certificate: is not given: only localhost, *.localhost, *.test and addresses get one here (write domains, certificates.acme.ask, certificate: 'local', or give files)",
    ]);
  }
});

test('what no authority certifies is an error', () => {
  assert.match(
    problems([secure('under_score.example')])[0] ?? '',
    /names in certificates have no underscore/,
  );
  assert.match(
    problems([secure('192.0.2.1')])[0] ?? '',
    /192\.0\.2\.1 is an address \(write 'local', or give files\)/,
  );
});

test('DNS-01 needs a hook, and HTTP-01 a port that is read', () => {
  assert.deepEqual(problems([secure('a.example')], { challenge: 'dns-01' }), [
    "certificates.acme.dns: is missing: challenge 'dns-01' needs it (write { command: '/usr/local/bin/dns-hook' }, or another challenge)",
  ]);
  const plain = route({ name: 'plain', match: { ports: [80, 81] } });
  const clear = route({ name: 'clear', match: { ports: 80, protocol: 'http' } });
  const certificates = { acme: { challenge: 'http-01' } } as const;
  const warnings = (...routes: Route[]) =>
    warningsOf({ routes: [secure('a.example'), ...routes], certificates }, machine);
  assert.deepEqual(warnings(plain), [
    "routes[1].match.ports: 'plain' takes port 80 and does not read HTTP, so 'http-01' cannot be answered there (write protocol: 'http', or challenge: 'tls-alpn-01')",
  ]);
  assert.deepEqual(warnings(clear), []);
});

test('settings of the authority are checked for their shape', () => {
  const wrong: [object, RegExp][] = [
    [
      { directories: ['http://ca.test/dir'] },
      /acme\.directories\[0\]: .*a URL that begins with 'https:\/\/'/,
    ],
    [{ directories: [] }, /acme\.directories: .*a list of URLs/],
    [{ email: 'nobody' }, /acme\.email: .*an address such as 'ops@a\.test'/],
    [{ eab: { keyId: 'k', hmacKey: 'not base64!' } }, /acme\.eab\.hmacKey: .*a key in base64url/],
    [{ httpPort: 0 }, /acme\.httpPort: .*a port from 1 to 65535/],
    [{ keyType: 'rsa1024' }, /acme\.keyType: .*one of 'p256', 'rsa2048'/],
    [{ dnsServers: ['ns1.a.test'] }, /acme\.dnsServers\[0\]: .*an address/],
    [{ dnsServers: ['10.0.0.1:99999'] }, /acme\.dnsServers\[0\]: .*an address/],
    [{ ask: 'yes' }, /acme\.ask/],
    [{ dns: {} }, /acme\.dns/],
  ];
  for (const [acme, expected] of wrong)
    assert.match(problems([secure('a.example')], acme).join('\n'), expected);
  const dnsServers = ['10.0.0.53', '10.0.0.53:5353', '[2001:db8::53]:53', '2001:db8::53'];
  assert.deepEqual(problems([secure('a.example')], { dnsServers }), []);
});
