import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { it } from 'node:test';
import { selfSigned, type TestCertificate } from '../support/certificates.ts';
import { hasPrograms, programPath } from '../support/debian.ts';
import { CountingTap, ProxyFixture, passthroughRoute } from '../support/proxy-fixture.ts';
import { Workspace } from '../support/workspace.ts';

/** An HTTP/1.1 and HTTP/2 site that answers with its own name and the protocol. */
async function startSite(workspace: Workspace, name: string, certificate: TestCertificate): Promise<Server> {
  const server = createSecureServer({ ...certificate, allowHTTP1: true }, (request, response) => {
    response.end(`${name} over ${request.httpVersion}\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  workspace.onEnd(() => server.close());
  return server;
}

/** Two sites behind one port. */
async function startTwoSites(workspace: Workspace) {
  const certificates = [
    await selfSigned(workspace, 'a.test'),
    await selfSigned(workspace, 'b.test'),
  ] as const;
  const sites = [
    await startSite(workspace, 'a.test', certificates[0]),
    await startSite(workspace, 'b.test', certificates[1]),
  ] as const;
  const port = (site: Server): number => (site.address() as AddressInfo).port;
  const fixture = await ProxyFixture.start(workspace, [
    passthroughRoute('a.test', port(sites[0])),
    passthroughRoute('b.test', port(sites[1])),
  ]);
  return { certificates, fixture, port: fixture.portOf('a.test') };
}

// M1
it('curl reaches two names on one port, each with its own certificate', async (t) => {
  if (!hasPrograms(t, 'curl', 'openssl')) return;
  const workspace = Workspace.of(t, 'names');
  const sites = await startTwoSites(workspace);
  const tap = await CountingTap.start(workspace, sites.port);
  for (const [index, name] of ['a.test', 'b.test'].entries()) {
    const trust = ['--cacert', sites.certificates[index]?.certFile ?? ''];
    const url = ['--resolve', `${name}:${tap.port}:127.0.0.1`, `https://${name}:${tap.port}/`];
    const body = await workspace.run(programPath('curl'), ['-sS', ...trust, ...url]);
    assert.equal(body, `${name} over 2.0\n`);
  }

  assert.deepEqual(await sites.fixture.reasons(), ['client-closed', 'client-closed']);
  const { endings } = sites.fixture;
  assert.deepEqual(
    endings.map(({ route, tls }) => [route, tls?.serverName, tls?.mode]),
    [
      ['a.test', 'a.test', 'passthrough'],
      ['b.test', 'b.test', 'passthrough'],
    ],
  );
  const sum = (side: 'fromClient' | 'toClient') =>
    endings.reduce((total, { bytes }) => total + bytes[side], 0);
  assert.deepEqual([sum('fromClient'), sum('toClient')], [tap.fromClient, tap.toClient]);
});

it('openssl s_client gets the certificate of the name that it asks for', async (t) => {
  if (!hasPrograms(t, 'openssl')) return;
  const workspace = Workspace.of(t, 'names');
  const sites = await startTwoSites(workspace);
  for (const name of ['b.test', 'a.test']) {
    const args = ['s_client', '-connect', `127.0.0.1:${sites.port}`, '-servername', name];
    const output = await workspace.run(programPath('openssl'), args, { input: 'Q\n' });
    assert.match(output, new RegExp(`subject=CN ?= ?${name}`));
  }
  await sites.fixture.reasons();
  assert.deepEqual(
    sites.fixture.endings.map(({ route }) => route),
    ['b.test', 'a.test'],
  );
});

// T7
it('openssl s_client without a name gets an unrecognized_name alert', async (t) => {
  if (!hasPrograms(t, 'openssl')) return;
  const workspace = Workspace.of(t, 'names');
  const sites = await startTwoSites(workspace);
  const args = ['s_client', '-connect', `127.0.0.1:${sites.port}`, '-noservername'];
  await assert.rejects(workspace.run(programPath('openssl'), args), /unrecognized name/);
  const ending = await sites.fixture.ending();
  assert.deepEqual([ending.route, ending.termination?.reason], [null, 'no-route']);
});
