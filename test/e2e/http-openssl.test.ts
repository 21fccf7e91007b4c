import assert from 'node:assert/strict';
import { it } from 'node:test';
import { hasPrograms, programPath } from '../support/debian.ts';
import { siteRoute, startHttpProxy, startNodeServer, tellSeen } from '../support/http-fixture.ts';
import { Workspace } from '../support/workspace.ts';

for (const version of ['tls1_2', 'tls1_3']) {
  // T8
  it(`openssl resumes a session of the same name, after a reload too (${version})`, async (t) => {
    if (!hasPrograms(t, 'openssl')) return;
    const workspace = Workspace.of(t, 'openssl');
    const backend = await startNodeServer(workspace, tellSeen);
    const routes = [siteRoute('a.test', backend), siteRoute('b.test', backend)];
    const fixture = await startHttpProxy(workspace, routes);
    const session = workspace.path('session');
    const connect = (name: string, ...args: string[]) =>
      workspace.run(
        programPath('openssl'),
        [
          ...[
            's_client',
            '-connect',
            `127.0.0.1:${fixture.portOf('a.test')}`,
            '-servername',
            name,
            `-${version}`,
          ],
          ...['-alpn', 'http/1.1', '-ign_eof', ...args],
        ],
        { input: `GET / HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n` },
      );
    const first = await connect('a.test', '-sess_out', session);
    assert.match(first, /^New, /m);
    assert.match(first, /ALPN protocol: http\/1\.1/);
    assert.match(first, /HTTP\/1\.1 200 OK/);
    assert.match(await connect('a.test', '-sess_in', session), /^Reused, /m);
    await fixture.proxy.updateRoutes(routes);
    assert.match(await connect('a.test', '-sess_in', session), /^Reused, /m);

    const reasons = await fixture.reasons();
    assert.equal(reasons.length, 3);
    for (const reason of reasons) assert.match(`${reason}`, /^(responded|client-closed)$/);
    assert.equal(fixture.proxy.getStatistics().networkProxy.tlsTerminatedConnections, 3);
  });
}

// T12
it('a client that cannot agree on TLS is told, and its ending says why', async (t) => {
  if (!hasPrograms(t, 'openssl')) return;
  const workspace = Workspace.of(t, 'openssl');
  const backend = await startNodeServer(workspace, tellSeen);
  const fixture = await startHttpProxy(workspace, [siteRoute('a.test', backend, { minVersion: 'TLSv1.3' })]);
  const client = workspace.start(programPath('openssl'), [
    ...['s_client', '-connect', `127.0.0.1:${fixture.portOf('a.test')}`, '-servername', 'a.test', '-tls1_2'],
  ]);
  assert.notEqual(await client.exited(), 0);
  assert.match(client.output, /alert protocol version/);

  const ending = await fixture.ending();
  assert.equal(ending.termination?.reason, 'tls-handshake-failed');
  assert.match(JSON.stringify(ending.events), /unsupported protocol/i);
});
