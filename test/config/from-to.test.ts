import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromTo, type Pair } from '../../src/config/from-to.ts';
import { ConfigurationError } from '../../src/config/problems.ts';
import { resolveOptions } from '../../src/config/resolve.ts';
import { machine } from './samples.ts';

function summary(from: string, to: string): unknown[] {
  const { options } = resolveOptions(fromTo([{ from, to }]), machine);
  const { match, action } = options.routes[0]!;
  assert.ok(action.type === 'forward');
  const [target] = action.targets;
  const place = target!.socket ?? `${String(target!.host)} ${String(target!.port)}`;
  return [match.protocol, match.address, match.ports[0]!.from, match.domains?.[0] ?? null, action.tls, place];
}

function problems(...pairs: Pair[]): string {
  try {
    fromTo(pairs);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  throw new assert.AssertionError({ message: 'no problem was found' });
}

test('tls routes by name, without opening anything', () => {
  assert.deepEqual(summary('tls://a.test:8443', 'tcp://127.0.0.1:9443'), [
    'tls',
    null,
    8443,
    'a.test',
    'passthrough',
    '127.0.0.1 9443',
  ]);
  assert.deepEqual(summary('TLS://*.A.test', 'tls://b.test:443'), [
    'tls',
    null,
    443,
    '*.a.test',
    'passthrough',
    'b.test 443',
  ]);
  assert.deepEqual(summary('tls://:8443', 'unix:/run/x.sock'), [
    'tls',
    null,
    8443,
    null,
    'passthrough',
    '/run/x.sock',
  ]);
  assert.deepEqual(summary('tls://[::1]:8443/', 'tcp://[::1]:1'), [
    'tls',
    '::1',
    8443,
    null,
    'passthrough',
    '::1 1',
  ]);
});

test('tcp listens on a port', () => {
  assert.deepEqual(summary('tcp://:5432', 'tcp://10.0.0.1:5432'), [
    'tcp',
    null,
    5432,
    null,
    'none',
    '10.0.0.1 5432',
  ]);
  assert.deepEqual(summary('tcp://127.0.0.1:0', 'tcp://a.test:1'), [
    'tcp',
    '127.0.0.1',
    0,
    null,
    'none',
    'a.test 1',
  ]);
  assert.deepEqual(summary('tcp://localhost:5432', 'unix:///run/x'), [
    'tcp',
    '127.0.0.1',
    5432,
    null,
    'none',
    '/run/x',
  ]);
});

test('pairs repeat', () => {
  const { routes } = fromTo([
    { from: 'tls://a.test:8443', to: 'tcp://127.0.0.1:1' },
    { from: 'tls://b.test:8443', to: 'tcp://127.0.0.1:2' },
  ]);
  assert.deepEqual(
    routes.map(({ name }) => name),
    ['tls://a.test:8443', 'tls://b.test:8443'],
  );
});

test('http and https say that they come later', () => {
  for (const scheme of ['http', 'https']) {
    const later = `'${scheme}' comes with NetworkProxy, which this version does not have yet (write tls:// or tcp://)`;
    const url = `${scheme}://app.localhost:8443/x`;
    assert.equal(problems({ from: url, to: 'tcp://127.0.0.1:1' }), `--from ${url}: ${later}`);
    assert.equal(problems({ from: 'tcp://:1', to: url }), `--to ${url}: ${later}`);
  }
});

test('what is wrong is told for each argument, all at once', () => {
  assert.equal(
    problems(
      { from: 'tcp://a.test:5432', to: 'tcp://:1' },
      { from: 'tcp://:', to: '127.0.0.1:1' },
      { from: 'tcp://', to: 'tls://a:1' },
    ),
    [
      '--from tcp://a.test:5432: plain TCP carries no name to route by (write tcp://:5432, or an address to listen on)',
      '--to tcp://:1: has no host (write one, as in tcp://127.0.0.1:9443)',
      '--from tcp://:: is not SCHEME://HOST:PORT (write --from tls://a.test:8443 --to tcp://127.0.0.1:9443)',
      '--to 127.0.0.1:1: is not SCHEME://HOST:PORT (write --from tls://a.test:8443 --to tcp://127.0.0.1:9443)',
      '--from tcp://: has no port (write one, as in tcp://:5432)',
      '--to tls://a:1: encrypting towards the target comes with NetworkProxy, which this version does not have yet (write tcp://)',
    ].join('\n'),
  );
  assert.match(problems(), /^--from: is missing/);
  assert.match(
    problems({ from: 'udp://:1', to: 'tcp://a' }),
    /'udp' is no scheme.*\n.*--to tcp:\/\/a: has no port/,
  );
  assert.match(
    problems({ from: 'tls://a..b:1', to: 'tcp://a:99999' }),
    /'a\.\.b' is no name.*\n.*is not SCHEME/,
  );
  const pair = { from: 'tcp://:1', to: 'tcp://a:1' };
  assert.equal(problems(pair, pair), '--from tcp://:1: is given twice (give each once)');
});
