import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { after, before, test } from 'node:test';
import type { SmartProxyOptions } from '../../../src/config/schema.ts';
import { Stage } from '../../smart-proxy/stage.ts';
import { selfSigned, type TestCertificate } from '../../support/certificates.ts';
import { scoped } from '../../support/scoped.ts';
import { Workspace } from '../../support/workspace.ts';
import { answerOf } from '../http2/stage.ts';
import { serve, site, TlsClient } from './site.ts';

let workspace: Workspace;
let shared: TestCertificate;
let own: TestCertificate;

before(async () => {
  workspace = new Workspace('misdirected');
  [shared, own] = await Promise.all([
    selfSigned(workspace, 'a.test', ['b.test', '*.c.test']),
    selfSigned(workspace, 'other.test'),
  ]);
});
after(() => workspace.end());

const pem = ({ cert, key }: TestCertificate) => ({ cert, key });
const sites = () => [
  ...['a.test', 'b.test', 'x.c.test'].map((name) => site(name, { certificate: pem(shared) })),
  // A certificate that is for another name, as in a test of somebody's own.
  ...['other.test', 'own.test'].map((name) => site(name, { certificate: pem(own) })),
];

async function open(t: Parameters<typeof scoped>[0], options: Omit<SmartProxyOptions, 'routes'> = {}) {
  return serve(scoped(t, new Stage()), sites(), options);
}

test('a connection serves the hosts that its certificate is good for, and no others', async (t) => {
  const proxy = await open(t);
  const client = scoped(t, await TlsClient.connect(proxy.port, { servername: 'a.test' }));
  const expected: Record<string, number> = {
    'a.test': 200,
    'A.TEST:8443': 200,
    'b.test': 200,
    'x.c.test': 200,
    'other.test': 421,
    'nobody.test': 421,
    'y.x.c.test': 421,
    'y.c.test': 404,
    '192.0.2.1': 421,
  };
  for (const [host, status] of Object.entries(expected)) {
    assert.equal((await client.get(host)).status, status, host);
  }
});

test('the same by HTTP/2, where browsers share connections', async (t) => {
  const proxy = await open(t);
  const client = await TlsClient.connect(proxy.port, { servername: 'a.test', ALPNProtocols: ['h2'] });
  const session = http2.connect('https://a.test', { createConnection: () => client.socket });
  for (const [host, status] of [
    ['b.test', 200],
    ['other.test', 421],
  ] as const) {
    assert.equal((await answerOf(session.request({ ':authority': host }))).status, status);
  }
  session.close();
  await proxy.ended();
});

test('the name that a connection was made for is served, whatever certificate it has', async (t) => {
  const proxy = await open(t);
  const client = scoped(t, await TlsClient.connect(proxy.port, { servername: 'own.test' }));
  assert.equal((await client.get('own.test')).status, 200);
  assert.equal((await client.get('other.test')).status, 200);
  assert.equal((await client.get('a.test')).status, 421);
});

test('a session that is resumed is held to the same', async (t) => {
  const proxy = await open(t);
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const first = await TlsClient.connect(proxy.port, { servername: 'a.test', maxVersion });
    await first.get('a.test');
    const session = await first.resumable();
    await first.close();
    const again = scoped(
      t,
      await TlsClient.connect(proxy.port, { servername: 'a.test', maxVersion, session }),
    );
    assert.deepEqual(
      [(await again.get('b.test')).status, (await again.get('other.test')).status],
      [200, 421],
      maxVersion,
    );
    assert.ok(again.socket.isSessionReused(), maxVersion);
  }
});

test('a gateway that is trusted may ask for any host of the site over one connection', async (t) => {
  const proxy = await open(t, { trustForwarded: ['127.0.0.0/8'] });
  const client = scoped(t, await TlsClient.connect(proxy.port, { servername: 'a.test' }));
  assert.equal((await client.get('other.test')).status, 200);
  assert.equal((await client.get('nobody.test')).status, 404);
});
