import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Stage } from '../../smart-proxy/stage.ts';
import { selfSigned } from '../../support/certificates.ts';
import { eventually } from '../../support/eventually.ts';
import { scoped } from '../../support/scoped.ts';
import { SkippingClock } from '../../support/skipping-clock.ts';
import { Workspace } from '../../support/workspace.ts';
import { serve, site, TlsClient } from './site.ts';

let workspace: Workspace;

before(() => {
  workspace = new Workspace('renewal');
});
after(() => workspace.end());

/** The serial number of the certificate that a new handshake gets. */
async function serialAt(port: number): Promise<string> {
  const client = await TlsClient.connect(port, { servername: 'a.test' });
  const { serialNumber } = client.socket.getPeerCertificate();
  await client.close();
  return serialNumber;
}

/** However far the clock skips, nothing ends for it. */
const patient = { timeouts: { keepAliveMs: 0, inactivityMs: 0, requestHeadMs: 0 } };

// T11
test('a renewed certificate serves new handshakes; connections and sessions go on', async (t) => {
  const stage = scoped(t, new Stage());
  const clock = new SkippingClock();
  const { certFile, keyFile } = await selfSigned(workspace, 'a.test');
  const proxy = await serve(stage, [site('a.test', { certificate: { certFile, keyFile } })], patient, clock);
  const live = scoped(t, await TlsClient.connect(proxy.port, { servername: 'a.test' }));
  assert.equal((await live.get('a.test')).status, 200);
  const session = await live.resumable();
  const before = await serialAt(proxy.port);

  const renewed = await selfSigned(workspace, 'renewed.a.test');
  renameSync(renewed.keyFile, keyFile);
  renameSync(renewed.certFile, certFile);
  let serial = before;
  while (serial === before) {
    clock.skip(10_000);
    serial = await serialAt(proxy.port);
  }

  assert.equal((await live.get('a.test')).status, 200);
  const resumed = scoped(t, await TlsClient.connect(proxy.port, { servername: 'a.test', session }));
  assert.equal((await resumed.get('a.test')).status, 200);
  assert.ok(resumed.socket.isSessionReused());
});

// T11
test('an update of the routes that brings another certificate drops nothing', async (t) => {
  const stage = scoped(t, new Stage());
  const [one, other] = await Promise.all([
    selfSigned(workspace, 'one.test'),
    selfSigned(workspace, 'other.test'),
  ]);
  const certificate = ({ cert, key }: typeof one) => ({ certificate: { cert, key } });
  const proxy = await serve(stage, [site('a.test', certificate(one))]);
  const live = scoped(t, await TlsClient.connect(proxy.port, { servername: 'a.test' }));
  const before = await serialAt(proxy.port);
  await proxy.proxy.updateRoutes([site('a.test', certificate(other))]);
  assert.notEqual(await serialAt(proxy.port), before);
  assert.deepEqual(await live.get('a.test'), { status: 200, body: 'a.test says hello' });
});

test('a certificate that cannot be used refuses the start and the update, and names the route', async (t) => {
  const stage = scoped(t, new Stage());
  const { cert, key } = await selfSigned(workspace, 'good.test');
  const good = site('good.test', { certificate: { cert, key } });
  const bad = site('bad.test', {
    certificate: { certFile: '/nowhere/cert.pem', keyFile: '/nowhere/key.pem' },
  });
  const unstarted = stage.unstarted([bad]);
  await assert.rejects(unstarted.proxy.start(), /route bad\.test: cannot read \/nowhere/);
  const proxy = await serve(stage, [good]);
  await assert.rejects(proxy.proxy.updateRoutes([good, bad]), { code: 'certificate-unreadable' });
  const client = scoped(t, await TlsClient.connect(proxy.port, { servername: 'good.test' }));
  assert.equal((await client.get('good.test')).status, 200);
  await eventually('one is connected', () => proxy.active === 1);
});
