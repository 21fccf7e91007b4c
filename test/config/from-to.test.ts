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

test('https ends TLS for a name, http reads requests in clear text', () => {
  assert.deepEqual(summary('https://app.localhost:8443', 'http://127.0.0.1:3000'), [
    ...['tls', null, 8443, 'app.localhost', 'terminate', '127.0.0.1 3000'],
  ]);
  assert.deepEqual(summary('https://a.test', 'https://b.test'), [
    ...['tls', null, 443, 'a.test', 'terminate-and-reencrypt', 'b.test 443'],
  ]);
  assert.deepEqual(summary('http://127.0.0.1', 'http://b.test'), [
    ...['http', '127.0.0.1', 80, null, 'none', 'b.test 80'],
  ]);
  assert.deepEqual(summary('http://*.a.test:8080', 'unix:/run/x.sock'), [
    ...['http', null, 8080, '*.a.test', 'none', '/run/x.sock'],
  ]);
});

test('what is read as requests cannot be sent as bytes, nor the other way round', () => {
  assert.equal(
    problems({ from: 'https://a.test', to: 'tcp://b:1' }, { from: 'tls://b.test', to: 'http://b:1' }),
    [
      "--to tcp://b:1: 'tcp' is not what https:// is sent to (write http://, https:// or unix:/path)",
      "--to http://b:1: 'http' is not what tls:// is sent to (write tcp://, tls:// or unix:/path)",
    ].join('\n'),
  );
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
      "--to tls://a:1: 'tls' is not what tcp:// is sent to (write tcp:// or unix:/path)",
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
  assert.equal(
    problems({ from: 'ftp://a:1', to: 'http://b:1' }),
    "--from ftp://a:1: 'ftp' is no scheme (write https://, http://, tls:// or tcp://)",
  );
  assert.match(
    problems({ from: 'https://a.test', to: '127.0.0.1:3000' }),
    /--from https:\/\/app\.localhost:8443 --to http:\/\/127\.0\.0\.1:3000\)$/,
  );
  const pair = { from: 'tcp://:1', to: 'tcp://a:1' };
  assert.equal(problems(pair, pair), '--from tcp://:1: is given twice (give each once)');
});
