import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stage } from '../../smart-proxy/stage.ts';
import { selfSigned } from '../../support/certificates.ts';
import { bin, smartproxy } from '../../support/command-line.ts';
import { eventually } from '../../support/eventually.ts';
import { scoped } from '../../support/scoped.ts';
import { freePort, Workspace } from '../../support/workspace.ts';
import { site, TlsClient } from '../tls/site.ts';

let workspace: Workspace;

before(() => {
  workspace = new Workspace('network-proxy-process');
});
after(() => workspace.end());

test('a process of its own ends TLS with keys that only it can read, and reloads and drains by signals', async (t) => {
  const stage = scoped(t, new Stage());
  const { certFile, keyFile } = await selfSigned(workspace, 'a.test');
  const port = await freePort();
  const secretFile = workspace.write('bridge.secret', 'x'.repeat(64), 0o600);
  const networkProxy = { bridge: 'loopback', port, secretFile } as const;
  const routes = [site('a.test', { certificate: { certFile, keyFile } })];
  const file = workspace.write('proxy.json', JSON.stringify({ routes, networkProxy }));
  const inner = workspace.start(process.execPath, [bin, 'network-proxy', '--config', file]);
  await inner.says(/"event":"ready"/);
  const outer = await stage.proxy(
    [site('a.test', { certificate: { certFile: '/not/there.pem', keyFile: '/not/there.key' } })],
    { networkProxy },
  );
  const client = scoped(t, await TlsClient.connect(outer.port, { servername: 'a.test' }));
  assert.equal((await client.get('a.test')).body, 'a.test says hello');
  const changed = JSON.stringify({ routes, networkProxy }).replace('a.test says hello', 'it was read again');
  workspace.write('proxy.json', changed);
  process.kill(inner.pid, 'SIGHUP');
  await inner.says(/"event":"reloaded"/);
  assert.equal((await client.get('a.test')).body, 'it was read again');
  process.kill(inner.pid, 'SIGTERM');
  await eventually('the idle connection ends', () => client.closed);
  assert.equal(await inner.exited(), 0);
  await inner.says(/"reason":"shutdown"/);
  // The client may answer close_notify before the FIN behind it has come.
  assert.match((await outer.ended()).termination?.reason ?? '', /^(target|client)-closed$/);
});

test('the command says what is wrong with its configuration', async () => {
  const file = workspace.write('wrong.json', JSON.stringify({ routes: [{ name: 'x' }] }));
  const { code, err } = await smartproxy(workspace, ['network-proxy', '--config', file]);
  assert.equal(code, 2);
  assert.match(err, /wrong\.json: routes\[0\]\.match/);
});
