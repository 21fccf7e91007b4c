import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { it } from 'node:test';
import { selfSigned } from '../support/certificates.ts';
import { hasPrograms, type Program, programPath } from '../support/debian.ts';
import {
  httpRoute,
  requestsOf,
  type Seen,
  siteRoute,
  startHttpProxy,
  startNodeServer,
  tellSeen,
} from '../support/http-fixture.ts';
import { startNginx } from '../support/nginx.ts';
import type { ProxyFixture } from '../support/proxy-fixture.ts';
import { Workspace, waitUntil } from '../support/workspace.ts';

const quiet = { log: { requests: false } };

/** Pools are sampled once a second: sooner or later nothing in them is busy. */
async function poolsAreIdle(fixture: ProxyFixture): Promise<void> {
  const { networkProxy } = await waitUntil('no pool to be busy', () => {
    const statistics = fixture.proxy.getStatistics();
    return statistics.networkProxy.pools.every(({ busy }) => busy === 0) ? statistics : undefined;
  });
  for (const { idle, opened } of networkProxy.pools) assert.ok(idle <= opened);
}

for (const scheme of ['http', 'https']) {
  it(`wrk sees no error on 32 connections (${scheme})`, async (t) => {
    if (!hasPrograms(t, 'nginx', 'wrk')) return;
    const workspace = Workspace.of(t, 'wrk');
    const backend = await startNginx(workspace, 'location / { return 200 "0123456789"; }');
    const route = scheme === 'http' ? httpRoute('127.0.0.1', backend) : siteRoute('127.0.0.1', backend);
    if (scheme === 'https') delete (route.match as { domains?: string }).domains;
    const fixture = await startHttpProxy(workspace, [route], quiet);
    const url = `${scheme}://127.0.0.1:${fixture.portOf('127.0.0.1')}/`;
    const output = await workspace.run(programPath('wrk'), ['-t', '1', '-c', '32', '-d', '2s', url]);
    const [, answered] = /(\d+) requests in/.exec(output) ?? [];
    assert.ok(Number(answered) > 100, output);
    assert.doesNotMatch(output, /Socket errors|Non-2xx/);

    await fixture.nothingLeft();
    const { requests, tlsTerminatedConnections } = fixture.proxy.getStatistics().networkProxy;
    assert.ok(requests >= Number(answered));
    // Beside the 32 there is one that wrk opens and closes to see whether somebody listens.
    const served = fixture.endings.filter(({ viaNetworkProxy }) => viaNetworkProxy);
    assert.equal(served.length, 32);
    assert.equal(tlsTerminatedConnections, scheme === 'https' ? 32 : 0);
    for (const { termination } of fixture.endings)
      assert.match(`${termination?.reason}`, /^client-(closed|reset)$/);
    await poolsAreIdle(fixture);
  });
}

it('curl speaks HTTP/2 with a site, and the backend gets HTTP/1.1', async (t) => {
  if (!hasPrograms(t, 'curl')) return;
  const workspace = Workspace.of(t, 'curl-h2');
  const backend = await startNodeServer(workspace, tellSeen);
  const fixture = await startHttpProxy(workspace, [siteRoute('a.test', backend)]);
  const body = workspace.write('body', 'x'.repeat(5_000_000));
  const url = 'https://a.test';
  const common = ['-sSk', '--http2', '--connect-to', `::127.0.0.1:${fixture.portOf('a.test')}`];
  const output = await workspace.run(programPath('curl'), [
    ...common,
    '-H',
    'Cookie: a=1',
    '-H',
    'Cookie: b=2',
    '-w',
    '\n%{http_version}\n',
    `${url}/get`,
    ...['--next', ...common, '-w', '\n%{http_version}\n', '-T', body, `${url}/put`],
  ]);
  const [got, first, put, second] = output.split('\n');
  assert.deepEqual([first, second], ['2', '2']);
  const seen = JSON.parse(got ?? '') as Seen;
  assert.deepEqual(
    [seen.headers.host, seen.headers['x-forwarded-proto'], seen.headers.cookie],
    ['a.test', 'https', 'a=1; b=2'],
  );
  assert.equal((JSON.parse(put ?? '') as Seen).length, 5_000_000);

  const requests = await requestsOf(fixture, 2);
  assert.deepEqual(
    requests.map(({ version, status, error }) => [version, status, error]),
    [
      ['2', 200, null],
      ['2', 200, null],
    ],
  );
  assert.equal((await fixture.ending()).termination?.reason, 'client-closed');
});

// F1
it('h2load sees no failure with a hundred streams on eight connections', async (t) => {
  if (!hasPrograms(t, 'nginx', 'h2load')) return;
  const workspace = Workspace.of(t, 'h2load');
  const backend = await startNginx(workspace, 'location / { return 200 "0123456789"; }');
  const fixture = await startHttpProxy(workspace, [siteRoute('a.test', backend)], quiet);
  const output = await workspace.run(programPath('h2load'), [
    ...['-n', '2000', '-c', '8', '-m', '100', '--connect-to', `127.0.0.1:${fixture.portOf('a.test')}`],
    ...['--sni', 'a.test', `https://a.test:${fixture.portOf('a.test')}/`].slice(2),
  ]);
  assert.match(output, /2000 succeeded, 0 failed, 0 errored, 0 timeout/);
  assert.match(output, /Application protocol: h2\n/);

  assert.deepEqual(await fixture.reasons(), Array(8).fill('client-closed'));
  const { requests, tlsTerminatedConnections } = fixture.proxy.getStatistics().networkProxy;
  assert.deepEqual([requests, tlsTerminatedConnections], [2000, 8]);
  await poolsAreIdle(fixture);
});

it('nghttp loads the same over TLS and in clear text, with prior knowledge', async (t) => {
  if (!hasPrograms(t, 'nghttp')) return;
  const workspace = Workspace.of(t, 'nghttp');
  const backend = await startNodeServer(workspace, tellSeen);
  const fixture = await startHttpProxy(workspace, [
    siteRoute('a.test', backend),
    httpRoute('clear', backend),
  ]);
  const nghttp: Program = 'nghttp';
  const ask = (scheme: string, route: string) =>
    workspace.run(programPath(nghttp), [
      ...[
        '-v',
        '--no-verify-peer',
        '-H',
        ':authority: a.test',
        `${scheme}://127.0.0.1:${fixture.portOf(route)}/${route}`,
      ],
    ]);
  for (const output of [await ask('https', 'a.test'), await ask('http', 'clear')]) {
    assert.match(output, /:status: 200/);
    assert.doesNotMatch(output, /GOAWAY frame <[^>]*>\n[^\n]*error_code=(?!NO_ERROR)/);
  }
  assert.deepEqual(
    (await requestsOf(fixture, 2)).map(({ version, scheme }) => version + scheme),
    ['2https', '2http'],
  );
  for (const reason of await fixture.reasons()) assert.equal(reason, 'client-closed');
});

it('a backend that speaks HTTP/2 is spoken to in it, over TLS that is verified', async (t) => {
  if (!hasPrograms(t, 'curl', 'openssl')) return;
  const workspace = Workspace.of(t, 'h2-backend');
  const certificate = await selfSigned(workspace, 'backend.test');
  const versions: string[] = [];
  const server = createSecureServer({ ...certificate, allowHTTP1: true }, (request, response) => {
    versions.push(request.httpVersion);
    response.end('hello');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  workspace.onEnd(() => server.close());
  const { port } = server.address() as AddressInfo;
  const target = (protocol: 'auto' | 'http1' | 'http2', serverName = 'backend.test') => ({
    ...{ host: '127.0.0.1', port, protocol },
    tls: { ca: certificate.certFile, serverName },
  });
  const route = (name: string, to: ReturnType<typeof target>) => ({
    name,
    match: { ports: 0, address: '127.0.0.1', domains: name },
    action: {
      type: 'forward' as const,
      target: to,
      tls: { mode: 'terminate-and-reencrypt' as const, certificate: 'local' as const },
    },
  });
  const fixture = await startHttpProxy(workspace, [
    route('auto.test', target('auto')),
    route('one.test', target('http1')),
    route('two.test', target('http2')),
    route('wrong.test', target('auto', 'other.test')),
  ]);
  const ask = (name: string) =>
    workspace.run(programPath('curl'), [
      '-sSk',
      '--connect-to',
      `::127.0.0.1:${fixture.portOf(name)}`,
      `https://${name}/`,
    ]);
  for (const name of ['auto.test', 'one.test', 'two.test']) assert.equal(await ask(name), 'hello');
  assert.deepEqual(versions, ['2.0', '1.1', '2.0']);
  assert.match(await ask('wrong.test'), /502/);

  const requests = await requestsOf(fixture, 4);
  assert.deepEqual(
    requests.map(({ error }) => error),
    [null, null, null, 'target-tls-failed'],
  );
  await fixture.nothingLeft();
});
